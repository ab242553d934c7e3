"""How a job is asked to stop: SIGTERM to the program, which tells its processes by a file."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import FrameType

from segmentation.cluster import STOP_FILE


class Stop:
    """Remembers that somebody has asked for the end; 120 seconds later SageMaker kills."""

    def __init__(self) -> None:
        name = os.environ.get(STOP_FILE)
        self._file = Path(name) if name else None
        self._others: Path | None = None
        self._told = False

    def listen(self) -> None:
        """Take SIGTERM as the wish to stop from now on."""
        signal.signal(signal.SIGTERM, self._tell)

    def pass_on(self, file: Path) -> None:
        """Tell other processes by making `file`, now where somebody has asked already."""
        self._others = file
        if self._told:
            file.touch()

    def requested(self) -> bool:
        """Tell whether somebody has asked."""
        return self._told or (self._file is not None and self._file.exists())

    def _tell(self, _number: int, _frame: FrameType | None) -> None:
        self._told = True
        if self._others is not None:
            self._others.touch()
