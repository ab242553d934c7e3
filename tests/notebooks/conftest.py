from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.notebooks.sandbox_world import Sandbox, opened


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox in which a test may spoil something."""
    with opened(tmp_path) as made:
        yield made
