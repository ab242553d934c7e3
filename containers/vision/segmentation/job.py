"""The folders of a SageMaker job, its JSON documents, and the error that ends it with a reason."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FAILURE_BYTES = 1024
"""SageMaker shows this much of the failure file as the reason of a failed job."""


class JobError(Exception):
    """The reason why the job cannot do its work, written for the person who reads its status."""


@dataclass(frozen=True, kw_only=True)
class Folders:
    """Where SageMaker puts things and expects things."""

    base: Path

    @property
    def configuration(self) -> Path:
        """Where hyperparameters.json, inputdataconfig.json and resourceconfig.json are."""
        return self.base / "input" / "config"

    @property
    def model(self) -> Path:
        """What becomes model.tar.gz."""
        return self.base / "model"

    @property
    def output(self) -> Path:
        """What becomes output.tar.gz."""
        return self.base / "output" / "data"

    @property
    def checkpoints(self) -> Path:
        """What outlives an interruption."""
        return self.base / "checkpoints"

    @property
    def failure(self) -> Path:
        """Where the reason of a failure goes."""
        return self.base / "output" / "failure"

    def channel(self, name: str) -> Path | None:
        """Return the folder of a channel, or None where the job has no such channel."""
        folder = self.base / "input" / "data" / name
        return folder if folder.is_dir() else None


def folders() -> Folders:
    """Return the folders of this process: below /opt/ml, or below SAGEMAKER_BASE_DIR where that is set."""
    return Folders(base=Path(os.environ.get("SAGEMAKER_BASE_DIR") or "/opt/ml"))


def read_json(path: Path) -> Any:
    """Read a JSON document."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror}"
        raise JobError(msg) from error
    except (ValueError, RecursionError) as error:
        msg = f"{path.name} is not JSON: {error}"
        raise JobError(msg) from error


def write_json(path: Path, document: Any) -> None:
    """Write a JSON document, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    beside.replace(path)


def write_failure(path: Path, reason: str) -> None:
    """Keep the reason of a failure; of several processes that fail, the first one's stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("xb") as file:
            file.write(reason.encode()[:FAILURE_BYTES].decode(errors="ignore").encode())
    except FileExistsError:
        return


def nearest(word: str, words: Iterable[str]) -> str | None:
    """Name the word that `word` is most likely a misspelling of, or None where nothing is near."""
    matches = difflib.get_close_matches(word[:60].strip().lower(), list(words), n=1)
    return matches[0] if matches else None
