"""The sample that a container brings along: small data, hyperparameters and a request, in its folder sample/."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlops.container.errors import ContainerError

FOLDER = "sample"
TYPES = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".npy": "application/x-npy",
}
_EXPECTED = (
    "it holds the channels (train.csv or a folder train/, validation.csv, ...), hyperparameters.json and a request "
    "(request.csv: rows of features without header)"
)


@dataclass(frozen=True, slots=True)
class Sample:
    """What there is to try a container with."""

    channels: dict[str, Path]
    hyperparameters: dict[str, Any]
    request: Path
    request_json: Path | None = None
    bad_hyperparameters: dict[str, Any] | None = None
    long_hyperparameters: dict[str, Any] | None = None
    rows: list[list[str]] = field(default_factory=list)
    """The rows of a request in CSV."""

    @property
    def strings(self) -> dict[str, str]:
        """The hyperparameters as SageMaker passes them."""
        return as_strings(self.hyperparameters)

    @property
    def content_type(self) -> str:
        """The content type of the request."""
        return TYPES[self.request.suffix.lower()]


def as_strings(hyperparameters: dict[str, Any]) -> dict[str, str]:
    """Return hyperparameters as SageMaker passes them."""
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in hyperparameters.items()}


def typed(hyperparameters: dict[str, str]) -> dict[str, Any]:
    """Return what a program may expect by mistake: numbers where the strings are numbers."""

    def value(text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError:
            return text

    return {name: value(text) for name, text in hyperparameters.items()}


def read(container: Path) -> Sample:
    """Return the sample of the container in a folder.

    Raises:
        ContainerError: there is none, or it is incomplete.

    """
    folder = container / FOLDER
    if not folder.is_dir():
        msg = f"{container} has no folder {FOLDER}/ to try it with; {_EXPECTED}"
        raise ContainerError(msg)
    hyperparameters = _json(folder / "hyperparameters.json")
    if hyperparameters is None:
        msg = f"{folder} has no hyperparameters.json; {_EXPECTED}"
        raise ContainerError(msg)
    requests = sorted(path for path in folder.glob("request.*") if path.suffix.lower() in TYPES)
    if not requests:
        msg = f"{folder} has no request.csv (or request.json, request.png, ...); {_EXPECTED}"
        raise ContainerError(msg)
    request = next((path for path in requests if path.suffix == ".csv"), requests[0])
    channels = {
        path.name if path.is_dir() else path.stem: path
        for path in sorted(folder.iterdir())
        if path.is_dir() or (path.suffix == ".csv" and path.stem != "request")
    }
    if "train" not in channels:
        msg = f"{folder} has no channel train (train.csv or a folder train/); {_EXPECTED}"
        raise ContainerError(msg)
    return Sample(
        channels=channels,
        hyperparameters=hyperparameters,
        request=request,
        request_json=next((path for path in requests if path.suffix == ".json"), None),
        bad_hyperparameters=_json(folder / "bad-hyperparameters.json"),
        long_hyperparameters=_json(folder / "long-hyperparameters.json"),
        rows=_rows(request) if request.suffix == ".csv" else [],
    )


def _rows(path: Path) -> list[list[str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"{path} cannot be read: {error}"
        raise ContainerError(msg) from error
    if len(rows) < 2:  # noqa: PLR2004 - one row would not show that each has its line
        msg = f"{path} has {len(rows)} rows; at least 2 are needed to see that each gets its line"
        raise ContainerError(msg)
    return rows


def _json(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{path} cannot be read: {error}"
        raise ContainerError(msg) from error
    if not isinstance(content, dict):
        msg = f'{path} must hold a JSON object such as {{"depth": "5"}}'
        raise ContainerError(msg)
    return content
