"""The program `prepare`, run as the archive that a processing job gets."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xgboost

from tests.containers.processing_job import as_csv, customers

if TYPE_CHECKING:
    from tests.containers.processing_job import Job

COLUMNS = ["churned", "plan=basic", "plan=plus", "plan=premium", "age", "charge"]


def test_good_data_passes_and_every_row_is_in_one_split(prepared: Job) -> None:
    report = prepared.report("report/validation.json")
    assert report["passed"]
    assert report["violations"] == []
    assert report["splits"] == {part: len(prepared.lines(part)) for part in ("train", "validation", "test")}
    assert sum(report["splits"].values()) == report["rows"] == 2000


def test_rows_are_label_first_then_the_features_in_declared_order(job: Job) -> None:
    rows = customers(300)
    job.prepare(as_csv(rows))
    expected = set()
    for _, plan, age, charge, churned in rows:
        one_hot = [str(int(plan == each)) for each in ("basic", "plus", "premium")]
        number = charge.removesuffix(".0")
        expected.add(",".join(["1" if churned == "yes" else "0", *one_hot, age, number]))
    assert {line for part in ("train", "validation", "test") for line in job.lines(part)} == expected


def test_features_file_names_every_column_after_the_label(prepared: Job) -> None:
    document = prepared.report("report/features.json")
    assert document["label"] == COLUMNS[0]
    assert [each["name"] for each in document["features"]] == COLUMNS[1:]
    assert document["features"][1] == {
        "name": "plan=plus", "column": "plan", "encoding": "one-hot", "category": "plus"
    }  # fmt: skip
    assert document["features"][3] == {"name": "age", "column": "age", "encoding": "numeric", "category": None}


def test_a_blank_number_is_missing_to_xgboost_and_a_blank_category_is_in_no_category(job: Job) -> None:
    rows = customers(400)
    for row in rows:
        row[1] = "" if row[0].endswith("3") else row[1]
        row[3] = "" if row[0].endswith("5") else row[3]
    job.prepare(as_csv(rows))
    path = job.base / "output" / "train" / "train.csv"
    # The text parser of XGBoost itself, which the built-in algorithm uses for its channels.
    matrix = xgboost.DMatrix(f"{path}?format=csv&label_column=0")
    dense = np.full((matrix.num_row(), matrix.num_col()), np.nan)
    sparse = matrix.get_data().tocoo()
    dense[sparse.row, sparse.col] = sparse.data
    lines = [line.split(",") for line in job.lines("train")]
    assert np.isnan(dense[:, 4]).tolist() == [cells[5] == "" for cells in lines]
    assert 0 < np.isnan(dense[:, 4]).sum() < len(lines)
    assert not np.isnan(dense[:, :4]).any()
    assert {tuple(cells[1:4]) for cells in lines} >= {("0", "0", "0"), ("1", "0", "0")}


def test_the_built_in_algorithm_sees_the_delimiter(prepared: Job) -> None:
    # Its container guesses the delimiter of channels and requests with csv.Sniffer, from one line.
    for line in prepared.lines("test"):
        assert csv.Sniffer().sniff(line.partition(",")[2]).delimiter == ","


@pytest.mark.parametrize(
    "rewrite",
    [
        pytest.param(lambda text: text.replace("\n", "\r\n").encode(), id="CRLF"),
        pytest.param(lambda text: text.encode("utf-8-sig"), id="BOM"),
        pytest.param(lambda text: text.rstrip("\n").encode(), id="no line break at the end"),
        pytest.param(lambda text: (text + "\n\n").encode(), id="blank lines at the end"),
        pytest.param(lambda text: text.replace("C00003,", '"Doe, Jane\nsecond line",').encode(), id="quoted comma"),
    ],
)
def test_the_form_of_the_file_does_not_matter(job: Job, rewrite: object) -> None:
    assert callable(rewrite)
    text = as_csv(customers(300))
    assert job.prepare(text)["passed"]
    lines = job.lines("train")
    assert job.prepare(rewrite(text))["passed"]
    assert job.lines("train") == lines


def test_the_order_of_the_columns_does_not_matter(job: Job) -> None:
    rows = customers(300)
    job.prepare(as_csv(rows))
    lines = job.lines("train")
    header = ("churned", "charge", "age", "plan", "customer_id")
    assert job.prepare(as_csv([row[::-1] for row in rows], header))["passed"]
    assert job.lines("train") == lines


def test_bad_data_leaves_only_the_report_and_is_no_failure_of_the_job(job: Job) -> None:
    rows = customers(300)
    rows[15][4] = ""
    job.put("raw/data.csv", as_csv(rows))
    result = job.run("prepare")
    assert result.returncode == 0, result.stderr
    report = job.report("report/validation.json")
    assert not report["passed"]
    assert report["splits"] is None
    assert "line 17" in result.stdout
    assert [each.name for each in (job.base / "output").rglob("*.csv")] == []


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ([], "no CSV file among the raw data"),
        (["a.csv", "b.csv"], "one CSV file is expected"),
        (["data.parquet"], "holds data.parquet"),
    ],
)
def test_without_one_file_the_job_fails_with_the_reason(job: Job, files: list[str], reason: str) -> None:
    for name in files:
        job.put(f"raw/{name}", as_csv(customers(5)))
    result = job.run("prepare")
    assert result.returncode == 1
    assert reason in job.message
    assert "Traceback" not in result.stderr


def test_settings_that_lack_something_are_named(job: Job) -> None:
    del job.settings["data"]["split"]["seed"]
    job.put("raw/data.csv", as_csv(customers(5)))
    assert job.run("prepare").returncode == 1
    assert job.message == "settings.json lacks the setting 'seed'"


def test_a_defect_of_the_program_is_a_failure_with_its_cause(job: Job) -> None:
    job.put("raw/data.csv", as_csv(customers(300)))
    (job.base / "output").write_text("a file where the folder should be", encoding="utf-8")
    result = job.run("prepare")
    assert result.returncode == 1
    assert job.message.startswith("prepare broke down: ")
    assert "Traceback" in result.stderr
