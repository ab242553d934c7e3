"""Packs the preprocessor of an inference pipeline: the columns of this run and the modules that encode its rows.

It belongs to the run as its model does, so a version that is brought back is asked with the features that it learned.
"""

from __future__ import annotations

import gzip
import importlib
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

from job_settings import column_document
from preprocess import COLUMNS

if TYPE_CHECKING:
    from pathlib import Path

    from job_settings import JobSettings

ARCHIVE = "model.tar.gz"
CODE = "code"
"""The folder of the archive that script mode looks into."""
MODULES = (
    "data_checks",
    "feature_files",
    "findings",
    "job",
    "job_settings",
    "preprocess",
    "raw_file",
    "row_encoder",
)


def write_archive(folder: Path, settings: JobSettings) -> None:
    """Write the archive into `folder`: the same bytes for the same columns and the same program."""
    columns = {each.name: column_document(each) for each in settings.columns if each.name != settings.label.name}
    files = {COLUMNS: json.dumps({"version": 1, "columns": columns}, indent=1)}
    files |= {f"{CODE}/{name}.py": _source(name) for name in MODULES}
    with (
        (folder / ARCHIVE).open("wb") as target,
        # Without a name and a time: both would be written into the archive.
        gzip.GzipFile(filename="", fileobj=target, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for name, text in files.items():
            content = text.encode()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))


def _source(name: str) -> str:
    """Return the source of a module, which lies in a folder or in the archive that this program runs from."""
    loader: Any = importlib.import_module(name).__loader__
    source: str = loader.get_source(name)
    return source
