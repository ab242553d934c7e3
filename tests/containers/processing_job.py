"""A processing job in a folder of its own, and a small churn-like data set for it."""

from __future__ import annotations

import csv
import io
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import datasets

import prepare
from job_settings import JobSettings, read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

FLOWER = ("sepal_length", "sepal_width", "petal_length", "petal_width", "species")
HEADER = ("customer_id", "plan", "age", "charge", "churned")

Document = dict[str, Any]
Row = list[str]


def model_settings() -> Document:
    """Return the settings as a job gets them, in so far as the programs read them."""
    return {
        "name": "churn",
        "data": {
            "label": "churned",
            "columns": {
                "customer_id": {"type": "ignore"},
                "plan": {"type": "category", "categories": ["basic", "plus", "premium"], "missing": True},
                "age": {"type": "integer", "minimum": 18, "maximum": 120, "missing": False},
                "charge": {"type": "number", "minimum": 0.0, "maximum": None, "missing": True},
                "churned": {"type": "category", "categories": ["no", "yes"]},
            },
            "split": {"train": 0.7, "validation": 0.15, "test": 0.15, "seed": 42},
        },
        "gates": {
            "data": {"minimum_rows": 100, "minimum_class_share": 0.05, "maximum_duplicate_share": 0.01},
            "champion": {"metric": "auc", "margin": 0.0, "confidence": 0.95, "resamples": 200, "seed": 7},
        },
    }


def iris_settings() -> Document:
    """Return the settings of a model of three classes."""
    settings = model_settings()
    columns = {name: {"type": "number", "minimum": 0.0, "maximum": 10.0} for name in FLOWER[:4]}
    columns["species"] = {"type": "category", "categories": ["setosa", "versicolor", "virginica"]}
    split = {"train": 0.6, "validation": 0.2, "test": 0.2, "seed": 42}
    settings |= {"name": "iris", "data": {"label": "species", "columns": columns, "split": split}}
    settings["gates"]["data"] |= {"minimum_class_share": 0.2, "maximum_duplicate_share": 0.02}
    settings["gates"]["champion"]["metric"] = "accuracy"
    return settings


def diabetes_settings() -> Document:
    """Return the settings of a model that predicts a number."""
    settings = model_settings()
    columns: Document = {name: {"type": "number"} for name in datasets.load_diabetes()["feature_names"]}
    columns["progression"] = {"type": "number", "minimum": 0.0, "maximum": 400.0}
    split = {"train": 0.6, "validation": 0.2, "test": 0.2, "seed": 42}
    settings |= {"name": "diabetes", "data": {"label": "progression", "columns": columns, "split": split}}
    settings["gates"]["champion"]["metric"] = "rmse"
    return settings


def flowers() -> str:
    """Return the iris data that scikit-learn brings along."""
    data = datasets.load_iris()
    names = data["target_names"]
    rows = zip(data["data"].tolist(), data["target"].tolist(), strict=True)
    return as_csv([[*map(str, features), names[place]] for features, place in rows], FLOWER)


def patients() -> str:
    """Return the diabetes data that scikit-learn brings along."""
    data = datasets.load_diabetes()
    rows = zip(data["data"].tolist(), data["target"].tolist(), strict=True)
    return as_csv([[*map(repr, features), repr(label)] for features, label in rows], diabetes_columns())


def diabetes_columns() -> Sequence[str]:
    return (*datasets.load_diabetes()["feature_names"], "progression")


def customers(count: int, *, seed: int = 1) -> list[Row]:
    """Make rows in which plan, charge and age tell something about the label."""
    chance = random.Random(seed)  # noqa: S311 - test data
    rows = []
    for number in range(count):
        plan = chance.choice(["basic", "plus", "premium"])
        charge = round(chance.uniform(5, 120), 2)
        age = chance.randint(18, 90)
        leaves = chance.random() < 0.05 + 0.3 * (charge > 70) + 0.3 * (plan == "basic") + 0.3 * (age < 40)
        shown = "" if number % 50 == 7 else str(charge)
        rows.append([f"C{number:05d}", plan, str(age), shown, "yes" if leaves else "no"])
    return rows


def as_csv(rows: Sequence[Row], header: Sequence[str] = HEADER) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()


class Job:
    """One run of a program: its folders, as SageMaker lays them out, and what it left there."""

    def __init__(self, folder: Path, archive: Path) -> None:
        self.base = folder / "ml" / "processing"
        self.base.mkdir(parents=True)
        self._archive = archive
        self._settings_file = folder / "settings.json"
        self.settings = model_settings()

    def put(self, place: str, content: str | bytes | Path) -> None:
        path = self.base / "input" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content.read_bytes() if isinstance(content, Path) else content
        path.write_bytes(data.encode() if isinstance(data, str) else data)

    def parsed_settings(self) -> JobSettings:
        self._settings_file.write_text(json.dumps(self.settings), encoding="utf-8")
        return read_settings(self._settings_file)

    def run(self, step: str) -> subprocess.CompletedProcess[str]:
        """Run the program as the job does, in a process of its own."""
        self._settings_file.write_text(json.dumps(self.settings), encoding="utf-8")
        command = [sys.executable, str(self._archive), step, "--settings", str(self._settings_file)]
        return subprocess.run(
            [*command, "--base", str(self.base)], capture_output=True, text=True, check=False, timeout=120
        )

    def prepare(self, raw: str | bytes) -> Document:
        """Run prepare on a file with this content, in this process, and return its report."""
        self.put("raw/data.csv", raw)
        prepare.run(self.parsed_settings(), self.base)
        return self.report("report/validation.json")

    def violations(self, raw: str | bytes, rule: str) -> list[Document]:
        """Return the violations of one rule."""
        return [each for each in self.prepare(raw)["violations"] if each["rule"] == rule]

    def violation(self, raw: str | bytes) -> Document:
        """Return the violation of a file that must have exactly one."""
        violations = self.prepare(raw)["violations"]
        assert len(violations) == 1, violations
        found: Document = violations[0]
        return found

    def report(self, name: str) -> Document:
        document: Document = json.loads((self.base / "output" / name).read_text(encoding="utf-8"))
        return document

    def lines(self, part: str, name: str = "") -> list[str]:
        return (self.base / "output" / part / f"{name or part}.csv").read_text(encoding="ascii").splitlines()

    def cells(self, part: str, name: str = "") -> npt.NDArray[np.float64]:
        """Return the encoded rows of a part as numbers."""
        return np.array([[float(cell or "nan") for cell in line.split(",")] for line in self.lines(part, name)])

    @property
    def message(self) -> str:
        return (self.base.parent / "output" / "message").read_text(encoding="utf-8")
