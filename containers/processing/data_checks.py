"""The checks of the cells, column by column, and of the header."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from findings import Findings, Rule, shown
from job import nearest
from job_settings import Column, Kind
from raw_file import repeated

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NUMBER_CHARACTERS = frozenset("0123456789+-.eE ")
_LARGEST = float(np.finfo(np.float32).max)
_LARGEST_WHOLE = 2.0**53
_GAPS = frozenset({"na", "n/a", "nan", "null", "none", "nil", "-", "?"})
_SHOWN_NAMES = 5


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of one column as numbers: a category as its place in the list, blank and unusable ones as NaN."""

    values: npt.NDArray[np.float64]
    unusable: npt.NDArray[np.bool_]
    """Whether the cell holds something that is not what the column should hold."""

    @property
    def blank(self) -> npt.NDArray[np.bool_]:
        """Whether the cell holds nothing."""
        return np.isnan(self.values) & ~self.unusable


def check_header(header: Sequence[str], columns: Sequence[Column], findings: Findings) -> dict[str, int]:
    """Record what is wrong with the header; return the position of each declared column that is there.

    The order of the columns does not matter: they are found by name. A column of type ignore may be left out.
    """
    for name in repeated(list(header)):
        fault, remedy = f"the header names the column {shown(name)} more than once", "rename or remove one of them"
        findings.add(Rule.SCHEMA, fault, remedy, column=name)
    declared = [each.name for each in columns]
    wanted = [each.name for each in columns if each.kind is not Kind.IGNORE]
    positions = {name: header.index(name) for name in declared if name in header}
    extra = [name for name in dict.fromkeys(header) if name not in declared]
    if not positions.keys() & set(wanted):
        names = ", ".join(shown(name) for name in header[:_SHOWN_NAMES])
        fault = f"no declared column is in the first line, which begins with {names}"
        findings.add(Rule.SCHEMA, fault, f"begin the file with a header line like {','.join(wanted[:_SHOWN_NAMES])}")
        return {}
    for name in wanted:
        if name in positions:
            continue
        twin = nearest(name, extra)
        if twin:
            extra.remove(twin)
        hint = f", but the header has {shown(twin)}" if twin else ""
        remedy = f"rename it to '{name}'" if twin else "add it, or remove it from data.columns of the model's settings"
        findings.add(Rule.SCHEMA, f"the column '{name}' is missing{hint}", remedy, column=name)
    for name in extra:
        remedy = "declare it in data.columns of the model's settings; type ignore keeps it out of the training"
        findings.add(Rule.SCHEMA, f"the column {shown(name)} is not declared", remedy, column=name)
    return positions


def check_cells(
    column: Column, cells: Sequence[str], lines: Sequence[int], findings: Findings, *, label: bool = False
) -> Cells:
    """Turn the cells of a column into numbers and record every one that breaks a rule."""
    if column.kind is Kind.CATEGORY:
        found = _categories(column, cells, lines, findings)
    else:
        found = _numbers(column, cells, lines, findings)
        _check_range(column, found.values, cells, lines, findings)
    blank = _at(lines, found.blank)
    if label:
        fault, remedy = f"the label '{column.name}' is blank", "give each of these rows its label, or remove it"
        findings.add_rows(Rule.MISSING_LABEL, fault, remedy, lines=blank, column=column.name)
    elif not column.missing:
        fault = f"the column '{column.name}' is blank"
        remedy = "fill it in, or allow it with 'missing: true' in the model's settings"
        findings.add_rows(Rule.MISSING_VALUE, fault, remedy, lines=blank, column=column.name)
    return found


def _categories(column: Column, cells: Sequence[str], lines: Sequence[int], findings: Findings) -> Cells:
    places = {category: float(place) for place, category in enumerate(column.categories)}
    values = np.array([places.get(cell, np.nan) for cell in cells], dtype=np.float64)
    unusable = np.zeros(len(values), dtype=np.bool_)
    for index in np.flatnonzero(np.isnan(values)).tolist():
        unusable[index] = bool(cells[index].strip())
    if unusable.any():
        first = cells[int(np.argmax(unusable))]
        twin = nearest(first, column.categories)
        hint = f" (did you mean {shown(twin)}?)" if twin else ""
        allowed = ", ".join(shown(category) for category in column.categories)
        findings.add_rows(
            Rule.CATEGORY,
            f"the column '{column.name}' has an unknown category",
            f"allowed: {allowed}{hint}",
            lines=_at(lines, unusable),
            seen=_seen(cells, unusable),
            column=column.name,
        )
    return Cells(values, unusable)


def _numbers(column: Column, cells: Sequence[str], lines: Sequence[int], findings: Findings) -> Cells:
    values = _parse_fast(cells)
    text = np.zeros(len(cells), dtype=np.bool_)
    if values is None:
        values = np.array([_parse(cell) for cell in cells], dtype=np.float64)
        for index in np.flatnonzero(np.isnan(values)).tolist():
            text[index] = bool(cells[index].strip())
    huge = np.abs(values) > _LARGEST
    faults = [
        (text, "is not a number", _text_remedy(cells, text)),
        (huge, "is too large for the 32-bit numbers with which models compute", "use another unit"),
    ]
    if column.kind is Kind.INTEGER:
        with np.errstate(invalid="ignore"):
            broken = (values != np.floor(values)) & ~np.isnan(values) & ~huge
        long = (np.abs(values) > _LARGEST_WHOLE) & ~huge & ~broken
        faults += [
            (broken, "is not a whole number", "round it, or declare the column as type number"),
            (long, "is too large to be a quantity", "declare an identifier as type ignore"),
        ]
    unusable = np.zeros(len(cells), dtype=np.bool_)
    for mask, fault, remedy in faults:
        unusable |= mask
        findings.add_rows(
            Rule.TYPE,
            f"the column '{column.name}' {fault}",
            remedy,
            lines=_at(lines, mask),
            seen=_seen(cells, mask),
            column=column.name,
        )
    values[unusable] = np.nan
    return Cells(values, unusable)


def _parse_fast(cells: Sequence[str]) -> npt.NDArray[np.float64] | None:
    """Parse all cells at once, or return None where one of them needs a closer look."""
    if not _NUMBER_CHARACTERS.issuperset("".join(cells)):
        return None
    try:
        return np.array([float(cell) if cell else np.nan for cell in cells], dtype=np.float64)
    except ValueError:
        return None


def _parse(cell: str) -> float:
    text = cell.strip()
    return float(text) if _NUMBER.fullmatch(text) else np.nan


def _text_remedy(cells: Sequence[str], mask: npt.NDArray[np.bool_]) -> str:
    gaps = any(cells[index].strip().lower() in _GAPS for index in np.flatnonzero(mask).tolist())
    return "leave a missing value blank" if gaps else "write it like 12.5, without unit and thousands separator"


def _check_range(
    column: Column, values: npt.NDArray[np.float64], cells: Sequence[str], lines: Sequence[int], findings: Findings
) -> None:
    # A comparison with NaN is false: blank cells are in no range and out of none.
    outside = []
    if column.minimum is not None:
        outside.append((values < column.minimum, f"is below its minimum {column.minimum:.15g}"))
    if column.maximum is not None:
        outside.append((values > column.maximum, f"is above its maximum {column.maximum:.15g}"))
    for mask, fault in outside:
        findings.add_rows(
            Rule.RANGE,
            f"the column '{column.name}' {fault}",
            "correct the value, or the range in the model's settings",
            lines=_at(lines, mask),
            seen=_seen(cells, mask),
            column=column.name,
        )


def _at(lines: Sequence[int], mask: npt.NDArray[np.bool_]) -> list[int]:
    return [lines[index] for index in np.flatnonzero(mask).tolist()]


def _seen(cells: Sequence[str], mask: npt.NDArray[np.bool_]) -> list[str]:
    # Only the first few are ever shown.
    return [shown(cells[index]) for index in np.flatnonzero(mask)[:3].tolist()]
