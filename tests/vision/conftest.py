from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from segmentation.job import Folders
from segmentation.shapes import write_shapes

Job = Callable[..., Folders]


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight generated pictures of 64 x 64 pixels."""
    return write_shapes(tmp_path_factory.mktemp("shapes"), pictures=8, size=64, seed=5)


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """A folder that is emptied after the test: models and checkpoints have hundreds of megabytes."""
    yield tmp_path
    shutil.rmtree(tmp_path)


@pytest.fixture
def job(tmp_path: Path, shapes: Path) -> Job:
    """Makes the folders of a training job: `job(epochs="1")`, with the shapes as channel `training`."""

    def make(*, channels: dict[str, Path] | None = None, **hyperparameters: str) -> Folders:
        folders = Folders(base=tmp_path / "ml")
        folders.configuration.mkdir(parents=True)
        (folders.configuration / "hyperparameters.json").write_text(json.dumps(hyperparameters))
        (folders.base / "input" / "data").mkdir()
        for name, target in (channels or {"training": shapes}).items():
            (folders.base / "input" / "data" / name).symlink_to(target)
        return folders

    return make
