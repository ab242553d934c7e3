"""Writes the README of the constructs anew: `python -m tests.access`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.access.readme import README, render, rewritten
from tests.access.runs import synthesize

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        organized, listed = (
            synthesize(Path(folder) / name, organization=name == "organized") for name in ("organized", "listed")
        )
    README.write_text(rewritten(README.read_text(), render(organized, listed)))
