"""The data that a rehearsal uploads: generated, shipped with a package, or the user's own file."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from mlops.rehearsal import sample_abalone, sample_customers
from mlops.rehearsal.faults import Fault
from mlops_constructs.settings import ModelSettings

_FIRST_SHARE = 0.8
"""How much of a data set the first, smaller extract has."""
_SHUFFLED_SHARE = 0.9
"""How many labels the data of a worse challenger has exchanged with each other."""
_SEED = 11

Table = tuple[list[str], list[list[str]]]


class _Generator(Protocol):
    def __call__(self, *, version: int, rows: int | None = None, fault: Fault | None = None) -> str: ...


class NoSampleError(LookupError):
    """There is no data that a rehearsal of a model could upload; the text says what to do."""


def extract(
    model: ModelSettings, *, version: int, rows: int | None = None, fault: Fault | None = None, own: str | None = None
) -> str:
    """Return CSV with a header for `model`: an early, smaller extract (version 1), or the whole; or what a fault needs.

    `rows` is the size of generated data. `own` is data to use instead of generated data.

    Raises:
        NoSampleError: the model has no generated data and `own` is not given.

    """
    require(model, own)
    if own is None and model.name in _GENERATED:
        return _GENERATED[model.name](version=version, rows=rows, fault=fault)
    header, lines = _read(own) if own is not None else _PACKAGED[model.name]()
    lines = _shuffled(lines)
    if version == 1:
        lines = _stratified(lines, header.index(model.data.label)) if model.task != "regression" else lines
        lines = lines[: max(1, round(len(lines) * _FIRST_SHARE))]
    spoil(lines, header.index(model.data.label), fault)
    return _written(header, lines)


def require(model: ModelSettings, own: str | None) -> None:
    """Refuse a model that has no generated data when none is given, and data without the column that is predicted.

    Raises:
        NoSampleError: with what to do.

    """
    if own is None:
        if model.name not in _GENERATED and model.name not in _PACKAGED:
            known = ", ".join((*_GENERATED, *_PACKAGED))
            msg = f"data is generated for {known} only, not for {model.name}; add --data FILE, a CSV with a header"
            raise NoSampleError(msg)
        return
    header, lines = _read(own)
    if model.data.label not in header:
        first, label = ",".join(header), model.data.label
        msg = f"--data: the first line, {first!r}, has no column {label!r}, the label of {model.name}"
        raise NoSampleError(msg)
    short = next((number for number, line in enumerate(lines, start=2) if len(line) != len(header)), None)
    if short is not None or not lines:
        what = f"line {short} has another number of values than the header" if short else "there are no rows"
        msg = f"--data: {what}"
        raise NoSampleError(msg)


def spoil(lines: list[list[str]], label: int, fault: Fault | None) -> None:
    """Put the fault into the rows where it is one of data: a blank label, or labels that belong to other rows."""
    if fault is Fault.BLANK_LABEL:
        lines[len(lines) // 2][label] = ""
    elif fault is Fault.WORSE_CHALLENGER:
        random = np.random.default_rng(_SEED)
        wrong = np.flatnonzero(random.random(len(lines)) < _SHUFFLED_SHARE)
        labels = [lines[index][label] for index in random.permutation(wrong)]
        for index, value in zip(wrong, labels, strict=True):
            lines[index][label] = value


def _read(text: str) -> Table:
    rows = [row for row in csv.reader(io.StringIO(text)) if row]
    return (rows[0], rows[1:]) if rows else ([], [])


def _written(header: list[str], lines: list[list[str]]) -> str:
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerows([header, *lines])
    return target.getvalue()


def _shuffled(lines: list[list[str]]) -> list[list[str]]:
    order = np.random.default_rng(_SEED).permutation(len(lines))
    return [list(lines[index]) for index in order]


def _stratified(lines: list[list[str]], label: int) -> list[list[str]]:
    """Order the rows so that every beginning has the classes in the proportion of the whole."""
    seen: dict[str, int] = {}
    total: dict[str, int] = {}
    for line in lines:
        total[line[label]] = total.get(line[label], 0) + 1
    keyed = []
    for position, line in enumerate(lines):
        seen[line[label]] = seen.get(line[label], 0) + 1
        keyed.append((seen[line[label]] / total[line[label]], position))
    return [lines[position] for _, position in sorted(keyed)]


def _iris() -> Table:
    """Fisher's iris flowers, as scikit-learn ships them: 150 rows, three species."""
    from sklearn.datasets import load_iris  # noqa: PLC0415 - takes a second to import

    bunch: Any = load_iris()
    names = [str(name) for name in bunch.target_names]
    header = ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]
    return header, [
        [*(f"{value:g}" for value in values), names[label]]
        for values, label in zip(bunch.data, bunch.target, strict=True)
    ]


def _diabetes() -> Table:
    """Progression of diabetes in 442 patients, as scikit-learn ships it, not scaled."""
    from sklearn.datasets import load_diabetes  # noqa: PLC0415 - takes a second to import

    bunch: Any = load_diabetes(scaled=False)
    return [*bunch.feature_names, "progression"], [
        [*(f"{value:g}" for value in values), f"{target:g}"]
        for values, target in zip(bunch.data, bunch.target, strict=True)
    ]


_GENERATED: dict[str, _Generator] = {"abalone": sample_abalone.extract, "churn": sample_customers.extract}
_PACKAGED: dict[str, Callable[[], Table]] = {"iris": _iris, "diabetes": _diabetes}
