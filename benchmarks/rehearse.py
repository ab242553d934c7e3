"""The rehearsal as a person waits for it: warm, and from a fresh clone with all set-up."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.many_models import ROOT

REPETITIONS = 3
VERIFIED = "Prod / Verify: succeeded"
"""The line that tells that the endpoint in prod gave the right answers to labelled rows."""


def measure() -> list[Figure]:
    """Return the seconds from the command to the first correct predictions of prod, and those of a fresh clone."""
    warm = [_rehearse() for _ in range(REPETITIONS)]
    return [
        Figure(
            name="mlops rehearse churn, warm: command to first correct prediction from prod",
            value=statistics.median(warm),
            unit="s",
            runs=tuple(warm),
            note="three deployments included",
        ),
        Figure(
            name="make rehearse on a fresh clone, set-up included",
            value=_fresh_clone(),
            unit="s",
            note="environment without .venv and node_modules; the download caches of pip, uv and npm as they are",
        ),
    ]


def _rehearse() -> float:
    began = time.monotonic()
    command = [sys.executable, "-m", "mlops", "rehearse", "churn", "--approve"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        verified = None
        lines = []
        for line in running.stdout or ():
            lines.append(line)
            if verified is None and VERIFIED in line:
                verified = time.monotonic() - began
    if verified is None or running.returncode:
        msg = f"the rehearsal ended with {running.returncode}:\n{''.join(lines[-20:])}"
        raise RuntimeError(msg)
    return round(verified, 1)


def _fresh_clone() -> float:
    with tempfile.TemporaryDirectory(prefix="mlops-benchmark-") as name:
        clone = Path(name) / "clone"
        git, make = shutil.which("git"), shutil.which("make")
        if git is None or make is None:
            msg = "git and make are needed to measure a fresh clone"
            raise RuntimeError(msg)
        subprocess.run([git, "clone", "--quiet", str(ROOT), str(clone)], check=True)
        environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
        began = time.monotonic()
        subprocess.run([make, "rehearse"], cwd=clone, env=environment, check=True, stdout=subprocess.DEVNULL)
        return round(time.monotonic() - began, 1)
