"""What a module of tests calls that needs PyTorch."""

from __future__ import annotations

import importlib

import pytest

COMMAND = "uv pip install --require-hashes -r requirements/vision.txt"


def skip_without_torch() -> None:
    """Skip the calling module where PyTorch and torchvision cannot be imported, or do not fit together."""
    try:
        for name in ("torch", "torchvision"):
            importlib.import_module(name)
    except (ImportError, OSError, RuntimeError) as error:
        reason = f"needs the dependency group 'vision' ({COMMAND}): {error}"
        pytest.skip(reason, allow_module_level=True)
