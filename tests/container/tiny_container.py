"""A container that keeps every rule, copied to where a test may break it."""

from __future__ import annotations

import shutil
from pathlib import Path

from mlops.container import checker, engines, sample
from mlops.container.context import Context
from mlops.container.dockerfile import parse
from mlops.container.engines import Rung
from mlops.container.rules import Finding, Part, Status
from mlops.container.running import Limits
from mlops.container.store import StoredImage

TINY = Path(__file__).with_name("tiny")
TRAIN, SERVE, DOCKERFILE = "program/train", "program/serve", "Dockerfile"
SHORT = Limits(training=20.0, training_end=1.0, start=1.5, answer=10.0, serving_end=1.5)


def tiny(folder: Path, *changes: tuple[str, str, str]) -> Path:
    """Copy the container to `folder`; a change is a file, a text in it, and what takes its place."""
    shutil.copytree(TINY, folder, dirs_exist_ok=True)
    for name, old, new in changes:
        path = folder / name
        text = path.read_text()
        assert old in text, f"{name} holds no {old!r}"
        path.write_text(text.replace(old, new))
    return folder


def built(container: Path, rung: Rung = Rung.BUBBLEWRAP) -> StoredImage:
    context = Context.at(container)
    return engines.engine(rung).build(context, parse(context.dockerfile))


def findings(container: Path, *, only: Part | None = None, rung: Rung = Rung.BUBBLEWRAP) -> dict[str, Finding]:
    image, context = built(container, rung), Context.at(container)
    found = checker.check(image, parse(context.dockerfile), sample.read(container), only=only, limits=SHORT)
    assert len({one.rule.name for one in found}) == len(found)
    return {one.rule.name: one for one in found}


def with_status(found: dict[str, Finding], status: Status) -> set[str]:
    return {name for name, one in found.items() if one.status is status}
