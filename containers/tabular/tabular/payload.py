"""The bodies of requests: rows of numbers as CSV or JSON.

Well-formed bodies are read at once: what is left of the body when all characters of numbers are taken out is known
beforehand, and simdjson reads the numbers. Everything else is read cell by cell, to say what is wrong with which cell,
or to find that it is unusual (quotes, a leading plus sign) and not wrong.
"""

from __future__ import annotations

import csv
import math
import struct
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import simdjson

from tabular.cells import LARGEST, number, shown

if TYPE_CHECKING:
    import numpy.typing as npt

    Rows = npt.NDArray[np.float32]

_NUMERIC = b"0123456789.-+eE \t"
_JSON_NUMERIC = _NUMERIC + b"\r\n"
_KEY = b"instances"
_BARE_KEY = _KEY.translate(None, _JSON_NUMERIC)


_SURE = 1e76
"""The square of what every float32 can hold."""
_PARSER_LIMIT = 1_000_000
"""A parser keeps memory for the largest body that it has read; for larger bodies there is a new one each time."""


class _Parsers(threading.local):
    """A parser for each thread: parsers cannot be shared."""

    def __init__(self) -> None:
        self.parser = simdjson.Parser()


_PARSERS = _Parsers()


class PayloadError(Exception):
    """A body is malformed; the message names row and column."""


class SingleRow:
    """Reads bodies of one row without numpy, whose calls take longer than reading one row does."""

    def __init__(self, features: int) -> None:
        """Know the number of columns."""
        self._line = b"," * (features - 1)
        self._document = b'{"' + _BARE_KEY + b'":[[' + self._line + b"]]}"
        self._floats = struct.Struct(f"{features}f")

    def csv(self, body: bytes) -> tuple[float, ...] | None:
        """Return the row, rounded to float32; None if the body is another one or has to be looked at closely."""
        text = body[:-1] if body.endswith(b"\n") else body
        if text.translate(None, _NUMERIC) != self._line:
            return None
        try:
            return self._rounded(list(map(float, text.split(b","))))
        except ValueError:
            return None

    def json(self, body: bytes) -> tuple[float, ...] | None:
        """Return the row, rounded to float32; None if the body is another one or has to be looked at closely."""
        if body.translate(None, _JSON_NUMERIC) != self._document:
            return None
        try:
            return self._rounded(orjson.loads(body)["instances"][0])
        except (ValueError, LookupError):
            return None

    def _rounded(self, cells: list[float]) -> tuple[float, ...] | None:
        try:
            row = self._floats.unpack(self._floats.pack(*cells))
        except (OverflowError, struct.error):
            return None
        return None if math.inf in row or -math.inf in row else row


def read_csv(body: bytes, features: int) -> Rows:
    """Return the rows of a CSV body: numbers only, no header line; the last line may end or not.

    Raises:
        PayloadError: the body is malformed.

    """
    if b"\r" in body:
        body = body.replace(b"\r\n", b"\n")
    bones = body.translate(None, _NUMERIC)
    if not bones.endswith(b"\n"):
        bones += b"\n"
        body += b"\n"
    count = len(bones) // features
    if bones == (b"," * (features - 1) + b"\n") * count:
        rows = _numbers(b"[" + body[:-1].replace(b"\n", b",") + b"]", None, count, features)
        if rows is not None:
            return rows
    return _slow_csv(body, features)


def read_json(body: bytes, features: int) -> Rows:
    """Return the rows of a JSON body, `{"instances": [[...], ...]}`.

    Raises:
        PayloadError: the body is malformed.

    """
    bones = body.translate(None, _JSON_NUMERIC)
    count = bones.count(b"[") - 1
    row = b"[" + b"," * (features - 1) + b"],"
    if bones == b'{"' + _BARE_KEY + b'":[' + (row * count)[:-1] + b"]}":
        rows = _numbers(body, _KEY.decode(), count, features)
        if rows is not None:
            return rows
    return _slow_json(body, features)


def _numbers(text: bytes, key: str | None, count: int, features: int) -> Rows | None:
    """Return the numbers of a JSON array as rows; None if there is another thing in it, or a number too large."""
    try:
        parser = _PARSERS.parser if len(text) < _PARSER_LIMIT else simdjson.Parser()
        document: Any = parser.parse(text)
        array = document if key is None else document[key]
        found = np.frombuffer(array.as_buffer(of_type="d"))
    except (ValueError, TypeError, KeyError, AttributeError, RuntimeError):
        return None
    if len(found) != count * features or not count:
        return None
    # One product tells in nearly all cases that no number is too large.
    if not found.dot(found) <= _SURE and not -LARGEST <= found.min() <= found.max() <= LARGEST:
        return None
    return found.astype(np.float32).reshape(count, features)


def _slow_csv(body: bytes, features: int) -> Rows:
    try:
        lines = body.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        row = body.count(b"\n", 0, error.start) + 1
        column = body[: error.start].rpartition(b"\n")[2].count(b",") + 1
        msg = f"row {row}, column {column}: the body is no UTF-8"
        raise PayloadError(msg) from None
    if lines[-1] == "" and len(lines) > 1:
        lines.pop()
    rows = []
    for row, line in enumerate(lines, 1):
        cells = _cells(line, row)
        if len(cells) != features:
            raise PayloadError(_width(row, len(cells), features))
        rows.append([_cell(text, row, column) for column, text in enumerate(cells, 1)])
    return np.array(rows, dtype=np.float32)


def _cells(line: str, row: int) -> list[str]:
    if '"' not in line:
        return line.split(",") if line.strip() else []
    try:
        return next(csv.reader([line], strict=True))
    except (csv.Error, StopIteration) as error:
        column = line[: line.index('"')].count(",") + 1
        msg = f"row {row}, column {column}: quotation marks are wrong: {error}"
        raise PayloadError(msg) from None


def _cell(text: str, row: int, column: int) -> float:
    try:
        return number(text)
    except ValueError as error:
        msg = f"row {row}, column {column}: the cell {error}"
        raise PayloadError(msg) from None


def _width(row: int, found: int, features: int) -> str:
    if found == 0:
        return f"row {row}, column 1: the row is empty; expected {features} columns"
    at = min(found, features) + 1
    return f"row {row}, column {at}: the row has {found} columns; expected {features}"


def _slow_json(body: bytes, features: int) -> Rows:
    try:
        document: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        msg = f"the body is no JSON: {error}"
        raise PayloadError(msg) from None
    instances = document.get("instances") if isinstance(document, dict) else None
    if not isinstance(instances, list):
        msg = f'the body is {shown(document)}; expected {{"instances": [[...], ...]}}'
        raise PayloadError(msg)
    if not instances:
        msg = "row 1, column 1: there are no rows in instances"
        raise PayloadError(msg)
    rows = []
    for row, cells in enumerate(instances, 1):
        if not isinstance(cells, list):
            msg = f"row {row}, column 1: the row is {shown(cells)}; expected a list of {features} numbers"
            raise PayloadError(msg)
        if len(cells) != features:
            raise PayloadError(_width(row, len(cells), features))
        rows.append([_json_cell(value, row, column) for column, value in enumerate(cells, 1)])
    return np.array(rows, dtype=np.float32)


def _json_cell(value: object, row: int, column: int) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        what = "is missing" if value is None else f"is {shown(value)}, which is no number"
        msg = f"row {row}, column {column}: the cell {what}"
        raise PayloadError(msg)
    if not abs(value) <= LARGEST:
        msg = f"row {row}, column {column}: the cell is {shown(value)}, which is too large (the limit is 3.4e38)"
        raise PayloadError(msg)
    return float(value)
