"""Every fault in one emulated account, and what the roles needed of their permissions in all these runs."""

from __future__ import annotations

from benchmarks.figures import Figure
from mlops.rehearsal import credentials
from mlops.rehearsal.expectations import EXPECTED
from mlops.rehearsal.faults import Fault
from mlops.rehearsal.least_privilege import explanation, role_uses
from mlops.rehearsal.recording import shortcomings, still_serving
from mlops.rehearsal.rehearsal import Rehearsal

ORDER = (
    Fault.BLANK_LABEL,
    Fault.TRAINING_FAILURE,
    Fault.LAMBDA_CRASH,
    Fault.WORSE_CHALLENGER,
    Fault.WRONG_ANSWERS,
    Fault.SILENT_ROLLBACK,
    Fault.CAPACITY_ERROR,
)
"""After the first run, which is throttled; the last of these replaces the champion."""


def measure() -> list[Figure]:
    """Return how many faults ended as intended, and the figures of least privilege."""
    credentials.scrub_environment()
    wrong: dict[Fault, list[str]] = {}
    with Rehearsal("churn", approver=lambda _: True) as rehearsal:
        champion = rehearsal.run(rehearsal.sample(version=1), fault=Fault.THROTTLING)
        wrong[Fault.THROTTLING] = shortcomings(EXPECTED[Fault.THROTTLING], champion)
        for fault in ORDER:
            run = rehearsal.run(rehearsal.sample(version=2, fault=fault), fault=fault)
            wrong[fault] = shortcomings(EXPECTED[fault], run)
            if EXPECTED[fault].needs_champion:
                wrong[fault] += still_serving(rehearsal, champion)
        uses = role_uses(rehearsal.assembly_dir(), rehearsal.deployed_stacks())
    with Rehearsal("churn", approver=lambda _: True) as rehearsal:
        run = rehearsal.run(rehearsal.sample(version=1), fault=Fault.DUPLICATE_EVENT)
        wrong[Fault.DUPLICATE_EVENT] = shortcomings(EXPECTED[Fault.DUPLICATE_EVENT], run)
    unused = {(use.owner, action) for use in uses for action in use.unused}
    unexplained = sorted(f"{owner}: {action}" for owner, action in unused if not explanation(owner, action))
    missed = [f"{fault}: {'; '.join(found)}" for fault, found in wrong.items() if found]
    return [
        _count("faults that ended as intended", len(wrong) - len(missed), note=f"of {len(wrong)}; {missed or 'all'}"),
        _count("API calls made by roles", sum(use.calls.total() + use.denied.total() for use in uses)),
        _count("API calls denied", sum(use.denied.total() for use in uses)),
        _count("permissions granted", sum(len(use.granted) for use in uses), note=f"to {len(uses)} roles"),
        _count(
            "permissions that no run needed",
            len(unused),
            note=", ".join(sorted({action for _, action in unused})),
        ),
        _count("of these without an explanation", len(unexplained), note=", ".join(unexplained)),
    ]


def _count(name: str, value: int, *, note: str = "") -> Figure:
    return Figure(name=name, value=value, unit="", note=note)
