"""What a benchmark returns, and the file that keeps it."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results.json")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured number.

    Attributes:
        name: what was measured.
        value: the number, the median where it was measured several times.
        unit: of the number.
        runs: every single measurement.
        note: what a reader has to know to repeat it.

    """

    name: str
    value: float
    unit: str
    runs: tuple[float, ...] = ()
    note: str = ""


def machine() -> dict[str, str | int | None]:
    """Return on what the figures were measured."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cpus": cpus, "machine": platform.machine(), "python": platform.python_version()}


def keep(benchmark: str, figures: Sequence[Figure], *, path: Path = RESULTS) -> None:
    """Write `figures` over the earlier ones of the same benchmark; those of the others stay."""
    results: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    results[benchmark] = {"machine": machine(), "figures": [asdict(figure) for figure in figures]}
    path.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
