"""A store of its own for each test, and the mark of those that need a sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops.container import sandbox, store
from mlops.rehearsal import processes


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "store"))
    processes.reopen()  # an emulated AWS that another test stopped allows none


@pytest.fixture
def _sandbox() -> None:
    if sandbox.program() is None:
        pytest.skip("bubblewrap is not installed, or the kernel allows no user namespaces")
