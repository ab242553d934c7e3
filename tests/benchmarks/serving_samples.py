"""Measurements with known answers."""

from __future__ import annotations

from benchmarks.serving.comparison import Results
from benchmarks.serving.load import Sample
from benchmarks.serving.plan import Case, Format, Plan, Question

PLAN = Plan(rounds=3, seconds=1, starts=2, concurrency=(16,), rows=(1,))
CASE = Case(question=Question(format=Format.CSV, rows=1), concurrency=16)
TITLES = {"ours": "containers/tabular", "predecessor": "the predecessor", "falcon": "Falcon", "floor": "the floor"}
SPEEDS = {
    "ours": (4000.0, 3000.0, 100.0),
    "predecessor": (100.0, 100.0, 10.0),
    "falcon": (2000.0, 2000.0, 50.0),
    "floor": (5000.0, 4000.0, 125.0),
}
"""In the last round something else kept the machine busy."""


def sample(per_second: float, *, errors: int = 0, p50_ms: float = 1.0, p99_ms: float = 2.0) -> Sample:
    return Sample(requests=int(per_second), per_second=per_second, p50_ms=p50_ms, p99_ms=p99_ms, errors=errors)


def measured(*, failing: str = "") -> Results:
    """Three rounds of every case; a request to `failing` failed in the second."""
    results = Results(plan=PLAN, titles=TITLES, generator="wrk")
    for key, speeds in SPEEDS.items():
        for case in PLAN.cases():
            for number, speed in enumerate(speeds):
                results.add(key, case, sample(speed, errors=int(key == failing and number == 1)))
        results.add_start(key, 0.5)
        results.memory[key] = 100.0
    return results
