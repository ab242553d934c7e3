"""The rows of a request are encoded as the program that prepares the training data encodes them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import feature_files
import job_settings
import table
from findings import Findings
from lambdas.api.catalogue import Model, read
from lambdas.api.encoding import Encoder
from mlops.rehearsal import sample_data
from mlops_constructs.api_catalogue import catalogue
from mlops_constructs.settings import EnvironmentName, load_settings

CONFIG = Path(__file__).resolve().parents[2] / "config"
SETTINGS = load_settings(CONFIG)
ROWS = 400


def model_of(name: str, *, raw: bool = False) -> Model:
    document = catalogue([SETTINGS.models[name]], project="mlops", environment=EnvironmentName.PROD)
    document["models"][0]["raw"] = raw
    return read(document).models[0]


def instance(model: Model, row: dict[str, str]) -> dict[str, Any]:
    """A row of the data as somebody sends it: numbers as numbers, a blank as null or not at all."""
    found: dict[str, Any] = {}
    for place, column in enumerate(model.columns):
        text = row[column.name]
        if text.strip():
            found[column.name] = json.loads(text) if column.type in {"number", "integer"} else text
        elif place % 2:
            found[column.name] = None
    return found


def prepared(folder: Path, name: str, text: str) -> list[str]:
    """What prepare writes for the rows, without the label."""
    settings = SETTINGS.models[name].model_dump(mode="json")
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "data.csv").write_text(text)
    job = job_settings.read_settings(folder / "settings.json")
    findings = Findings()
    rows = table.read_table(folder / "data.csv", job, findings, scratch=folder)
    assert not findings
    feature_files.write_rows(folder / "out.csv", rows, np.arange(len(rows.lines)), job, label=False)
    return (folder / "out.csv").read_text().splitlines()


def sample(name: str) -> tuple[str, list[dict[str, str]]]:
    lines = sample_data.extract(SETTINGS.models[name], version=2).splitlines()[: ROWS + 1]
    text = "\n".join(lines) + "\n"
    return text, list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("name", ["churn", "iris", "abalone"])
def test_rows_are_encoded_as_prepare_encodes_them(name: str, tmp_path: Path) -> None:
    text, rows = sample(name)
    model = model_of(name)
    body, faults = Encoder(model).encode([instance(model, row) for row in rows])
    assert faults == []
    expected = prepared(tmp_path, name, text)
    assert len(expected) >= 100
    assert body.decode().split("\n") == expected


def test_an_endpoint_with_a_preprocessor_gets_the_rows_as_they_are() -> None:
    _, rows = sample("churn")
    model = model_of("churn", raw=True)
    body, faults = Encoder(model).encode([instance(model, row) for row in rows])
    assert faults == []
    names = [column.name for column in model.features]
    for line, row in zip(csv.reader(io.StringIO(body.decode())), rows, strict=True):
        for cell, name in zip(line, names, strict=True):
            assert cell == row[name] or float(cell) == float(row[name])


@pytest.mark.parametrize(
    ("value", "cell"),
    [(-0.0, "0"), (3, "3"), (0.1, "0.1"), (1e-7, "1e-07"), (2**53, "9007199254740992"), (1e22, "1e+22"), (12.0, "12")],
)
def test_numbers_are_written_with_as_many_digits_as_they_need(value: float, cell: str) -> None:
    column = {"name": "x", "type": "number"}
    document = {
        "environment": "prod",
        "models": [
            {
                "name": "m",
                "description": "",
                "endpoint": "e",
                "serving": "real-time",
                "at_once": True,
                "task": "regression",
                "label": "y",
                "classes": [],
                "columns": [column],
            }
        ],
    }
    body, faults = Encoder(read(document).models[0]).encode([{"x": value}])
    assert (body.decode(), faults) == (cell, [])
    assert feature_files._number(float(value) + 0.0) == cell  # noqa: SLF001 - the function whose twin is tested
