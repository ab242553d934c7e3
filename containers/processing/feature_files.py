"""The encoding of the rows for the model: label first, numbers only, no header, a missing number as an empty cell.

A label that is a category is its place in the list: 0, 1, ...; one that is a number stays as it is.

The built-in algorithm's CSV reader takes an empty cell as missing in training (xgboost's text parser skips it) and in
serving (the container turns it into NaN). A blank category is 0 in all columns of its one-hot encoding.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from job_settings import Column, JobSettings, Kind

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from table import Table

BLOCK_ROWS = 10_000
_EXACT_WHOLE = 2.0**53


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One column of the encoded files, after the label."""

    name: str
    column: str
    encoding: str
    category: str | None = None

    def document(self) -> dict[str, Any]:
        """Return the feature in the form of features.json."""
        return {"name": self.name, "column": self.column, "encoding": self.encoding, "category": self.category}


def features(settings: JobSettings) -> list[Feature]:
    """List the features in the order of the encoded files: columns and categories as declared."""
    found = []
    for column in settings.features:
        if column.kind is Kind.CATEGORY:
            found += [
                Feature(name=f"{column.name}={category}", column=column.name, encoding="one-hot", category=category)
                for category in column.categories
            ]
        else:
            found.append(Feature(name=column.name, column=column.name, encoding="numeric"))
    return found


def features_document(settings: JobSettings) -> dict[str, Any]:
    """Return the document features.json."""
    return {
        "version": 1,
        "label": settings.label.name,
        "features": [each.document() for each in features(settings)],
    }


def write_rows(
    path: Path, table: Table, rows: npt.NDArray[np.int64], settings: JobSettings, *, label: bool = True
) -> None:
    """Write the encoded `rows` of the table; without their label, as a model is asked."""
    columns = (settings.label, *settings.features)
    with path.open("w", encoding="ascii", newline="\n") as handle:
        for start in range(0, len(rows), BLOCK_ROWS):
            block = table.values[rows[start : start + BLOCK_ROWS]]
            texts = [
                encode(column, block[:, place], label=place == 0)
                for place, column in enumerate(columns)
                if label or place
            ]
            handle.writelines(",".join(cells) + "\n" for cells in zip(*texts, strict=True))


def write_requests(path: Path, table: Table, rows: npt.NDArray[np.int64], settings: JobSettings) -> None:
    """Write the `rows` of the table as a caller sends them, behind their encoded label: words, not codes."""
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        for start in range(0, len(rows), BLOCK_ROWS):
            block = table.values[rows[start : start + BLOCK_ROWS]]
            texts = [encode(settings.label, block[:, 0], label=True)]
            texts += [_as_sent(column, block[:, place]) for place, column in enumerate(settings.features, start=1)]
            writer.writerows(zip(*texts, strict=True))


def _as_sent(column: Column, values: npt.NDArray[np.float64]) -> list[str]:
    if column.kind is not Kind.CATEGORY:
        return [_number(value) for value in values.tolist()]
    return ["" if value != value else column.categories[int(value)] for value in values.tolist()]  # noqa: PLR0124 - NaN


def encode(column: Column, values: npt.NDArray[np.float64], *, label: bool = False) -> list[str]:
    """Return the cells of a column for each row; those of a category together, one for each of its words."""
    if column.kind is not Kind.CATEGORY or label:
        return [_number(value) for value in values.tolist()]
    width = len(column.categories)
    codes = [_one_hot(width, place) for place in range(width)]
    blank = _one_hot(width, None)
    return [blank if value != value else codes[int(value)] for value in values.tolist()]  # noqa: PLR0124 - NaN


def _one_hot(width: int, place: int | None) -> str:
    return ",".join("1" if each == place else "0" for each in range(width))


def _number(value: float) -> str:
    """Write a number with as many digits as it needs, and nothing for NaN."""
    if value != value:  # noqa: PLR0124 - NaN
        return ""
    return str(int(value)) if value.is_integer() and abs(value) <= _EXACT_WHOLE else repr(value)
