"""Every statement of the policies between four accounts, taken away in turn: is it missed, and is it named?

Each time in accounts of its own: an endpoint of an earlier run would have to be beaten, and a function that has become
a role once goes on with that session for an hour, here as in AWS.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.figures import Figure
from mlops.rehearsal import credentials
from mlops.rehearsal.rehearsal import Rehearsal

ACCOUNTS = Path(__file__).resolve().parents[1] / "config" / "accounts.example.yaml"


def measure() -> list[Figure]:
    """Return how many statements stop the run when they are missing, each with what broke."""
    credentials.scrub_environment()
    with _accounts() as rehearsal:
        names = list(rehearsal.statements())
        whole = rehearsal.run(rehearsal.sample(version=1))
    found = {name: _without(name) for name in names}
    missed = {name: what for name, what in found.items() if what}
    idle = [name for name in names if name not in missed]
    return [
        _count("statements between the accounts", len(names), note=f"with all of them the run ends {whole.status}"),
        _count(
            "noticed, named and explained when missing",
            len(missed),
            note="; ".join(f"{name}: {what}" for name, what in missed.items()),
        ),
        _count("that no rehearsal needs", len(idle), note=", ".join(idle)),
    ]


def _accounts() -> Rehearsal:
    return Rehearsal("abalone", approver=lambda _: True, environments=ACCOUNTS)


def _without(name: str) -> str:
    """Return where a run without a statement stops and because of what; nothing if it does not."""
    with _accounts() as rehearsal:
        run = rehearsal.run_without(name, rehearsal.sample(version=1))
    failure = run.failure()
    return f"{failure[0]}: {run.broken[0]}" if failure and run.broken else ""


def _count(name: str, value: int, *, note: str = "") -> Figure:
    return Figure(name=name, value=value, unit="", note=note)
