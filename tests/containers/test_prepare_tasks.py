"""The program `prepare` for labels of several classes and for labels that are numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from job import JobError
from tests.containers.processing_job import (
    FLOWER,
    as_csv,
    customers,
    diabetes_columns,
    diabetes_settings,
    flowers,
    iris_settings,
    patients,
)

if TYPE_CHECKING:
    from tests.containers.conftest import Asked
    from tests.containers.processing_job import Document, Job

PARTS = ("train", "validation", "test")


@pytest.mark.parametrize("name", ["iris", "diabetes"])
def test_the_rows_to_score_are_the_test_rows_without_their_label(request: pytest.FixtureRequest, name: str) -> None:
    job: Job = request.getfixturevalue(name).job
    assert job.lines("score", "test") == [line.partition(",")[2] for line in job.lines("test")]


def test_the_rows_to_score_of_two_classes_are_the_test_rows_without_their_label(prepared: Job) -> None:
    assert prepared.lines("score", "test") == [line.partition(",")[2] for line in prepared.lines("test")]


def test_a_class_is_written_as_its_place_in_the_list(iris: Asked) -> None:
    written = {line for part in PARTS for line in iris.job.lines(part)}
    lines = [line.split(",") for line in flowers().splitlines()[1:]]
    places = {"setosa": "0", "versicolor": "1", "virginica": "2"}
    expected = {",".join([places[species], *(cell.removesuffix(".0") for cell in rest)]) for *rest, species in lines}
    assert written == expected


def test_every_class_has_its_share_in_every_part(iris: Asked) -> None:
    for part, each in (("train", 30), ("validation", 10), ("test", 10)):
        counts = np.bincount(iris.job.cells(part)[:, 0].astype(int))
        assert abs(counts - each).max() <= 1


def test_the_classes_are_counted_by_name(iris: Asked) -> None:
    report = iris.job.report("report/validation.json")
    assert report["task"] == "multiclass"
    assert report["profile"]["label"] == {"setosa": 50, "versicolor": 50, "virginica": 50}


def test_two_classes_are_counted_as_negative_and_positive(prepared: Job) -> None:
    report = prepared.report("report/validation.json")
    assert report["task"] == "binary"
    assert set(report["profile"]["label"]) == {"negative", "positive"}
    assert sum(report["profile"]["label"].values()) == 2000


def test_numbers_are_written_as_they_are_and_described(diabetes: Asked) -> None:
    labels = np.concatenate([diabetes.job.cells(part)[:, 0] for part in PARTS])
    raw = np.array([float(line.rpartition(",")[2]) for line in patients().splitlines()[1:]])
    assert sorted(labels.tolist()) == sorted(raw.tolist())
    report = diabetes.job.report("report/validation.json")
    assert report["task"] == "regression"
    assert report["profile"]["label"] == pytest.approx(
        {"minimum": raw.min(), "maximum": raw.max(), "mean": raw.mean(), "std": raw.std(ddof=1)}
    )


def test_parts_of_numbers_have_their_share_of_the_rows(diabetes: Asked) -> None:
    splits = diabetes.job.report("report/validation.json")["splits"]
    assert splits == pytest.approx({"train": 442 * 0.6, "validation": 442 * 0.2, "test": 442 * 0.2}, abs=1)


@pytest.fixture
def three(job: Job) -> Job:
    job.settings = iris_settings()
    return job


@pytest.fixture
def number(job: Job) -> Job:
    job.settings = diabetes_settings()
    return job


def relabelled(raw: str, old: str, new: str, *, kept: int) -> str:
    """Give all rows of a class but `kept` of them another label."""
    header, *lines = raw.splitlines()
    places = [place for place, line in enumerate(lines) if line.endswith(old)][kept:]
    return "\n".join([header, *(line.replace(old, new) if at in places else line for at, line in enumerate(lines))])


def test_every_class_that_is_too_rare_is_named(three: Job) -> None:
    raw = relabelled(relabelled(flowers(), "virginica", "setosa", kept=9), "versicolor", "setosa", kept=0)
    messages = [each["message"] for each in three.violations(raw, "class-balance")]
    assert len(messages) == 2
    assert messages[0].startswith("no row has the label 'versicolor'")
    assert messages[1].startswith("6.00% of the rows have the label 'virginica', at least 20.00% must")


def test_a_number_that_is_no_number_blank_or_out_of_range_is_named(number: Job) -> None:
    lines = patients().splitlines()
    for line, value in ((4, ""), (7, "much"), (9, "401")):
        lines[line] = lines[line].rpartition(",")[0] + f",{value}"
    rules = {each["rule"]: each["rows"] for each in number.prepare("\n".join(lines))["violations"]}
    assert rules == {"missing-label": [5], "type": [8], "range": [10]}


def test_the_same_number_in_every_row_teaches_nothing(number: Job) -> None:
    rows = [[*line.split(",")[:-1], "5"] for line in patients().splitlines()[1:]]
    violation = number.violation(as_csv(rows, diabetes_columns()))
    assert (violation["rule"], violation["column"]) == ("class-balance", "progression")
    assert "the label is 5 in every row" in violation["message"]


def test_parts_without_two_different_numbers_are_named(number: Job) -> None:
    rows = [[*line.split(",")[:-1], "5"] for line in patients().splitlines()[1:]]
    rows[0][-1] = "6"
    messages = [each["message"] for each in number.prepare(as_csv(rows, diabetes_columns()))["violations"]]
    assert len(messages) == 2
    assert all("do not have two different labels" in message for message in messages)


def test_data_that_is_not_fit_leaves_nothing_to_score(three: Job) -> None:
    assert not three.prepare(relabelled(flowers(), "virginica", "setosa", kept=0))["passed"]
    assert (three.base / "output" / "score").is_dir()
    assert list((three.base / "output" / "score").iterdir()) == []


def test_twins_with_different_classes_are_contradicting(three: Job) -> None:
    header, *lines = flowers().splitlines()
    raw = "\n".join([header, *lines, lines[0].replace("setosa", "virginica")])
    three.settings["gates"]["data"]["maximum_duplicate_share"] = 0.5
    before = three.prepare(flowers())["profile"]["duplicates"]
    after = three.prepare(raw)["profile"]["duplicates"]
    assert (after["rows"], after["contradicting"]) == (before["rows"] + 1, before["contradicting"] + 2)


@pytest.mark.parametrize("label", [{"type": "ignore"}, {"type": "category", "categories": ["a"]}])
def test_a_label_that_cannot_be_predicted_is_refused(three: Job, label: Document) -> None:
    three.settings["data"]["columns"]["species"] = label
    with pytest.raises(JobError, match="the label 'species' must"):
        three.parsed_settings()


def test_a_label_that_is_a_whole_number_is_a_number(job: Job) -> None:
    job.settings["data"]["label"] = "age"
    job.settings["data"]["columns"]["churned"]["missing"] = False
    report = job.prepare(as_csv(customers(300)))
    assert (report["task"], report["passed"]) == ("regression", True)
    assert {line.partition(",")[0] for line in job.lines("train")} <= {str(age) for age in range(18, 91)}


def test_the_order_of_rows_of_numbers_does_not_change_the_files(number: Job) -> None:
    header, *lines = patients().splitlines()
    number.prepare("\n".join([header, *lines]))
    before = {part: number.lines(part) for part in PARTS}
    number.prepare("\n".join([header, *reversed(lines)]))
    assert {part: number.lines(part) for part in PARTS} == before


def test_flowers_have_the_columns_of_their_settings() -> None:
    assert tuple(iris_settings()["data"]["columns"]) == FLOWER
