"""docs/serving-speed.md, written from the measurements and nothing else."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import psutil

from benchmarks.serving.comparison import FLOOR_GOAL, GOAL_CONCURRENCY, GOALS, Ratio, Results
from benchmarks.serving.contenders import FLOOR, OURS, SEED
from benchmarks.serving.plan import Case, Question, workers

PAGE = Path(__file__).resolve().parents[2] / "docs" / "serving-speed.md"
NOTHING = "-"
GIBIBYTE = 1 << 30


def write(results: Results, *, path: Path = PAGE) -> None:
    """Write the page."""
    path.write_text(text(results))


def text(results: Results) -> str:
    """Return the page."""
    sections = [
        ("# How fast the container serves", _introduction(results)),
        ("## Against the goals", _goals(results)),
        *((f"## {question!s}", _question(results, question)) for question in results.plan.questions()),
        ("## Start-up and memory", _start_and_memory(results)),
        ("## How it is measured", _method(results)),
    ]
    return "\n\n".join(f"{title}\n\n{body}" for title, body in sections) + "\n"


def _introduction(results: Results) -> str:
    return f"""\
Written by `python -m benchmarks serving`; do not edit. `--quick` is a look in a minute that writes nothing.

The server of [`containers/tabular`](../containers/tabular) beside its predecessor's, the public alternatives and the
floor: a scikit-learn decision tree over the four columns of iris, HTTP on the loopback interface, connections kept
open. Each number is the median of {results.plan.rounds} measurements of {results.plan.seconds} s.

Machine: {_machine()}.
Servers and load share its processors, so the numbers belong to this machine; what carries over are the ratios."""


def _machine() -> str:
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        names = [
            line.partition(":")[2].strip() for line in information.read_text().splitlines() if "model name" in line
        ]
        model = names[0] if names else model
    memory = psutil.virtual_memory().total / GIBIBYTE
    return (
        f"{workers()} processors ({model}), {memory:.0f} GiB, {platform.system()}, Python {platform.python_version()}"
    )


def _goals(results: Results) -> str:
    header = [
        *("request", "at a time", "times the predecessor", "times the best alternative", "share of the floor"),
        "p99 over the predecessor's p50",
    ]
    rows = [_goal_row(results, case) for case in results.plan.cases()]
    wanted = ", ".join(
        f"{goal:g} times the predecessor at {rows:,} row{'s' * (rows > 1)}" for rows, goal in GOALS.items()
    )
    return f"""\
Goals in requests a second: {wanted} (at {GOAL_CONCURRENCY} at a time), and {FLOOR_GOAL:.0%} of the floor.
Goal in latency: a p99 not above the predecessor's p50. In brackets the lowest and the highest of the rounds; ✗ marks
a goal that is missed.

{_table(header, rows)}"""


def _goal_row(results: Results, case: Case) -> list[str]:
    seed, floor, tail = results.ratio(OURS, SEED, case), results.ratio(OURS, FLOOR, case), results.tail(case)
    best = results.best_alternative(case)
    ahead = results.ratio(OURS, best, case) if best else None
    goal = GOALS[case.question.rows] if case.concurrency == GOAL_CONCURRENCY else 0.0
    return [
        str(case.question),
        str(case.concurrency),
        _ratio(seed) + _missed(seed is None or seed.median < goal),
        f"{_ratio(ahead)} ({results.titles[best]})" if best and ahead else NOTHING,
        _ratio(floor) + _missed(floor is None or floor.median < FLOOR_GOAL),
        _ratio(tail) + _missed(tail is None or tail.median > 1),
    ]


def _missed(missed: bool) -> str:  # noqa: FBT001 - the one thing it is about
    return " ✗" if missed else ""


def _ratio(ratio: Ratio | None) -> str:
    if ratio is None:
        return NOTHING
    return f"{number(ratio.median)} ({number(min(ratio.rounds))} to {number(max(ratio.rounds))})"


def _question(results: Results, question: Question) -> str:
    counts = results.plan.concurrency
    header = [
        "server",
        *(f"{name}, {count} at a time" for count in counts for name in ("requests/s", "p50 ms", "p99 ms")),
    ]
    rows = []
    for key, title in results.titles.items():
        cases = [Case(question=question, concurrency=count) for count in counts]
        rows.append([title, *(cell for case in cases for cell in _cells(results, key, case))])
    return _table(header, rows)


def _cells(results: Results, key: str, case: Case) -> Iterator[str]:
    if failed := results.errors(key, case):
        yield from (f"invalid: {failed} failed", NOTHING, NOTHING)
        return
    for value in (
        results.median(key, case, lambda sample: sample.per_second),
        results.median(key, case, lambda sample: sample.p50_ms),
        results.median(key, case, lambda sample: sample.p99_ms),
    ):
        yield NOTHING if value is None else number(value)


def _start_and_memory(results: Results) -> str:
    rows = [
        [title, f"{statistics.median(results.starts[key]):.2f}", f"{results.memory[key]:,.0f}"]
        for key, title in results.titles.items()
        if key != FLOOR
    ]
    return f"""\
From the start of the process to the first `/ping` that answers 200; the most resident memory under load, summed over
the processes of the server.

{_table(["server", "start-up s", "memory MiB"], rows)}"""


def _method(results: Results) -> str:
    return f"""\
- Every server has {workers()} processes, one for each processor. All stand beside each other, idle but for the one that
  is measured. A round measures each case with each server in turn, beginning with another one each time; ratios are
  taken within a round, and the median of the rounds is shown.
- Load: {results.generator}. The next request of a connection is sent when the last one is answered: a slow server gets
  fewer requests, so its p99 looks better than under a fixed rate.
- All get the same bytes. Before and after the measurements all predict the same class for every row. One request that
  fails (no answer, or a status of 400 and more) makes the number of its case invalid.
- The predecessor's container is Python 2.7; here its way of answering runs on Python 3 with today's packages
  (`benchmarks/serving/competitors/seed_behaviour.py`). It answers classes where the others answer probabilities, and it
  read CSV only: its JSON is the same code with pandas.
- The alternatives share one careful core (`numpy_answers.py`): numpy reads CSV and orjson reads JSON, the tree is asked
  below scikit-learn's checks, and orjson writes. What is left between them is the server and the framework.
- The alternatives are started as their documentation says. `containers/tabular` gives each of its processes a socket of
  its own, which spreads the connections better; the floor is started in the same way, in the same environment.
- The floor reads the request, predicts rows that are ready and sends an answer that is ready: uvicorn and `predict`,
  nothing else."""


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float) -> str:
    """Return `value` with three significant digits."""
    if value >= 100:  # noqa: PLR2004 - three digits
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:#.3g}".rstrip(".")
