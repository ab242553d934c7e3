"""`cdk synth`: cold, warm, and with 1, 10 and 50 copies of the model."""

from __future__ import annotations

import os
import shlex
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import process_tree
from benchmarks.figures import Figure
from benchmarks.many_models import ROOT, copies
from benchmarks.process_tree import Measurement

REPETITIONS = 3
COUNTS = (1, 10, 50)
CDK = ROOT / "node_modules" / ".bin" / "cdk"


def measure() -> list[Figure]:
    """Return the seconds and the memory of each."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return [*_cold_and_warm(folder), *_growth(folder)]


def _cold_and_warm(folder: Path) -> list[Figure]:
    colds = [_synth(folder, cache=folder / f"cache-{number}") for number in range(REPETITIONS)]
    warms = _repeat(lambda: _synth(folder, cache=folder / "cache-0"))
    return [
        _seconds("cdk synth, cold", colds, note="jsii has not unpacked aws-cdk-lib yet; the page cache is warm"),
        _seconds("cdk synth, warm", warms),
        _peak("cdk synth, peak of the process tree", warms),
    ]


def _growth(folder: Path) -> list[Figure]:
    figures: list[Figure] = []
    for count in COUNTS:
        settings = copies(folder / f"config-{count}", count)
        app = shlex.join([sys.executable, "-m", "benchmarks.many_models", str(settings)])
        runs = _repeat(lambda app=app: _synth(folder, cache=folder / "cache-0", app=app))  # type: ignore[misc]
        what = f"cdk synth of {count} model{'s' * (count > 1)}"
        figures += [_seconds(what, runs), _peak(f"{what}, peak of the process tree", runs)]
    first, *_, last, _ = figures
    ratio = last.value / first.value
    note = f"{COUNTS[-1]} models over {COUNTS[0]}; linear growth would give at most {COUNTS[-1]}"
    return [*figures, Figure(name="cdk synth, growth", value=round(ratio, 2), unit="times", note=note)]


def _synth(folder: Path, *, cache: Path, app: str | None = None) -> Measurement:
    with tempfile.TemporaryDirectory(dir=folder) as output:
        command = [str(CDK), "synth", "--quiet", "--output", str(Path(output) / "cdk.out")]
        environment = {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "HOME": str(folder),
            "UV_PROJECT_ENVIRONMENT": sys.prefix,
            "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(cache),
            "CI": "true",
        }
        return process_tree.run([*command, *(["--app", app] if app else [])], cwd=ROOT, env=environment)


def _repeat(action: Callable[[], Measurement]) -> list[Measurement]:
    return [action() for _ in range(REPETITIONS)]


def _seconds(name: str, runs: list[Measurement], *, note: str = "") -> Figure:
    values = tuple(round(run.seconds, 2) for run in runs)
    return Figure(name=name, value=statistics.median(values), unit="s", runs=values, note=note)


def _peak(name: str, runs: list[Measurement]) -> Figure:
    values = tuple(round(run.peak_mib) for run in runs)
    return Figure(name=name, value=statistics.median(values), unit="MiB", runs=values, note="resident, summed")
