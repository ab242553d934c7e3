"""The raw data as numbers: read block by block, checked on the way, kept in a temporary file instead of memory."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import numpy as np

from data_checks import check_cells, check_header
from job_settings import Column, JobSettings, Kind
from raw_file import Block, RawFile

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from findings import Findings

DIGEST_BYTES = 8
DISTINCT_LIMIT = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoredColumn:
    """What is known of a column that the model does not see."""

    count: int
    missing: int
    distinct: int
    """At most `DISTINCT_LIMIT`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The rows of the raw file: the label first, then the features in the declared order.

    Numbers are as written, a category is its place in the list of categories, and a cell that is blank or unusable
    is NaN. Rows whose cells could not be counted are left out.
    """

    values: npt.NDArray[np.float64]
    lines: npt.NDArray[np.int64]
    digests: npt.NDArray[np.uint64]
    """A keyed hash of each row's features: equal for equal features, and random otherwise."""
    usable: npt.NDArray[np.bool_]
    """Whether every cell of the row can be used."""
    unusable_cells: npt.NDArray[np.int64]
    """For each column, how many cells hold something that cannot be used."""
    ignored: dict[str, IgnoredColumn]
    present: frozenset[str]
    """The declared columns that the file has."""
    row_count: int
    """Rows of the file, unreadable ones included."""


def read_table(path: Path, settings: JobSettings, findings: Findings, *, scratch: Path) -> Table:
    """Read and check the raw file; the numbers are kept in an unnamed file in `scratch`, 8 bytes a cell."""
    columns = (settings.label, *settings.features)
    raw = RawFile(path, findings)
    key = str(settings.shares.seed).encode()
    with tempfile.TemporaryFile(dir=scratch) as spool:
        reader = _Reader(settings, columns, findings, spool, key)
        for block in raw.blocks():
            reader.read(block, raw.header)
        return reader.table(raw.row_count)


class _Reader:
    def __init__(
        self, settings: JobSettings, columns: tuple[Column, ...], findings: Findings, spool: IO[bytes], key: bytes
    ) -> None:
        self._columns = columns
        self._declared = settings.columns
        self._findings = findings
        self._spool = spool
        self._key = key
        self._positions: dict[str, int] | None = None
        self._lines: list[npt.NDArray[np.int64]] = []
        self._digests: list[npt.NDArray[np.uint64]] = []
        self._usable: list[npt.NDArray[np.bool_]] = []
        self._unusable_cells = np.zeros(len(columns), dtype=np.int64)
        self._ignored = {each.name: _IgnoredCells() for each in self._declared if each.kind is Kind.IGNORE}

    def read(self, block: Block, header: list[str]) -> None:
        if self._positions is None:
            self._positions = check_header(header, self._declared, self._findings) if header else {}
        if not block.rows:
            return
        cells = list(zip(*block.rows, strict=True))
        values = np.full((len(block.rows), len(self._columns)), np.nan)
        usable = np.ones(len(block.rows), dtype=np.bool_)
        for place, column in enumerate(self._columns):
            if column.name not in self._positions:
                continue
            text = cells[self._positions[column.name]]
            found = check_cells(column, text, block.lines, self._findings, label=place == 0)
            # Adding 0 turns -0 into 0, which is the same number with other bytes.
            values[:, place] = found.values + 0.0
            may_be_blank = column.missing and place > 0
            usable &= ~found.unusable if may_be_blank else ~np.isnan(found.values)
            self._unusable_cells[place] += int(found.unusable.sum())
        for name, ignored in self._ignored.items():
            if name in self._positions:
                ignored.see(cells[self._positions[name]])
        self._spool.write(values.tobytes())
        self._lines.append(np.array(block.lines, dtype=np.int64))
        self._digests.append(self._hashed(values[:, 1:]))
        self._usable.append(usable)

    def _hashed(self, features: npt.NDArray[np.float64]) -> npt.NDArray[np.uint64]:
        data, width = features.tobytes(), 8 * features.shape[1]
        digests = b"".join(
            hashlib.blake2b(data[start : start + width], digest_size=DIGEST_BYTES, key=self._key).digest()
            for start in range(0, len(features) * width, width)
        )
        return np.frombuffer(digests, dtype="<u8").astype(np.uint64)

    def table(self, row_count: int) -> Table:
        shape = (sum(map(len, self._lines)), len(self._columns))
        self._spool.flush()
        # The mapping outlives the file's handle; the space is freed with the last reference.
        values = np.memmap(self._spool, dtype=np.float64, mode="r", shape=shape) if shape[0] else np.empty(shape)
        return Table(
            values=values,
            lines=np.concatenate([np.empty(0, np.int64), *self._lines]),
            digests=np.concatenate([np.empty(0, np.uint64), *self._digests]),
            usable=np.concatenate([np.empty(0, np.bool_), *self._usable]),
            unusable_cells=self._unusable_cells,
            ignored={name: each.result() for name, each in self._ignored.items()},
            present=frozenset(self._positions or ()),
            row_count=row_count,
        )


class _IgnoredCells:
    def __init__(self) -> None:
        self._count = 0
        self._missing = 0
        self._values: set[str] = set()

    def see(self, cells: tuple[str, ...]) -> None:
        missing = sum(not cell.strip() for cell in cells)
        self._missing += missing
        self._count += len(cells) - missing
        if len(self._values) < DISTINCT_LIMIT:
            self._values.update(cell for cell in cells if cell.strip())

    def result(self) -> IgnoredColumn:
        distinct = min(len(self._values), DISTINCT_LIMIT)
        return IgnoredColumn(count=self._count, missing=self._missing, distinct=distinct)
