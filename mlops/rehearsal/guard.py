"""The last one to go: a program that waits for the end of a rehearsal and then ends what it left behind.

It is started by mlops/lifetime.py as `python guard.py FOLDER` and reads its standard input, of which the rehearsal
holds the other end: the kernel closes that however the rehearsal ends, by SIGKILL too. Everything that a rehearsal
starts carries the name of its folder in its environment, so grandchildren are found whose parents are gone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

MARK = "MLOPS_REHEARSAL"
"""The variable that every process of a rehearsal has; its value is the rehearsal's folder."""
_PATIENCE_SECONDS = 8.0
_PAUSE_SECONDS = 0.02


def survivors(folder: str) -> list[int]:
    """Return the processes that the rehearsal in `folder` started and that still run."""
    mark = f"{MARK}={folder}"
    return [pid for pid, environment in _environments() if mark in environment]


def _environments() -> Iterator[tuple[int, list[str]]]:
    """Every process whose environment may be read; not that of somebody else, nor of one that has just gone."""
    if sys.platform == "linux":
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                yield int(entry.name), (entry / "environ").read_text(errors="replace").split("\0")
        return
    import psutil  # noqa: PLC0415 - needed at the end only

    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            yield process.pid, [f"{name}={value}" for name, value in process.environ().items()]


def clear(folder: str) -> list[int]:
    """End everything of the rehearsal in `folder`, remove the folder, and return whom it could not end."""
    until = time.monotonic() + _PATIENCE_SECONDS
    clean = 0
    left: list[int] = []
    # Twice: a process that has just been forked shows the environment of the program that it replaces.
    while clean < 2 and time.monotonic() < until:  # noqa: PLR2004
        left = survivors(folder)
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        clean = 0 if left else clean + 1
        time.sleep(_PAUSE_SECONDS)
    while Path(folder).exists() and time.monotonic() < until:
        shutil.rmtree(folder, ignore_errors=True)
    return left


def main() -> int:
    """Wait for the end of standard input, then clear; return how many processes are left."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    sys.stdin.buffer.read()
    return min(len(clear(sys.argv[1])), 100)


if __name__ == "__main__":
    sys.exit(main())
