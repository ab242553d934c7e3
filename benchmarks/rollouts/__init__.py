"""Rollouts under load: what a client feels of a new version that is good, and of one that is not."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.rollouts.project import MODEL
from benchmarks.rollouts.scenarios import RATE, SCENARIOS, Result, play
from benchmarks.rollouts.versions import train
from mlops.rehearsal import credentials
from mlops.rehearsal.project import ROOT
from mlops.rehearsal.timeline import TIMELINE
from mlops_constructs.settings import load_settings


def measure() -> list[Figure]:
    """Return for each scenario the requests that were sent, lost and wrong, and how long a bad version was in."""
    credentials.scrub_environment()
    TIMELINE.reset()
    with tempfile.TemporaryDirectory(prefix="mlops-rollouts-") as name:
        folder = Path(name)
        trained = train(load_settings(ROOT / "config", models=[MODEL]).models[MODEL], folder / "versions")
        results = [result for kind in SCENARIOS for result in play(kind, trained, folder)]
    return [figure for result in results for figure in figures(result)] + _totals(results)


def figures(result: Result) -> list[Figure]:
    """Return what a client felt of one scenario."""
    found, traffic, name = result.tally, result.traffic, result.scenario.name
    ended = f"{'the new version' if result.promoted else 'the old version'} serves: {result.story}"
    counted = [
        _count(f"{name}: requests sent", found.sent, note=ended),
        _count(f"{name}: lost", found.lost, note=f"after up to two more tries; {found.failed_attempts} tries failed"),
        _count(f"{name}: wrong", found.wrong, note="answers that neither version gives"),
    ]
    if result.scenario.fault is not None and traffic.detection_minutes is not None:
        waits = result.waits_minutes
        counted.append(
            Figure(
                name=f"{name}: until it was out",
                value=traffic.detection_minutes,
                unit="min",
                note=f"emulated, from its first traffic; a good one is watched for {waits} min",
            )
        )
    return counted


def _totals(results: list[Result]) -> list[Figure]:
    intended = [result for result in results if result.as_intended]
    return [
        _count("rollouts under load: requests sent", sum(one.tally.sent for one in results), note=f"{RATE:g} a second"),
        _count("rollouts under load: requests lost", sum(one.tally.lost for one in results)),
        _count("rollouts under load: scenarios that ended as intended", len(intended), note=f"of {len(results)}"),
    ]


def _count(name: str, value: int, *, note: str = "") -> Figure:
    return Figure(name=name, value=value, unit="", note=note)
