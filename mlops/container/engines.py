"""The ladder: the ways in which an image can be built and run, from the real thing to the mere programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from mlops.container.context import Context
from mlops.container.dockerfile import Dockerfile
from mlops.container.errors import EngineError
from mlops.container.store import StoredImage, Variation


class Rung(StrEnum):
    """The engines, best first."""

    DOCKER = "docker"
    BUILDAH = "buildah"
    BUBBLEWRAP = "bubblewrap"
    PREFIX = "prefix"


class Engine(Protocol):
    """Builds, runs and pushes images."""

    isolates: bool
    """Whether read-only root, missing network and user are real on it."""
    real: bool
    """Whether what it builds is an image that a registry can hold."""

    def unavailable(self, dockerfile: Dockerfile) -> str | None:
        """Return why it cannot build this Dockerfile on this machine; None if it can."""
        ...

    def build(self, context: Context, dockerfile: Dockerfile) -> StoredImage:
        """Build the image and keep it in the store."""
        ...

    def run(
        self,
        image: StoredImage,
        words: Sequence[str],
        *,
        workspace: Path,
        environment: Mapping[str, str],
        network: bool,
        variation: Variation,
        port: int | None,
    ) -> tuple[list[str], dict[str, str]]:
        """Return command and environment with which this machine runs `words` in the image."""
        ...

    def socket(self, workspace: Path) -> Path | None:
        """Return the socket that leads to the port of a serving program; None if the port itself is reached."""
        ...

    def push(self, image: StoredImage, *, uri: str, user: str, password: str) -> str:
        """Push the image as `uri` (registry/repository:tag) and return its digest there."""
        ...


def engine(rung: str) -> Engine:
    """Return the engine of a rung."""
    return cast("Engine", import_module(f"mlops.container.engine_{Rung(rung)}"))


def best(dockerfile: Dockerfile, *, wanted: str | None = None) -> tuple[Rung, list[str]]:
    """Return the best rung that this machine has, and why it is none of the better ones.

    Raises:
        EngineError: the rung that was asked for cannot be used.

    """
    reasons: list[str] = []
    for rung in [Rung(wanted)] if wanted else list(Rung):
        reason = engine(rung).unavailable(dockerfile)
        if reason is None:
            return rung, reasons
        reasons.append(f"{rung}: {reason}")
    msg = f"the image cannot be built on this machine ({'; '.join(reasons)})"
    raise EngineError(msg)
