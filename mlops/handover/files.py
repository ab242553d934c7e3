"""The three files of a candidate: what is wrong with them is found out before anything leaves this machine."""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import json
import math
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from mlops_constructs.settings import ColumnType, ModelSettings, Task
from mlops_constructs.settings.problems import listed, printable
from mlops_constructs.settings.xgboost_hyperparameters import nearest

LARGEST = 5 * 1024**3
"""What S3 takes in one upload."""
_LARGEST_REPORT = 8 * 1024**2
"""What the intake of the tools account reads."""
_GROUPS = {
    Task.BINARY: "binary_classification_metrics",
    Task.MULTICLASS: "multiclass_classification_metrics",
    Task.REGRESSION: "regression_metrics",
}
_FOREIGN = {
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"\x1f\x8b": "compressed with gzip",
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"PAR1": "a Parquet file",
}
_BLOCK = 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateFile:
    """One of the files, and its content in 32 bytes."""

    path: Path
    name: str
    """What it is called in the bucket."""
    size: int
    sha256: bytes

    @classmethod
    def read(cls, path: Path, name: str) -> CandidateFile:
        """Read the whole file."""
        with path.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").digest()
        return cls(path=path, name=name, size=path.stat().st_size, sha256=digest)

    @property
    def checksum(self) -> str:
        """The SHA-256 as S3 writes it."""
        return base64.b64encode(self.sha256).decode("ascii")


def problems_of_archive(path: Path, model: ModelSettings) -> Iterator[str]:
    """Say why `path` is no model archive of SageMaker; nothing is unpacked."""
    heads: dict[str, bytes] = {}
    try:
        # As a stream and to its end, so that a file that was cut off, or damaged anywhere, shows.
        with gzip.open(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                name = PurePosixPath(member.name)
                if name.is_absolute() or ".." in name.parts or not (member.isfile() or member.isdir()):
                    yield f"holds {printable(member.name)!r}, which cannot be unpacked into the folder of a model"
                elif member.isfile() and not name.name.startswith("."):
                    content = archive.extractfile(member)
                    heads[str(name)] = content.read(256) if content else b""
            while stream.read(_BLOCK):
                pass
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, OSError) as error:
        yield f"is not a readable .tar.gz: {_reason(error)}; pack it anew: tar -czf model.tar.gz -C FOLDER ."
        return
    if not any(heads.values()):
        yield "holds no model; put the files that serve into it, as a training job leaves them in /opt/ml/model"
    elif model.algorithm is not None:
        yield from _problems_of_xgboost(heads)


def _problems_of_xgboost(heads: dict[str, bytes]) -> Iterator[str]:
    """Require the one file that the built-in algorithm serves, in the format that it writes."""
    if len(heads) > 1:
        names = printable(listed(sorted(heads), most=5))
        yield f"holds {len(heads)} files, and the XGBoost of SageMaker serves one model: {names}"
        return
    [(name, head)] = heads.items()
    if not head.startswith(b"{") or b"learner" not in head:
        yield (
            f"holds {printable(name)!r}, which is not a model of XGBoost in UBJSON or JSON; "
            "write it with Booster.save_model('xgboost-model')"
        )


def problems_of_data(path: Path, model: ModelSettings) -> Iterator[str]:
    """Say why the CSV file at `path` cannot be the data of the model."""
    with path.open("rb") as raw:
        start = raw.read(4)
    foreign = next((name for magic, name in _FOREIGN.items() if start.startswith(magic)), None)
    if foreign is not None:
        yield f"is {foreign}, not comma-separated text; save it as CSV in UTF-8"
        return
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            records = csv.reader(handle)
            header, first = next(records, []), next(records, [])
    except (UnicodeDecodeError, csv.Error) as error:
        yield f"cannot be read as CSV in UTF-8: {_reason(error)}"
        return
    yield from _problems_of_header(header, model)
    if header and not first:
        yield "has a header and no rows; add the rows with which the model was trained and measured"


def _problems_of_header(header: list[str], model: ModelSettings) -> Iterator[str]:
    """Require the columns of the settings; their order is free, and those of type ignore may be left out."""
    columns = model.data.columns
    missing = [name for name, column in columns.items() if name not in header and column.type is not ColumnType.IGNORE]
    extra = [name for name in dict.fromkeys(header) if name not in columns]
    repeated = sorted({name for name in header if header.count(name) > 1})
    where = f"config/models/{model.name}.yaml"
    if len(missing) == sum(column.type is not ColumnType.IGNORE for column in columns.values()):
        yield f"has none of the columns of {where} in its first line; begin it with {','.join(columns)}"
        return
    for name in missing:
        twin = nearest(name, extra)
        hint = f"; did you write {printable(twin)!r}?" if twin else f"; add it, or remove it from {where}"
        extra = [each for each in extra if each != twin]
        yield f"lacks the column {name!r}{hint}"
    for name in extra:
        yield f"has the column {printable(name[:60])!r}, which {where} does not; remove it, or describe it there"
    for name in repeated:
        yield f"has the column {printable(name[:60])!r} more than once; remove all but one"


def problems_of_metrics(path: Path, model: ModelSettings) -> Iterator[str]:
    """Say why the file at `path` is not the report of an evaluation of the model."""
    made = "it is written by `containers/processing evaluate`"
    try:
        if path.stat().st_size > _LARGEST_REPORT:
            yield f"is larger than any evaluation.json; {made}"
            return
        report = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        yield f"is not JSON: {_reason(error)}; {made}"
        return
    if not isinstance(report, dict) or report.get("version") != 1:
        yield f"is not an evaluation.json of version 1; {made}"
    elif report.get("task") != model.task:
        task = printable(str(report.get("task"))[:60])
        yield f"is about a model of the task {task!r}, and the task of {model.name} is {model.task}"
    else:
        group, measured = _GROUPS[model.task], metrics_of(report, model)
        for metric in sorted({*model.gates.metrics, model.gates.champion.metric}):
            if metric not in measured:
                yield f"has no number for {metric} in {group}, which the gates of {model.name} need; {made}"


def metrics_of(report: dict[str, Any], model: ModelSettings) -> dict[str, float]:
    """Return the metrics in a report by name; what is no number is left out."""
    group = report.get(_GROUPS[model.task])
    found = {}
    for name, metric in group.items() if isinstance(group, dict) else ():
        value = metric.get("value") if isinstance(metric, dict) else None
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            found[name] = float(value)
    return found


def problems_of_file(
    path: Path, check: Callable[[Path, ModelSettings], Iterator[str]], model: ModelSettings
) -> list[str]:
    """List what is wrong with a file: first whether it can be read at all."""
    try:
        if not path.is_file():
            return ["is not a file" if path.exists() else "is not there"]
        size = path.stat().st_size
        if not 0 < size <= LARGEST:
            return [
                "is empty" if not size else f"has {size:,} bytes, and S3 takes 5 GiB in one upload; make it smaller"
            ]
        return list(check(path, model))
    except OSError as error:
        return [f"cannot be read: {_reason(error)}"]


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return printable(" ".join(text.split())[:200])
