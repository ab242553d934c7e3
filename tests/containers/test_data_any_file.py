"""Whatever the raw file holds, prepare writes a report: nothing a person uploads makes it break down."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import prepare
from job_settings import read_settings
from tests.containers.processing_job import as_csv, customers, model_settings

GOOD = as_csv(customers(120)).encode()


def report(raw: bytes) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        (base / "input" / "raw").mkdir(parents=True)
        (base / "input" / "raw" / "data.csv").write_bytes(raw)
        (base / "settings.json").write_text(json.dumps(model_settings()), encoding="utf-8")
        prepare.run(read_settings(base / "settings.json"), base)
        document: dict[str, object] = json.loads((base / "output/report/validation.json").read_bytes())
        written = sorted(path.stem for path in (base / "output").rglob("*.csv"))
        assert written == (["test", "test", "test", "train", "validation"] if document["passed"] else [])
        return document


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace"))))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_judged_and_refused(raw: bytes) -> None:
    document = report(raw)
    assert not document["passed"]
    assert document["violations"]


@given(
    at=st.integers(0, len(GOOD) - 1),
    length=st.integers(0, 30),
    patch=st.one_of(
        st.binary(max_size=20), st.sampled_from([b'"', b",", b"\n", b"\r", b"\x00", b"nan", b"\xef\xbb\xbf"])
    ),
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_damaged_file_is_judged(at: int, length: int, patch: bytes) -> None:
    document = report(GOOD[:at] + patch + GOOD[at + length :])
    assert document["passed"] == (not document["violations"])
