"""Rows as the model takes them: the encoding of `containers/processing`, value by value, without NumPy.

A test sends the same rows through both. What prepare refuses in the data, this refuses in a request.
"""

from __future__ import annotations

import csv
import difflib
import io
from typing import TYPE_CHECKING

from lambdas.api.schemas import Fault
from lambdas.shared.text import clip

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lambdas.api.catalogue import Column, Model
    from lambdas.api.schemas import Value

LARGEST = (2 - 2.0**-23) * 2.0**127
"""Of the 32-bit numbers with which models compute."""
EXACT_WHOLE = 2.0**53
_SHOWN = 60
_SHOWN_CATEGORIES = 20


class Encoder:
    """Encodes the rows of one model."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._known = {column.name: column for column in model.columns}
        self._codes = {
            column.name: {word: _one_hot(len(column.categories), place) for place, word in enumerate(column.categories)}
            for column in model.features
            if column.type == "category"
        }

    def encode(self, instances: Sequence[Mapping[str, Value]]) -> tuple[bytes, list[Fault]]:
        """Return the body of the request to the endpoint, and every fault of every row; with faults, no body."""
        faults: list[Fault] = []
        rows = [self._row(row, f"/instances/{place}", faults) for place, row in enumerate(instances)]
        return (b"" if faults else _text(rows, quoted=self._model.raw)), faults

    def _row(self, row: Mapping[str, Value], pointer: str, faults: list[Fault]) -> list[str]:
        if not row.keys() <= self._known.keys():
            faults += self._unknown(row, pointer)
        cells = []
        for column in self._model.features:
            value = row.get(column.name)
            if value is None:
                if not column.missing:
                    what = "is null" if column.name in row else "is not there"
                    detail = f"{what}; allowed: {_allowed(column)}"
                    faults.append(Fault(pointer=f"{pointer}/{_escaped(column.name)}", detail=detail))
                cells.append(self._blank(column))
                continue
            cell = self._cell(column, value)
            if cell is None:
                detail = f"{_shown(value)} cannot stand here; allowed: {_allowed(column)}"
                faults.append(Fault(pointer=f"{pointer}/{_escaped(column.name)}", detail=detail))
            cells.append(cell or "")
        return cells

    def _cell(self, column: Column, value: Value) -> str | None:
        if column.type != "category":
            return _number(column, value)
        if not isinstance(value, str) or value not in self._codes[column.name]:
            return None
        return value if self._model.raw else self._codes[column.name][value]

    def _blank(self, column: Column) -> str:
        if column.type != "category" or self._model.raw:
            return ""
        return _one_hot(len(column.categories), None)

    def _unknown(self, row: Mapping[str, Value], pointer: str) -> Iterable[Fault]:
        for name in row.keys() - self._known.keys():
            near = difflib.get_close_matches(name, self._known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"leave it out; the columns are {', '.join(self._known)}"
            reason = "is what the model predicts, not one of its columns" if name == self._model.label else "is unknown"
            yield Fault(
                pointer=clip(f"{pointer}/{_escaped(name)}", length=200), detail=clip(f"{reason}; {hint}", length=500)
            )


def _number(column: Column, value: Value) -> str | None:
    """Write a number with as many digits as it needs; None for what is none, or out of its limits."""
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > LARGEST or value != value:  # noqa: PLR0124 - NaN
        return None
    number = float(value) + 0.0  # -0 is 0
    if column.minimum is not None and number < column.minimum:
        return None
    if column.maximum is not None and number > column.maximum:
        return None
    if column.type == "integer" and (not number.is_integer() or abs(number) > EXACT_WHOLE):
        return None
    return str(int(number)) if number.is_integer() and abs(number) <= EXACT_WHOLE else repr(number)


def _one_hot(width: int, place: int | None) -> str:
    return ",".join("1" if each == place else "0" for each in range(width))


def _text(rows: list[list[str]], *, quoted: bool) -> bytes:
    if not quoted:
        return "\n".join(",".join(cells) for cells in rows).encode()
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().rstrip("\n").encode() if any(map(len, rows)) else b""


def _allowed(column: Column) -> str:
    if column.type == "category":
        more = len(column.categories) - _SHOWN_CATEGORIES
        words = ", ".join(map(repr, column.categories[:_SHOWN_CATEGORIES])) + (f" and {more} more" if more > 0 else "")
        return f"{words}{' or null' if column.missing else ''}"
    kind = "a whole number" if column.type == "integer" else "a number"
    low = f" from {column.minimum:.15g}" if column.minimum is not None else ""
    high = f" up to {column.maximum:.15g}" if column.maximum is not None else ""
    return f"{kind}{low}{high}{' or null' if column.missing else ''}"


def _escaped(name: str) -> str:
    """Return a name as a part of a JSON Pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _shown(value: Value) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > LARGEST:
        return "a number of that size"  # written out it may have thousands of digits
    return clip(repr(value), length=_SHOWN)
