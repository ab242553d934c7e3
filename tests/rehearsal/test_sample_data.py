"""The data that a rehearsal uploads for each model."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path

import pytest

from mlops.rehearsal import sample_data
from mlops.rehearsal.faults import Fault
from mlops.rehearsal.project import ROOT
from mlops_constructs.settings import ModelSettings, load_settings

OWN = "kind,size\n" + "".join(f"{'ab'[number % 2]},{number}\n" for number in range(40))


@pytest.fixture(scope="module")
def models() -> dict[str, ModelSettings]:
    return load_settings(ROOT / "config").models


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("name", ["abalone", "churn", "iris", "diabetes"])
def test_the_columns_are_those_of_the_settings(models: dict[str, ModelSettings], name: str) -> None:
    found = rows(sample_data.extract(models[name], version=2))
    assert list(found[0]) == list(models[name].data.columns)


def test_an_early_extract_is_smaller_and_has_the_classes_of_the_whole(models: dict[str, ModelSettings]) -> None:
    early, whole = (rows(sample_data.extract(models["iris"], version=version)) for version in (1, 2))
    assert Counter(row["species"] for row in early) == {"setosa": 40, "versicolor": 40, "virginica": 40}
    assert len(whole) == 150


def test_equal_questions_have_equal_answers(models: dict[str, ModelSettings]) -> None:
    first, second = (sample_data.extract(models["diabetes"], version=1) for _ in range(2))
    assert first == second


def test_a_blank_label_is_blank_in_one_row(models: dict[str, ModelSettings]) -> None:
    found = rows(sample_data.extract(models["diabetes"], version=2, fault=Fault.BLANK_LABEL))
    assert [row["progression"] for row in found].count("") == 1


def test_the_data_of_a_worse_challenger_has_the_same_labels_at_other_rows(models: dict[str, ModelSettings]) -> None:
    good, bad = (
        rows(sample_data.extract(models["iris"], version=2, fault=fault)) for fault in (None, Fault.WORSE_CHALLENGER)
    )
    assert Counter(row["species"] for row in good) == Counter(row["species"] for row in bad)
    assert sum(a != b for a, b in zip(good, bad, strict=True)) > 60


def test_data_of_ones_own_is_used_whole(models: dict[str, ModelSettings]) -> None:
    model = models["iris"].model_copy(update={"name": "own", "data": _data(models["iris"])})
    found = rows(sample_data.extract(model, version=2, own=OWN))
    assert sorted(int(row["size"]) for row in found) == list(range(40))


def test_a_model_without_generated_data_asks_for_a_file(models: dict[str, ModelSettings]) -> None:
    model = models["iris"].model_copy(update={"name": "own"})
    with pytest.raises(sample_data.NoSampleError, match="--data FILE"):
        sample_data.require(model, None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("size\n1\n", "no column 'kind'"),
        ("kind,size\n", "there are no rows"),
        ("kind,size\na,1\nb\n", "line 3 has another number of values"),
    ],
)
def test_data_that_cannot_be_used_is_refused_with_its_reason(
    models: dict[str, ModelSettings], text: str, words: str
) -> None:
    model = models["iris"].model_copy(update={"name": "own", "data": _data(models["iris"])})
    with pytest.raises(sample_data.NoSampleError, match=words):
        sample_data.require(model, text)


def _data(model: ModelSettings) -> object:
    return model.data.model_copy(update={"label": "kind"})


def test_the_file_is_read_with_the_errors_of_a_person(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from mlops.rehearse import rehearse  # noqa: PLC0415 - as the command does

    assert (
        rehearse(
            "churn", approve=True, keep=False, fault_name=None, report=tmp_path / "r.html", data=tmp_path / "absent.csv"
        )
        == 2
    )
    assert "absent.csv cannot be read" in capsys.readouterr().err
