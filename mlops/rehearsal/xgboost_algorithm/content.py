"""The content types of the algorithm, and how it reads lines of each."""

from __future__ import annotations

import csv
import math
from enum import StrEnum
from typing import TYPE_CHECKING

from mlops.rehearsal.xgboost_algorithm.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

SNIFFED_CHARACTERS = 512


class Content(StrEnum):
    """A format by the short name that the container uses for it."""

    CSV = "csv"
    LIBSVM = "libsvm"
    PARQUET = "parquet"
    RECORDIO_PROTOBUF = "recordio-protobuf"


ACCEPTED = {
    "csv": Content.CSV,
    "libsvm": Content.LIBSVM,
    "parquet": Content.PARQUET,
    "recordio-protobuf": Content.RECORDIO_PROTOBUF,
    "text/csv": Content.CSV,
    "text/libsvm": Content.LIBSVM,
    "text/x-libsvm": Content.LIBSVM,
    "application/x-parquet": Content.PARQUET,
    "application/x-recordio-protobuf": Content.RECORDIO_PROTOBUF,
}
"""What may stand as a content type, in the order in which the container lists it."""


def content_of(content_type: str | None) -> Content:
    """Read a content type, parameters included; without one the algorithm takes LibSVM.

    Raises:
        UserError: the algorithm does not take it.

    """
    if content_type is None:
        return Content.LIBSVM
    name, *parameters = (part.strip() for part in content_type.lower().split(";"))
    if name not in ACCEPTED:
        msg = f"{content_type} is not an accepted ContentType: {', '.join(ACCEPTED)}."
        raise UserError(msg)
    sizes = [value for key, _, value in (part.partition("=") for part in parameters) if key == "label_size"]
    if ACCEPTED[name] is Content.CSV and any(size != "1" for size in sizes):
        msg = f"{content_type} is not an accepted csv ContentType. Optional parameter label_size must be equal to 1"
        raise UserError(msg)
    return ACCEPTED[name]


def sniff(line: str) -> str:
    """Find the delimiter of a line of CSV the way the container does.

    Raises:
        UserError: there is none to be found.

    """
    try:
        return csv.Sniffer().sniff(line.rstrip("\r\n")).delimiter
    except csv.Error as error:
        msg = f"Could not determine delimiter on line {line[:50].rstrip()}:\n{error}"
        raise UserError(msg) from error


def numbers(cells: Sequence[str]) -> list[float]:
    """Read cells as numbers, a blank one as missing.

    Raises:
        ValueError: a cell holds something else.

    """
    try:
        return [float(cell) if cell else math.nan for cell in cells]
    except ValueError:
        return [float(cell) if cell.strip() else math.nan for cell in cells]


def entries(cells: Sequence[str]) -> list[tuple[int, float]]:
    """Read `index:value` cells of LibSVM.

    Raises:
        ValueError: a cell holds something else.

    """
    found = []
    for cell in cells:
        index, colon, value = cell.partition(":")
        if not colon or int(index) < 0:
            msg = f"{cell[:50]!r} is not index:value"
            raise ValueError(msg)
        found.append((int(index), float(value)))
    return found
