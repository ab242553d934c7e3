"""Runs a command and measures it together with everything it starts."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

SAMPLE_SECONDS = 0.05
MEBIBYTE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Wall time of a command, and the most memory that it and its children held at one time (resident, summed)."""

    seconds: float
    peak_mib: float


def run(command: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> Measurement:
    """Run `command` to its end.

    Raises:
        RuntimeError: it failed; the message ends with what it said.

    """
    begin = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(list(command), cwd=cwd, env=dict(env), stdout=output, stderr=subprocess.STDOUT)
        root, peak = psutil.Process(child.pid), 0
        while child.poll() is None:
            peak = max(peak, _resident(root))
            time.sleep(SAMPLE_SECONDS)
        seconds = time.perf_counter() - begin
        output.seek(0)
        said = output.read().decode(errors="replace")
    if child.returncode:
        msg = f"{command[0]} ended with {child.returncode}: {said[-2000:]}"
        raise RuntimeError(msg)
    return Measurement(seconds=seconds, peak_mib=peak / MEBIBYTE)


def _resident(root: psutil.Process) -> int:
    total = 0
    try:
        for process in (root, *root.children(recursive=True)):
            total += process.memory_info().rss
    except psutil.NoSuchProcess:
        pass  # it ended between the list and the question; the next sample is right again
    return total
