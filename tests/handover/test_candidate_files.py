"""What `mlops hand-over` says of files that are no candidate; and of those that are one, nothing."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlops.handover import files
from mlops.rehearsal.candidate import CandidateFiles
from mlops_constructs.settings import Container, ModelSettings

MODEL = b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner"
Check = Callable[[Path, ModelSettings], Any]


def said(path: Path, check: Check, model: ModelSettings) -> list[str]:
    return files.problems_of_file(path, check, model)


def archive(path: Path, *members: tuple[str, bytes | tarfile.TarInfo]) -> Path:
    with tarfile.open(path, "w:gz") as packed:
        for name, content in members:
            member = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            if isinstance(content, bytes):
                member.size = len(content)
            packed.addfile(member, io.BytesIO(content) if isinstance(content, bytes) else None)
    return path


def link(name: str, target: str) -> tuple[str, tarfile.TarInfo]:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, target
    return name, member


def test_there_is_nothing_to_say_of_a_candidate(made: CandidateFiles, abalone: ModelSettings) -> None:
    assert said(made.model, files.problems_of_archive, abalone) == []
    assert said(made.data, files.problems_of_data, abalone) == []
    assert said(made.metrics, files.problems_of_metrics, abalone) == []


@pytest.mark.parametrize("check", [files.problems_of_archive, files.problems_of_data, files.problems_of_metrics])
def test_a_file_that_cannot_be_read_is_one_problem(check: Check, abalone: ModelSettings, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert said(tmp_path / "absent", check, abalone) == ["is not there"]
    assert said(tmp_path, check, abalone) == ["is not a file"]
    assert said(tmp_path / "empty", check, abalone) == ["is empty"]


def test_a_file_that_s3_would_not_take_is_refused(
    made: CandidateFiles, abalone: ModelSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LARGEST", 1000)
    [problem] = said(made.model, files.problems_of_archive, abalone)
    assert "S3 takes 5 GiB in one upload" in problem


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ([], "holds no model"),
        ([("xgboost-model", b"")], "holds no model"),
        ([(".hidden", MODEL)], "holds no model"),
        ([("a", MODEL), ("code/b", MODEL)], "holds 2 files, and the XGBoost of SageMaker serves one model: a, code/b"),
        ([("xgboost-model", b"\x80\x04pickle")], "'xgboost-model', which is not a model of XGBoost"),
        ([("xgboost-model", b'{"weights": []}')], "is not a model of XGBoost"),
        ([("xgboost-model", MODEL), ("../../etc/passwd", b"x")], "'../../etc/passwd', which cannot be unpacked"),
        ([("xgboost-model", MODEL), ("/etc/passwd", b"x")], "'/etc/passwd', which cannot be unpacked"),
        ([("xgboost-model", MODEL), link("latest", "/etc")], "'latest', which cannot be unpacked"),
    ],
)
def test_an_archive_without_one_model_is_refused(
    members: list[tuple[str, Any]], words: str, abalone: ModelSettings, tmp_path: Path
) -> None:
    [problem] = said(archive(tmp_path / "model.tar.gz", *members), files.problems_of_archive, abalone)
    assert words in problem


@pytest.mark.parametrize(
    "spoil",
    [lambda raw: raw[:-6], lambda raw: raw[:200], lambda raw: raw[:-8] + b"\0" * 8],
    ids=["without its end", "the beginning alone", "another checksum"],
)
def test_an_archive_that_was_damaged_on_the_way_is_refused(
    spoil: Callable[[bytes], bytes], made: CandidateFiles, abalone: ModelSettings, tmp_path: Path
) -> None:
    damaged = tmp_path / "model.tar.gz"
    damaged.write_bytes(spoil(made.model.read_bytes()))
    [problem] = said(damaged, files.problems_of_archive, abalone)
    assert "is not a readable .tar.gz" in problem


@pytest.mark.parametrize("content", [b"text", gzip.compress(b"no archive"), b"PK\x03\x04"])
def test_another_kind_of_file_is_no_archive(content: bytes, abalone: ModelSettings, tmp_path: Path) -> None:
    (tmp_path / "model.tar.gz").write_bytes(content)
    [problem] = said(tmp_path / "model.tar.gz", files.problems_of_archive, abalone)
    assert "tar -czf model.tar.gz" in problem


def test_the_model_of_a_container_may_have_any_files(abalone: ModelSettings, tmp_path: Path) -> None:
    own = abalone.model_copy(update={"algorithm": None, "container": Container(image="x")})
    packed = archive(tmp_path / "model.tar.gz", ("weights", b"\1"), ("labels.txt", b"a"))
    assert said(packed, files.problems_of_archive, own) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("rings", "ring", ["lacks the column 'rings'; did you write 'ring'?"]),
        (",rings", ",rings,diver", ["has the column 'diver', which config/models/abalone.yaml does not"]),
        ("diameter", "length", ["lacks the column 'diameter'; add it", "'length' more than once"]),
        ("sex,length", "sex;length", ["lacks the column 'sex'; did you write 'sex;length'", "the column 'length'"]),
    ],
)
def test_a_header_with_other_columns_is_refused(
    old: str, new: str, words: list[str], made: CandidateFiles, abalone: ModelSettings, tmp_path: Path
) -> None:
    changed = tmp_path / "data.csv"
    changed.write_text(made.data.read_text().replace(old, new, 1))
    problems = said(changed, files.problems_of_data, abalone)
    assert len(problems) == len(words)
    assert [each for each, problem in zip(words, problems, strict=True) if each not in problem] == []


def test_the_order_of_the_columns_is_free(made: CandidateFiles, abalone: ModelSettings, tmp_path: Path) -> None:
    turned = tmp_path / "data.csv"
    turned.write_text("".join(",".join(line.split(",")[::-1]) + "\n" for line in made.data.read_text().splitlines()))
    assert said(turned, files.problems_of_data, abalone) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b\n1,2\n".encode("utf-16"), "is UTF-16 text"),
        (gzip.compress(b"a"), "is compressed with gzip"),
        (b"sex,\xff\n", "cannot be read as CSV in UTF-8"),
        (b"1,2,3\n4,5,6\n", "has none of the columns of config/models/abalone.yaml in its first line"),
    ],
)
def test_data_of_another_kind_is_refused(content: bytes, words: str, abalone: ModelSettings, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes(content)
    [problem] = said(tmp_path / "data.csv", files.problems_of_data, abalone)
    assert words in problem


def test_data_without_rows_is_refused(abalone: ModelSettings, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text(",".join(abalone.data.columns) + "\n")
    [problem] = said(tmp_path / "data.csv", files.problems_of_data, abalone)
    assert "has a header and no rows" in problem


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda report: report.update(version=2), ["is not an evaluation.json of version 1"]),
        (lambda report: report.update(task="binary"), ["is about a model of the task 'binary'"]),
        (lambda report: report.pop("regression_metrics"), ["no number for mae", "for r2", "for rmse"]),
        (lambda report: report["regression_metrics"].pop("rmse"), ["has no number for rmse in regression_metrics"]),
        (lambda report: report["regression_metrics"]["r2"].update(value=None), ["has no number for r2"]),
        (lambda report: report["regression_metrics"]["r2"].update(value="0.9"), ["has no number for r2"]),
        (lambda report: report["regression_metrics"]["r2"].update(value=float("nan")), ["has no number for r2"]),
        (lambda report: report["regression_metrics"]["r2"].update(value=True), ["has no number for r2"]),
    ],
    ids=["version", "task", "no group", "no metric", "null", "text", "NaN", "true"],
)
def test_a_report_of_something_else_is_refused(
    change: Callable[[dict[str, Any]], object],
    words: list[str],
    made: CandidateFiles,
    abalone: ModelSettings,
    tmp_path: Path,
) -> None:
    report = json.loads(made.metrics.read_text())
    change(report)
    (tmp_path / "evaluation.json").write_text(json.dumps(report))
    problems = said(tmp_path / "evaluation.json", files.problems_of_metrics, abalone)
    assert [each for each, problem in zip(words, problems, strict=True) if each not in problem] == []


@pytest.mark.parametrize(
    "content", ["[]", "3", "null", "{", "", "[" * 100_000], ids=lambda content: content[:4] or "blank"
)
def test_what_is_no_report_is_refused(content: str, abalone: ModelSettings, tmp_path: Path) -> None:
    (tmp_path / "evaluation.json").write_text(content or " ")
    assert len(said(tmp_path / "evaluation.json", files.problems_of_metrics, abalone)) == 1


def test_reading_a_file_gives_the_checksum_that_s3_asks_for(made: CandidateFiles, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    read = files.CandidateFile.read(tmp_path / "a", "data.csv")
    assert (read.size, read.checksum) == (3, "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=")
    shutil.copy(made.data, tmp_path / "b")
    assert files.CandidateFile.read(tmp_path / "b", "x").sha256 == files.CandidateFile.read(made.data, "y").sha256
