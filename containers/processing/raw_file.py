"""Reading of the raw CSV file in blocks of rows; faults of its form become findings, never exceptions.

The standard library's parser is used, not pandas: it keeps every cell as it was written (pandas turns "NA", "nan" and
"1e999" into numbers or gaps before anyone can object) and it knows the line on which a record starts, also where a
quoted cell spans lines. It also starts a second faster.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from findings import Findings, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLOCK_ROWS = 10_000
_UNDECODABLE = re.compile("[\udc80-\udcff]")
_FOREIGN_FORMATS = {
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"\x1f\x8b": "compressed with gzip",
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"PAR1": "a Parquet file",
}


@dataclass(slots=True)
class Block:
    """Some rows of the file, all with as many cells as the header."""

    lines: list[int] = field(default_factory=list)
    """The line of the file on which each row starts; the header is line 1."""
    rows: list[list[str]] = field(default_factory=list)


class RawFile:
    """A CSV file with a header line, UTF-8, cells separated by commas."""

    def __init__(self, path: Path, findings: Findings) -> None:
        """Take the file at `path`; what is wrong with its form goes to `findings`."""
        self._path = path
        self._findings = findings
        self.header: list[str] = []
        self.row_count = 0
        """Rows seen so far, unreadable ones included."""

    def blocks(self) -> Iterator[Block]:
        """Read the file; `header` is set before the first block comes, and the first block may be empty."""
        if foreign := self._foreign_format():
            fault = f"the file is {foreign}, not comma-separated text"
            self._findings.add(Rule.SCHEMA, fault, "save it as CSV in UTF-8")
            yield Block()
            return
        # surrogateescape keeps bytes that are no UTF-8, so that all their lines can be named.
        with self._path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as handle:
            records = self._records(handle)
            self.header = [_clean(name) for name in next(records, (1, []))[1]]
            if not self.header and not self._findings:
                self._findings.add(Rule.SCHEMA, "the file is empty", "upload a file with a header line and rows")
            block = Block()
            for line, cells in records:
                block.lines.append(line)
                block.rows.append(cells)
                if len(block.rows) == BLOCK_ROWS:
                    yield block
                    block = Block()
            yield block

    def _foreign_format(self) -> str | None:
        with self._path.open("rb") as handle:
            start = handle.read(4)
        return next((name for magic, name in _FOREIGN_FORMATS.items() if start.startswith(magic)), None)

    def _records(self, handle: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
        """Yield line and cells of each record; the first one is the header."""
        reader = csv.reader(self._decoded(handle), strict=True)
        width = 0
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                fault = f"cells cannot be told apart ({error})"
                self._findings.add_rows(Rule.SCHEMA, fault, "close every quote and double quotes inside", lines=[line])
                if not width:
                    return
                self.row_count += 1
                continue
            if not cells:
                continue
            if not width:
                width = len(cells)
                yield line, cells
                continue
            self.row_count += 1
            if len(cells) == width:
                yield line, cells
            else:
                self._count_fault(line, len(cells), width)

    def _count_fault(self, line: int, cells: int, width: int) -> None:
        fault = f"the row has not the {width} cells of the header"
        remedy = "put a value that holds a comma or a line break in double quotes"
        self._findings.add_rows(Rule.SCHEMA, fault, remedy, lines=[line], seen=[f"{cells} cells"])

    def _decoded(self, handle: Iterator[str]) -> Iterator[str]:
        """Pass the lines on and record those with bytes that are not UTF-8."""
        for number, line in enumerate(handle, start=1):
            if not line.isascii() and (match := _UNDECODABLE.search(line)):
                byte = f"byte 0x{ord(match.group()) - 0xDC00:02x}"
                self._findings.add_rows(
                    Rule.SCHEMA, "the text is not UTF-8", "save the file as UTF-8", lines=[number], seen=[byte]
                )
            yield line


def _clean(name: str) -> str:
    """Replace bytes that are not UTF-8 by the replacement character: names end up in JSON."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def repeated(names: list[str]) -> list[str]:
    """Return the names that occur more than once."""
    return [name for name, count in Counter(names).items() if count > 1]
