from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.settings.settings_mistakes import VALID

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Provide a copy of valid settings that a test may spoil."""
    return shutil.copytree(VALID, tmp_path / "config")
