"""The first container of an inference pipeline: it must make exactly the features that prepare makes."""

from __future__ import annotations

import ast
import csv
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import preprocess
from feature_files import write_rows
from findings import Findings
from job_settings import Column, Kind, column_of, read_settings
from preprocessor_archive import MODULES, write_archive
from row_encoder import RequestError, RowEncoder
from table import read_table
from tests.containers.processing_job import Job, as_csv, customers, diabetes_settings, iris_settings, model_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.containers.conftest import Asked

PROCESSING = Path(preprocess.__file__).parent


def encoder_of(document: dict[str, Any]) -> RowEncoder:
    data = document["data"]
    return RowEncoder([column_of(name, each) for name, each in data["columns"].items() if name != data["label"]])


def sent(job: Job) -> list[list[str]]:
    """The rows of the test set as callers send them, without their label."""
    with (job.base / "output" / "requests" / "test.csv").open(newline="", encoding="utf-8") as handle:
        return [row[1:] for row in csv.reader(handle)]


def body(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


@pytest.mark.parametrize(
    ("data", "document"), [("prepared", model_settings), ("iris", iris_settings), ("diabetes", diabetes_settings)]
)
def test_requests_become_the_features_that_the_model_learned_from(
    data: str, document: Callable[[], dict[str, Any]], request: pytest.FixtureRequest
) -> None:
    found: Job | Asked = request.getfixturevalue(data)
    job = found if isinstance(found, Job) else found.job
    encoder, features = encoder_of(document()), (job.base / "output" / "score" / "test.csv").read_text()
    rows = sent(job)
    assert encoder.from_csv(body(rows)) == features
    names = [
        each["column"] if isinstance(each, dict) else each
        for each in dict.fromkeys(
            feature["column"]
            for feature in json.loads((job.base / "output" / "report" / "features.json").read_text())["features"]
        )
    ]
    instances = [dict(zip(names, row, strict=True)) for row in rows]
    assert encoder.from_json(json.dumps({"instances": instances})) == features


def test_the_raw_file_itself_may_be_sent(prepared: Job) -> None:
    """What a caller has in his own file: the same cells that prepare has read."""
    raw = customers(2000)
    encoder = encoder_of(model_settings())
    lines = set(encoder.from_csv(body([row[1:4] for row in raw])).splitlines())
    assert set((prepared.base / "output" / "score" / "test.csv").read_text().splitlines()) <= lines


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "basic", "plus", "premium"]),
            st.integers(18, 120),
            st.one_of(st.just(""), st.floats(0, 1e30).map(repr), st.floats(0, 1e9).map(lambda value: f" {value:.3f}")),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_any_row_that_prepare_takes_is_encoded_alike(rows: list[tuple[str, int, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        (base / "settings.json").write_text(json.dumps(model_settings()))
        asked = read_settings(base / "settings.json")
        cells = [["C1", plan, str(age), charge, "no"] for plan, age, charge in rows]
        (base / "data.csv").write_text(as_csv(cells))
        table = read_table(base / "data.csv", asked, Findings(), scratch=base)
        write_rows(base / "rows.csv", table, np.arange(len(rows)), asked, label=False)
        expected = (base / "rows.csv").read_text()
    assert encoder_of(model_settings()).from_csv(body([row[1:4] for row in cells])) == expected


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("gold,40,10\nplus,17,x\n", ["'plan' has an unknown category", "'age' is below", "'charge' is not a number"]),
        ("basic,40\n", ["each row must have 3 cells, plan,age,charge; row 1 has 2"]),
        ("basic,,10\n", ["the column 'age' is blank"]),
        ('basic,"40\n', ["cells cannot be told apart"]),
        ("", ["there is no row"]),
    ],
)
def test_a_row_that_prepare_would_not_take_stops_the_request(text: str, faults: list[str]) -> None:
    with pytest.raises(RequestError) as refused:
        encoder_of(model_settings()).from_csv(text)
    assert len(refused.value.args) == len(faults)
    for said, fault in zip(refused.value.args, faults, strict=True):
        assert fault in said


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ({"instances": [{"plam": "basic", "age": 40}]}, "did you mean 'plan'?"),
        ({"instances": [{"churned": "no"}]}, "'churned', which the model does not know"),
        ({"instances": [{"plan": True, "age": 40}]}, "'plan' must be a text, a number or null"),
        ({"instances": [[1, 2, 3]]}, "the body must be"),
        ([], "the body must be"),
    ],
)
def test_json_that_is_no_row_stops_the_request(document: object, fault: str) -> None:
    with pytest.raises(RequestError, match=r".") as refused:
        encoder_of(model_settings()).from_json(json.dumps(document))
    assert fault in " ".join(refused.value.args)


def test_what_is_not_a_number_in_json_is_told() -> None:
    with pytest.raises(RequestError, match="NaN is no number; a missing value is null"):
        encoder_of(model_settings()).from_json('{"instances": [{"age": NaN}]}')


def test_numbers_and_ignored_columns_may_stand_in_json() -> None:
    rows = {"instances": [{"customer_id": "C1", "plan": None, "age": 40, "charge": 10.5}, {"plan": "plus", "age": 41}]}
    assert encoder_of(model_settings()).from_json(json.dumps(rows)) == "0,0,0,40,10.5\n0,1,0,41,\n"


def test_the_archive_is_the_same_for_the_same_columns(tmp_path: Path, prepared: Job) -> None:
    (tmp_path / "settings.json").write_text(json.dumps(model_settings()))
    write_archive(tmp_path, read_settings(tmp_path / "settings.json"))
    assert (tmp_path / "model.tar.gz").read_bytes() == (
        prepared.base / "output" / "preprocessor" / "model.tar.gz"
    ).read_bytes()


def test_the_archive_needs_nothing_else(tmp_path: Path, prepared: Job) -> None:
    with tarfile.open(prepared.base / "output" / "preprocessor" / "model.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    program = (
        "import sys; sys.path[:0] = [sys.argv[1] + '/code']\n"
        "import preprocess\n"
        "model = preprocess.model_fn(sys.argv[1])\n"
        "print(preprocess.transform_fn(model, b'basic,40,1\\n', 'text/csv; charset=utf-8', 'application/json'))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "('1,0,0,40,1\\n', 'text/csv')"


def test_every_module_that_the_preprocessor_imports_is_packed() -> None:
    own = {path.stem for path in PROCESSING.glob("*.py")}
    wanted, seen = ["preprocess"], set()
    while wanted:
        name = wanted.pop()
        seen.add(name)
        tree = ast.parse((PROCESSING / f"{name}.py").read_text())
        typing_only = {id(inner) for node in ast.walk(tree) if isinstance(node, ast.If) for inner in ast.walk(node)}
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and id(node) not in typing_only]
        wanted += [str(node.module) for node in imports if node.module in own - seen]
    assert seen == set(MODULES)


@pytest.mark.parametrize(
    ("content", "kind", "status", "said"),
    [
        (b"gold,40,1\n", "text/csv", 400, "'gold'"),
        (b"\xff,40,1\n", "text/csv; charset=utf-8", 400, "not UTF-8"),
        (b"1:2\n", "text/libsvm", 415, "text/csv, application/json"),
    ],
)
def test_the_preprocessor_refuses_as_a_server_does(content: bytes, kind: str, status: int, said: str) -> None:
    answer = preprocess.transform_fn(encoder_of(model_settings()), content, kind, "text/csv")
    assert answer.status_code == status
    assert said in json.loads(answer.get_data())["error"]


def test_one_blank_category_is_no_category() -> None:
    column = Column(name="plan", kind=Kind.CATEGORY, categories=("a", "b"), missing=True)
    assert RowEncoder([column]).from_csv('"b"\n""\n') == "0,1\n0,0\n"


NEWER = {"StrEnum", "Self", "assert_never", "LiteralString", "ExceptionGroup", "UTC", "tomllib", "override", "Never"}


@pytest.mark.parametrize("path", sorted(PROCESSING.glob("*.py")), ids=lambda path: path.stem)
def test_the_programs_run_on_the_python_of_the_image(path: Path) -> None:
    """SageMaker's XGBoost image 3.0-5 has Python 3.10."""
    tree = ast.parse(path.read_text(), feature_version=(3, 10))
    imported = {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names
    }
    assert not imported & NEWER
