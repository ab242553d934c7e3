"""Raw rows of a request as the features that prepare makes of the same rows: by the same checks and the same encoding.

A row that prepare would not take stops the request; all that is wrong is told at once.
"""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any, NoReturn

from data_checks import check_cells
from feature_files import encode
from findings import Findings, shown
from job import nearest
from job_settings import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from job_settings import Column

_SHOWN_ROWS = 3


class RequestError(Exception):
    """The rows of a request cannot be encoded; one argument for each fault, in words."""


class RowEncoder:
    """Encodes rows of the features among `columns`; where columns are named, ignored ones may stand there too."""

    def __init__(self, columns: Sequence[Column]) -> None:
        """Take the columns of the raw data in the declared order, without the label."""
        self._features = [each for each in columns if each.kind is not Kind.IGNORE]
        self._names = [each.name for each in self._features]
        self._known = {each.name for each in columns}

    def from_csv(self, text: str) -> str:
        """Encode lines of cells in the order of the features, without a header.

        Raises:
            RequestError: they are no rows of these columns.

        """
        try:
            rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        except csv.Error as error:
            _refuse(f"cells cannot be told apart ({error}); close every quote and double quotes inside")
        while rows and not rows[-1]:
            rows.pop()
        width = len(self._features)
        if uneven := [f"row {place} has {len(row)}" for place, row in enumerate(rows, start=1) if len(row) != width]:
            listed = ", ".join(uneven[:_SHOWN_ROWS]) + (" and so on" if len(uneven) > _SHOWN_ROWS else "")
            _refuse(f"each row must have {width} cells, {','.join(self._names)}; {listed}")
        return self._encoded(rows)

    def from_json(self, text: str) -> str:
        """Encode `{"instances": [{"<column>": <value>}]}`; a column without a value is null, or left out.

        Raises:
            RequestError: it is something else, or has no rows of these columns.

        """
        try:
            document = json.loads(text, parse_constant=_no_number)
        except ValueError as error:
            _refuse(f"the body is not JSON: {error}")
        instances = document.get("instances") if isinstance(document, dict) else None
        if not isinstance(instances, list) or not all(isinstance(each, dict) for each in instances):
            _refuse('the body must be {"instances": [{"<column>": <value>, ...}, ...]}')
        faults = [
            fault for place, each in enumerate(instances, start=1) for fault in self._faults(f"row {place}", each)
        ]
        if faults:
            raise RequestError(*faults)
        return self._encoded([[_text(each.get(name)) for name in self._names] for each in instances])

    def _faults(self, row: str, instance: dict[str, Any]) -> list[str]:
        faults = []
        for name, value in instance.items():
            if name not in self._known:
                twin = nearest(name, self._names)
                hint = f"did you mean {shown(twin)}?" if twin else f"known: {', '.join(self._names)}"
                faults.append(f"{row} has the column {shown(name)}, which the model does not know; {hint}")
            elif isinstance(value, bool | list | dict):
                faults.append(f"{row}: the column '{name}' must be a text, a number or null")
        return faults

    def _encoded(self, rows: Sequence[Sequence[str]]) -> str:
        if not rows:
            _refuse("there is no row")
        findings = Findings()
        places = range(1, len(rows) + 1)
        texts = []
        for column, cells in zip(self._features, zip(*rows, strict=True), strict=True):
            found = check_cells(column, cells, places, findings)
            # Adding 0 turns -0 into 0, as in prepare.
            texts.append(encode(column, found.values + 0.0))
        if findings:
            raise RequestError(*(str(each["message"]) for each in findings.document()))
        return "".join(",".join(cells) + "\n" for cells in zip(*texts, strict=True))


def _refuse(fault: str) -> NoReturn:
    raise RequestError(fault)


def _no_number(word: str) -> NoReturn:
    msg = f"{word} is no number; a missing value is null"
    raise ValueError(msg)


def _text(value: float | str | None) -> str:
    """Return a JSON value as the cell of a file."""
    if value is None:
        return ""
    return value if isinstance(value, str) else repr(value)
