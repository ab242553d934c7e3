"""The training data: CSV files of numbers, the label first, no header line."""

from __future__ import annotations

import csv
import hashlib
import json
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tabular.cells import LARGEST, number
from tabular.contract import TrainingError
from tabular.hyperparameters import Task

if TYPE_CHECKING:
    import numpy.typing as npt

_SHOWN = 5
_MOST_CLASSES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """The rows of one channel."""

    name: str
    features: npt.NDArray[np.float32]
    labels: npt.NDArray[np.float64]

    @property
    def digest(self) -> str:
        """Return what stays the same as long as the rows do."""
        digest = hashlib.sha256(repr(self.features.shape).encode())
        for array in (self.features, self.labels):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def check_job(configuration: Path) -> None:
    """Refuse what SageMaker can be asked for and this program cannot do.

    Raises:
        TrainingError: there are other hosts, or a channel comes in another way than as CSV files.

    """
    hosts = _read(configuration / "resourceconfig.json").get("hosts", [])
    mistakes = []
    if isinstance(hosts, list) and len(hosts) > 1:
        mistakes.append(f"{len(hosts)} instances were started and one trains; set the instance count to 1")
    for name, channel in _read(configuration / "inputdataconfig.json").items():
        if not isinstance(channel, dict):
            mistakes.append(f"inputdataconfig.json says of the channel {name} no object")
            continue
        mode, kind = channel.get("TrainingInputMode", "File"), channel.get("ContentType") or "text/csv"
        if mode == "Pipe":
            mistakes.append(f"the channel {name} is a pipe; set its input mode to File or FastFile")
        if str(kind).partition(";")[0].strip() not in {"text/csv", "csv"}:
            mistakes.append(f"the content type of the channel {name} is {kind}; expected text/csv")
    if mistakes:
        raise TrainingError("; ".join(mistakes))


def read(folder: Path, task: Task) -> Channel:
    """Read all files of a channel, by the order of their names.

    Raises:
        TrainingError: there are none, or a cell cannot be used; the message names file, row and column.

    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    if not any(path.stat().st_size for path in paths):
        msg = f"the channel {folder.name} is empty: there are no rows in {folder}; give the channel a CSV file"
        raise TrainingError(msg)
    tables = [_table(path) for path in paths if path.stat().st_size]
    widths = {table.shape[1] for table in tables}
    if len(widths) > 1:
        msg = f"the files of the channel {folder.name} have {' and '.join(map(str, sorted(widths)))} columns"
        msg += "; give all of them the same columns"
        raise TrainingError(msg)
    table = np.concatenate(tables)
    if table.shape[1] == 1:
        msg = f"the rows of the channel {folder.name} have one column; expected the label and at least one feature"
        raise TrainingError(msg)
    channel = Channel(name=folder.name, features=table[:, 1:].astype(np.float32), labels=table[:, 0].copy())
    if task is Task.CLASSIFICATION:
        _check_classes(channel)
    return channel


def check_together(train: Channel, validation: Channel, task: Task) -> None:
    """Check that both channels are of one kind, and that training sees every class.

    Raises:
        TrainingError: they are not, or it does not.

    """
    mine, theirs = train.features.shape[1], validation.features.shape[1]
    if mine != theirs:
        msg = f"the channel train has {mine} features and the channel validation {theirs}; give both the same columns"
        raise TrainingError(msg)
    if task is Task.CLASSIFICATION and (unseen := set(validation.labels) - set(train.labels)):
        msg = f"the channel validation has the classes {_list(unseen)}, which the channel train has not"
        msg += "; split the data again, stratified by the label"
        raise TrainingError(msg)


def check_labels(train: Channel, task: Task) -> None:
    """Check that there is something to learn.

    Raises:
        TrainingError: there is one class only, or classes between the first and the last are missing.

    """
    if task is Task.REGRESSION:
        return
    classes = sorted(set(train.labels))
    if len(classes) == 1:
        msg = f"every label of the channel train is {int(classes[0])}; a classifier needs two classes or more"
        raise TrainingError(msg)
    if missing := set(range(int(classes[-1]) + 1)) - set(classes):
        msg = f"the channel train has no row of the classes {_list(missing)}"
        msg += "; number the classes 0, 1, 2 and so on, and give each of them rows"
        raise TrainingError(msg)


def _check_classes(channel: Channel) -> None:
    labels = channel.labels
    wrong = np.flatnonzero((labels != np.floor(labels)) | (labels < 0) | (labels >= _MOST_CLASSES))
    if len(wrong):
        at = int(wrong[0])
        msg = f"row {at + 1} of the channel {channel.name} has the label {labels[at]:g}"
        msg += f"; classes are whole numbers from 0 to {_MOST_CLASSES - 1}"
        msg += "; write task=regression if it is a number to predict"
        raise TrainingError(msg)


def _table(path: Path) -> npt.NDArray[np.float64]:
    """Read one file: at once if all is well, cell by cell to say what is wrong."""
    try:
        with path.open(encoding="utf-8") as file, warnings.catch_warnings(action="error"):
            table: npt.NDArray[np.float64] = np.loadtxt(file, delimiter=",", ndmin=2, dtype=np.float64, comments=None)
    except (ValueError, UserWarning):
        table = np.empty((0, 0))
    if not table.size or not np.isfinite(table).all() or np.abs(table[:, 1:]).max(initial=0) > LARGEST:
        return _cells(path)
    return table


def _cells(path: Path) -> npt.NDArray[np.float64]:
    mistakes: list[str] = []
    rows: list[list[float]] = []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row, cells in enumerate(csv.reader(file), 1):
                if not cells:
                    continue  # a blank line
                if rows and len(cells) != len(rows[0]):
                    mistakes.append(f"row {row} has {len(cells)} columns where the first has {len(rows[0])}")
                    cells = cells[: len(rows[0])] + ["0"] * (len(rows[0]) - len(cells))  # noqa: PLW2901 - go on
                rows.append([_cell(text, row, column, mistakes) for column, text in enumerate(cells, 1)])
    except (csv.Error, UnicodeDecodeError) as error:
        mistakes.append(f"it is no CSV file in UTF-8: {error}")
    if not rows and not mistakes:
        mistakes.append("it has no rows")
    if mistakes:
        more = f"; and {len(mistakes) - _SHOWN} more mistakes" if len(mistakes) > _SHOWN else ""
        msg = f"{path.parent.name}/{path.name}: {'; '.join(mistakes[:_SHOWN])}{more}"
        msg += "; expected numbers only, the label first, no header line"
        raise TrainingError(msg)
    return np.array(rows)


def _cell(text: str, row: int, column: int, mistakes: list[str]) -> float:
    try:
        return number(text)
    except ValueError as error:
        what = "the label" if column == 1 else "the cell"
        mistakes.append(f"row {row}, column {column}: {what} {error}")
        return 0.0


def _list(classes: Iterable[float]) -> str:
    whole = sorted(int(one) for one in classes)
    shown = ", ".join(map(str, whole[:_SHOWN]))
    return f"{shown} and {len(whole) - _SHOWN} more" if len(whole) > _SHOWN else shown


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        msg = f"{path} is no JSON: {error}"
        raise TrainingError(msg) from None
    if not isinstance(found, dict):
        msg = f"{path} is no JSON object"
        raise TrainingError(msg)
    return found
