"""The channels of a training job: which there are, whether the algorithm takes them, and the rows in their files."""

from __future__ import annotations

import math
import os
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops.rehearsal.xgboost_algorithm import content
from mlops.rehearsal.xgboost_algorithm.content import Content, content_of
from mlops.rehearsal.xgboost_algorithm.errors import AlgorithmFailure, PlatformError, UserError
from mlops.rehearsal.xgboost_algorithm.native import Matrix, XGBoostError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mlops.rehearsal.xgboost_algorithm.native import Floats, Integers

    Log = Callable[[str], None]

TRAIN, VALIDATION = "train", "validation"
_NAMES = (TRAIN, VALIDATION, "code")
_DISTRIBUTIONS = ("FullyReplicated", "ShardedByS3Key")
_REPORTED = 5
_DEEPEST = 3
_LARGEST_INDEX = 2**31 - 1


@dataclass(frozen=True)
class Data:
    """The rows of one channel."""

    matrix: Matrix
    labels: Floats


def problems(config: Mapping[str, Any]) -> list[AlgorithmFailure]:
    """List every reason why the algorithm would refuse the channels of `inputdataconfig.json`."""
    found: list[AlgorithmFailure] = []
    if TRAIN not in config:
        found.append(UserError(f"Missing required channel: {TRAIN}"))
    for name, channel in config.items():
        if name not in _NAMES:
            found.append(UserError(f"Extraneous channel found: {name}"))
        elif name == "code":
            found.append(PlatformError("channel 'code' asks for script mode, which this runner does not represent"))
        else:
            found += _problems_of(name, channel)
    return found


def _problems_of(name: str, channel: Mapping[str, Any]) -> Iterator[AlgorithmFailure]:
    try:
        kind = content_of(channel.get("ContentType"))
    except UserError as error:
        yield UserError(f"channel '{name}': {error.args[0]}")
        return
    mode = channel.get("TrainingInputMode", "File")
    distribution = channel.get("S3DistributionType", _DISTRIBUTIONS[0])
    if mode not in ("File", "Pipe") or distribution not in _DISTRIBUTIONS:
        yield UserError(f"Channel configuration for '{name}' channel is not supported: {dict(channel)}")
    elif mode == "Pipe" and kind is Content.LIBSVM:
        yield UserError("Pipe mode not supported for LibSVM.")
    elif mode == "Pipe":
        yield PlatformError(f"channel '{name}' asks for Pipe mode; this runner reads files: use TrainingInputMode File")
    elif kind not in (Content.CSV, Content.LIBSVM):
        yield PlatformError(f"channel '{name}' holds {kind.value}; this runner reads text/csv and text/libsvm only")


def read(folder: Path, kind: Content, *, channel: str, weights: bool, log: Log) -> Data:
    """Read every file of a channel.

    Raises:
        UserError: there is no data, or a row is not what the algorithm takes; file and row are named.

    """
    files = [file for file in _files(folder) if file.stat().st_size]
    if not files:
        msg = f"No data in {'training' if channel == TRAIN else channel} channel path {folder}"
        raise UserError(msg)
    rows = _CsvRows(weighted=weights, log=log) if kind is Content.CSV else _LibsvmRows()
    for file in files:
        rows.read(file)
    if rows.count_of_problems:
        more = rows.count_of_problems - len(rows.problems)
        listed = "; ".join([*rows.problems, *([f"and {more} more"] if more else [])])
        msg = f"Failed to load {kind.value} data of channel '{channel}': {listed}"
        raise UserError(msg)
    if not rows.labels:
        msg = f"No data in {'training' if channel == TRAIN else channel} channel path {folder}"
        raise UserError(msg)
    try:
        matrix = rows.matrix()
        matrix.describe("label", rows.labels)
        if rows.weights:
            matrix.describe("weight", rows.weights)
    except XGBoostError as error:
        msg = f"Failed to load {kind.value} data with exception:\n{error}"
        raise UserError(msg) from error
    return Data(matrix=matrix, labels=rows.labels)


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        if len(Path(place).relative_to(folder).parts) > _DEEPEST:
            msg = f"Folder depth exceed the limit: {_DEEPEST}."
            raise UserError(msg)
        folders.sort()
        yield from (Path(place) / name for name in sorted(names) if not name.startswith((".", "_")))


@dataclass
class _Rows:
    """The rows read so far, and what is wrong with them."""

    labels: Floats = field(default_factory=lambda: array("f"))
    weights: Floats = field(default_factory=lambda: array("f"))
    values: Floats = field(default_factory=lambda: array("f"))
    problems: list[str] = field(default_factory=list)
    count_of_problems: int = 0

    def read(self, file: Path) -> None:
        with file.open(encoding="utf-8", errors="replace") as lines:
            for number, text in enumerate(lines, start=1):
                line = text.strip("\r\n")
                if line.strip():
                    self.add(file, number, line)

    def add(self, file: Path, number: int, line: str) -> None:
        raise NotImplementedError

    def matrix(self) -> Matrix:
        raise NotImplementedError

    def report(self, file: Path, number: int, problem: str) -> None:
        self.count_of_problems += 1
        if len(self.problems) < _REPORTED:
            self.problems.append(f"file '{file.name}' row {number}: {problem}")


@dataclass(kw_only=True)
class _CsvRows(_Rows):
    """Label first, then the weight if there is one, then the features; no header."""

    weighted: bool
    log: Log
    delimiter: str = ""
    columns: int = 0

    def read(self, file: Path) -> None:
        with file.open(encoding="utf-8", errors="replace") as lines:
            first = lines.readline()
        self.delimiter = content.sniff(first)
        if self.delimiter.isalnum():
            msg = f"Could not determine delimiter on line {first[:50].rstrip()}: it has one column"
            raise UserError(msg)
        self.log(f"Determined delimiter of CSV input is '{self.delimiter}'")
        super().read(file)

    def add(self, file: Path, number: int, line: str) -> None:
        cells = line.split(self.delimiter)
        first = 2 if self.weighted else 1
        self.columns = self.columns or len(cells)
        if len(cells) != self.columns or len(cells) <= first:
            self.report(file, number, f"{len(cells)} columns where {max(self.columns, first + 1)} are expected")
            return
        try:
            row = content.numbers(cells)
        except ValueError:
            self.report(file, number, _not_numbers(cells, number))
            return
        if not all(map(math.isfinite, row[:first])):
            self.report(file, number, f"the {'label or the weight' if self.weighted else 'label'} is blank")
            return
        self.labels.append(row[0])
        if self.weighted:
            self.weights.append(row[1])
        self.values.extend(row[first:])

    def matrix(self) -> Matrix:
        return Matrix.dense(self.values, columns=self.columns - (2 if self.weighted else 1))


def _not_numbers(cells: Sequence[str], number: int) -> str:
    wrong = []
    for column, cell in enumerate(cells, start=1):
        try:
            content.numbers([cell])
        except ValueError:
            wrong.append((column, cell))
    column, cell = wrong[0]
    hint = " (the algorithm takes CSV without a header)" if number == 1 and wrong[0][0] == 1 else ""
    return f"{cell[:50]!r} in column {column} is not a number{hint}"


@dataclass
class _LibsvmRows(_Rows):
    """`label[:weight] index:value index:value ...`."""

    starts: Integers = field(default_factory=lambda: array("Q", [0]))
    indices: Integers = field(default_factory=lambda: array("I"))
    columns: int = 0

    def read(self, file: Path) -> None:
        _check_libsvm(file)
        super().read(file)

    def add(self, file: Path, number: int, line: str) -> None:
        label, *cells = line.split()
        text, colon, weight = label.partition(":")
        try:
            row = content.entries(cells)
            described = [float(text), float(weight) if colon else 1.0]
        except ValueError as error:
            self.report(file, number, str(error))
            return
        if not all(map(math.isfinite, described)) or any(index > _LARGEST_INDEX for index, _ in row):
            self.report(file, number, "the label, the weight or an index is out of range")
            return
        self.labels.append(described[0])
        self.weights.append(described[1])
        self.indices.extend(index for index, _ in row)
        self.values.extend(value for _, value in row)
        self.starts.append(len(self.values))
        self.columns = max([self.columns, *(index + 1 for index, _ in row)])

    def matrix(self) -> Matrix:
        if not self.columns:
            msg = "Failed to load libsvm data: no row has a feature"
            raise UserError(msg)
        return Matrix.sparse(self.starts, self.indices, self.values, columns=self.columns)


def _check_libsvm(file: Path) -> None:
    """Check the first line that has features, which is all that the container checks beforehand."""
    with file.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            label, *cells = line.split(" ")
            try:
                parts = [float(part) for part in label.split(":")]
                fits = len(parts) <= 2 and all(":" in cell for cell in cells)  # noqa: PLR2004 - label and weight
            except ValueError:
                fits = False
            if not fits:
                msg = (
                    f"First line '{line[:50].rstrip()}...' of file '{file.name}' is not 'LIBSVM' format. "
                    "Please ensure the file is in 'LIBSVM' format."
                )
                raise UserError(msg)
            if len(cells) > 1:
                return
