"""The part of the README that the matrix writes: figures, the table, and what others would let in."""

from __future__ import annotations

from collections.abc import Iterator

from tests.access.matrix import Probe
from tests.access.necessity import loosenings, removals
from tests.access.predecessors import SAMPLES
from tests.access.runs import Run
from tests.access.table import SECTIONS
from tests.access.who import RULES
from tests.conftest import ROOT

README = ROOT / "constructs" / "mlops_constructs" / "README.md"
BEGIN, END = "<!-- written by python -m tests.access -->\n", "<!-- end -->\n"


def written(text: str) -> str:
    """Return the written part of a README."""
    return text.partition(BEGIN)[2].partition(END)[0]


def rewritten(text: str, part: str) -> str:
    """Return a README with another written part."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}{part}{END}{rest.partition(END)[2]}"


def render(organized: Run, listed: Run) -> str:
    """Return the part for the two runs."""
    return "\n".join([*_figures(organized, listed), *_table(organized), *_samples(organized), ""])


def _figures(organized: Run, listed: Run) -> Iterator[str]:
    yield from ("", "| | one organization | listed accounts |", "|---|---|---|")
    runs = (organized, listed)
    changes = [(removals(run.world.landscape), loosenings(run.world.landscape)) for run in runs]
    lines = {
        "probes": [f"{len(run.probes):,}" for run in runs],
        "allowed by the table": [str(sum(probe.allowed for probe in run.probes)) for run in runs],
        "answered as the table says, by both evaluators": [f"{_right(run):,}" for run in runs],
        "let in": [str(sum(now and not probe.allowed for probe, now in _answers(run))) for run in runs],
        "wrongly denied": [str(sum(probe.allowed and not now for probe, now in _answers(run))) for run in runs],
        "statements that cross accounts": [str(len(removed)) for removed, _ in changes],
        "of these, needed by no probe": [
            str(sum(run.first_noticing(one) is None for one in removed))
            for run, (removed, _) in zip(runs, changes, strict=True)
        ],
        "conditions of these statements": [str(len(loosened)) for _, loosened in changes],
        "of these, with a second lock behind them": [
            str(sum(run.first_noticing(one) is None for one in loosened))
            for run, (_, loosened) in zip(runs, changes, strict=True)
        ],
    }
    yield from (f"| {name} | {' | '.join(values)} |" for name, values in lines.items())


def _answers(run: Run) -> Iterator[tuple[Probe, bool]]:
    return zip(run.probes, run.iam_simulate, strict=True)


def _right(run: Run) -> int:
    answers = zip(run.probes, run.rehearsal, run.iam_simulate, strict=True)
    return sum(probe.allowed is one is other for probe, one, other in answers)


def _table(organized: Run) -> Iterator[str]:
    asking = {probe.question.caller.name for probe in organized.probes}
    for name, section in SECTIONS.items():
        rows = [row for row in section if row in organized.rows]
        if not rows:
            continue
        yield from ("", f"### {name}", "", "| what | by which calls | who may |", "|---|---|---|")
        for row in rows:
            calls = ", ".join(f"`{action}`" for action in row.actions)
            who = ", ".join(_shown(row.who, asking)) or "nobody"
            alone = "" if row.administered else " (no administrator either)"
            yield f"| {row.what} | {calls} | {who}{alone if not row.who else ''} |"


def _shown(who: tuple[str, ...], asking: set[str]) -> list[str]:
    """Leave out who is not there, and the rules of EventBridge where all of it is named."""
    return [one for one in who if one in asking and (one not in RULES or "events for tools" not in who)]


def _samples(organized: Run) -> Iterator[str]:
    yield from ("", "### What others write, and how many probes it lets in", "", "| statement | lets in |", "|---|---|")
    for sample in SAMPLES:
        count = sum(1 for _ in organized.noticing(sample.change(organized.world)))
        yield f"| {sample.what} | {count} |"
