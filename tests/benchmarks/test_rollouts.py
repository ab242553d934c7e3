"""The benchmark of rollouts, on one of its scenarios: everything that it drives is real, and takes a while."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import rollouts
from benchmarks.rollouts import scenarios
from benchmarks.rollouts.versions import train
from mlops.rehearsal import credentials
from mlops.rehearsal.faults import Fault
from mlops.rehearsal.project import ROOT
from mlops.rehearsal.timeline import TIMELINE
from mlops_constructs.settings import load_settings

FAILING = scenarios.Scenario(
    name="canary that fails", fault=Fault.CANARY_ERRORS, evidence="rolled back to v1: alarm mlops-churn-prod-"
)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_canary_that_fails_is_brought_back_before_its_bake_is_over_and_no_request_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(scenarios.SCENARIOS, "canary", (scenarios.CANARY, (FAILING,)))
    credentials.scrub_environment()
    TIMELINE.reset()
    trained = train(load_settings(ROOT / "config", models=["churn"]).models["churn"], tmp_path / "versions")
    (result,) = scenarios.play("canary", trained, tmp_path, seconds=0)
    figures = {one.name.partition(": ")[2]: one.value for one in rollouts.figures(result)}
    assert result.as_intended, result.story
    assert figures["requests sent"] > 300
    assert (figures["lost"], figures["wrong"]) == (0, 0)
    assert 0 < figures["until it was out"] < result.waits_minutes
    assert result.tally.failed_attempts > 0  # a client that never tries again would have lost some
