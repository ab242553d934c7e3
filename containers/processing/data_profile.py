"""The description of the data that the run report shows: one entry per column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from job_settings import Column, JobSettings, Kind, Task

if TYPE_CHECKING:
    import numpy.typing as npt

    from splits import Duplicates
    from table import Table

BINS = 20
TOP = 10


def describe(table: Table, settings: JobSettings, duplicates: Duplicates) -> dict[str, Any]:
    """Describe the columns that the file has, the label, and the repeated rows.

    Of a column of type ignore only counts are told: it may hold names or other personal data.
    """
    columns: dict[str, Any] = {}
    places = {each.name: place for place, each in enumerate((settings.label, *settings.features))}
    for column in settings.columns:
        if column.name not in table.present:
            continue
        if column.kind is Kind.IGNORE:
            seen = table.ignored[column.name]
            entry = {"type": column.kind, "count": seen.count, "missing": seen.missing, "distinct": seen.distinct}
        else:
            place = places[column.name]
            entry = _column(column, np.array(table.values[:, place]), int(table.unusable_cells[place]))
        columns[column.name] = entry
    return {
        "columns": columns,
        "label": _label(table, settings),
        "duplicates": {
            "rows": duplicates.repeated,
            "share": duplicates.share,
            "contradicting": duplicates.contradicting,
            "treatment": "rows with equal features stay together in one split",
        },
    }


def class_counts(table: Table, settings: JobSettings) -> list[int]:
    """Count the rows of each class, in the order of the categories."""
    labels = np.array(table.values[:, 0])
    present = labels[~np.isnan(labels)].astype(np.int64)
    counts: list[int] = np.bincount(present, minlength=len(settings.label.categories)).tolist()
    return counts


def _label(table: Table, settings: JobSettings) -> dict[str, Any]:
    """Describe the label: rows of each class (of two: negative and positive), or how the numbers spread."""
    if settings.task is Task.REGRESSION:
        values = np.array(table.values[:, 0])
        return _numbers(values[~np.isnan(values)])
    names = ("negative", "positive") if settings.task is Task.BINARY else settings.label.categories
    return dict(zip(names, class_counts(table, settings), strict=True))


def _column(column: Column, values: npt.NDArray[np.float64], unusable: int) -> dict[str, Any]:
    """Describe the usable values of a column; `unusable` cells count neither as present nor as missing."""
    present = values[~np.isnan(values)]
    entry: dict[str, Any] = {
        "type": column.kind,
        "count": len(present),
        "missing": len(values) - len(present) - unusable,
        "distinct": len(np.unique(present)),
    }
    if column.kind is Kind.CATEGORY:
        counts = np.bincount(present.astype(np.int64), minlength=len(column.categories))
        order = np.argsort(-counts, kind="stable")[:TOP]
        entry["top"] = [[column.categories[place], int(counts[place])] for place in order if counts[place]]
        return entry
    entry |= _numbers(present)
    entry["histogram"] = _histogram(column, present)
    return entry


def _numbers(present: npt.NDArray[np.float64]) -> dict[str, float | None]:
    if not len(present):
        return {"minimum": None, "maximum": None, "mean": None, "std": None}
    return {
        "minimum": float(present.min()),
        "maximum": float(present.max()),
        "mean": float(present.mean()),
        "std": float(present.std(ddof=1)) if len(present) > 1 else 0.0,
    }


def _histogram(column: Column, present: npt.NDArray[np.float64]) -> dict[str, list[Any]]:
    """Count the values in bins of equal width; a whole number with few values gets one bin for each."""
    if not len(present):
        return {"edges": [], "counts": []}
    low, high = float(present.min()), float(present.max())
    edges: int | npt.NDArray[np.float64] = BINS
    if column.kind is Kind.INTEGER and high - low < BINS:
        edges = np.arange(low - 0.5, high + 1.0)
    counts, bounds = np.histogram(present, bins=edges)
    return {"edges": bounds.tolist(), "counts": counts.tolist()}
