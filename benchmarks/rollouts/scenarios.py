"""What can become of a new version, each time with a client that sends requests throughout."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.rollouts.outcomes import Outcomes
from benchmarks.rollouts.project import ENVIRONMENT, MODEL, with_rollout
from benchmarks.rollouts.service import Service
from benchmarks.rollouts.versions import Registered, Version, register
from mlops.rehearsal.faults import FAULTS, Fault
from mlops.rehearsal.load import Load
from mlops.rehearsal.load_report import traffic_of
from mlops.rehearsal.load_tally import Tally, Versions, tally
from mlops.rehearsal.rehearsal import Rehearsal
from mlops.report.traffic import Traffic
from mlops_constructs.settings.rollout_rules import waits_minutes

RATE, SECONDS, TIME_SCALE, ROWS = 100.0, 60.0, 60.0, 200
"""Requests a second, for at least so many seconds, in each scenario; a second is an emulated minute."""
_QUIET_SECONDS = 2.0
_ALARMED = "rolled back to v1: alarm"
CANARY = {"type": "canary", "size_percent": 10, "canary_minutes": 10, "bake_minutes": 10}
SHADOW = {"type": "shadow", "minimum_requests": 2000, "maximum_hours": 1, "tolerance": 0.5}
AB_TEST = {"type": "a-b", "shares_percent": [25, 50], "minimum_outcomes": 500, "maximum_hours": 1}


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A new version, and what should become of it.

    Attributes:
        name: what a reader calls it.
        fault: that strikes the new version.
        rates: how often its customers and those of the version in service succeed, for an A/B test.
        promoted: whether it should serve in the end.
        evidence: words that have to stand in how it ended.

    """

    name: str
    fault: Fault | None = None
    rates: Mapping[str, float] = field(default_factory=dict)
    promoted: bool = False
    evidence: str = "serves alone"


SCENARIOS: dict[str, tuple[dict[str, Any], tuple[Scenario, ...]]] = {
    "canary": (
        CANARY,
        (
            Scenario(name="good canary", promoted=True),
            Scenario(name="canary that fails every third request", fault=Fault.CANARY_ERRORS, evidence=_ALARMED),
            Scenario(name="canary that is two seconds slower", fault=Fault.CANARY_SLOW, evidence=_ALARMED),
            Scenario(name="canary with wrong answers", fault=Fault.CANARY_WRONG, evidence=_ALARMED),
            Scenario(name="canary whose server is killed", fault=Fault.CANARY_DIES, evidence=_ALARMED),
        ),
    ),
    "shadow": (SHADOW, (Scenario(name="shadow, then a canary", promoted=True),)),
    "a-b": (
        AB_TEST,
        (
            Scenario(name="A/B test, 20 % against 30 %", rates={"live": 0.2, "challenger": 0.3}, promoted=True),
            Scenario(name="A/B test, 20 % against 20 %", rates={"live": 0.2, "challenger": 0.2}, evidence="TrialLost"),
        ),
    ),
}
"""The scenarios of each rollout, which share an emulated account."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of a version, and what a client felt of it."""

    scenario: Scenario
    promoted: bool
    tally: Tally
    traffic: Traffic
    why: str
    """How its trial ended."""
    waits_minutes: int
    """How long a good version is watched, without its trial."""

    @property
    def as_intended(self) -> bool:
        """Whether the right version serves for the right reason, and no request was lost."""
        right = self.promoted == self.scenario.promoted and self.scenario.evidence in self.story
        return right and not self.tally.lost

    @property
    def story(self) -> str:
        """What happened, in order, and how its trial ended."""
        return "; ".join(filter(None, [*(one.what for one in self.traffic.moments), self.why]))


def play(
    kind: str,
    trained: Sequence[Version],
    folder: Path,
    *,
    seconds: float = SECONDS,
    said: Callable[[str], None] = lambda _: None,
) -> list[Result]:
    """Deploy the model with a rollout, and play its scenarios one after the other, `seconds` each at least."""
    rollout, scenarios = SCENARIOS[kind]
    root = with_rollout(folder, rollout)
    results = []
    with Rehearsal(MODEL, approver=lambda _: True, root=root, time_scale=TIME_SCALE) as rehearsal:
        stage = _Stage(rehearsal, trained)
        for scenario in scenarios:
            results.append(stage.play(scenario, seconds))
            said(f"{scenario.name}: {results[-1].tally}; promoted: {results[-1].promoted}; {results[-1].why}")
    return results


class _Stage:
    """An emulated account with both versions, where scenarios are played."""

    def __init__(self, rehearsal: Rehearsal, trained: Sequence[Version]) -> None:
        self._rehearsal, self._service = rehearsal, Service(rehearsal)
        self._champion, self._challenger = (register(rehearsal, version) for version in trained)
        lines = trained[0].test.read_text(encoding="utf-8").splitlines()[:ROWS]
        self._rows = [line.partition(",")[2] for line in lines]
        self._rollout = rehearsal.model.deploy.rollout_in(ENVIRONMENT)
        self._table = f"{rehearsal.settings.environments.project}-{ENVIRONMENT}-inferences"
        self._versions = Versions(
            {"challenger": self._answers(self._challenger), "champion": self._answers(self._champion)}
        )

    def play(self, scenario: Scenario, seconds: float) -> Result:
        """Play one scenario, which begins with the champion in service."""
        self._service.serve(self._champion)
        place, began = self._rehearsal.place(ENVIRONMENT), time.monotonic()
        with (
            _fault(scenario.fault),
            Load(self._service.endpoint, self._rows, rate=RATE, account=place.account, region=place.region) as load,
        ):
            time.sleep(_QUIET_SECONDS)
            why = self._bring(scenario, load)
            time.sleep(max(_QUIET_SECONDS, began + seconds - time.monotonic()))
        requests = load.requests()
        return Result(
            scenario=scenario,
            promoted=self._service.serves(self._challenger),
            tally=tally(requests, self._versions),
            traffic=traffic_of(self._service.endpoint, requests, self._versions, rate=RATE),
            why=why,
            waits_minutes=waits_minutes(self._rollout),
        )

    def _answers(self, version: Registered) -> list[str]:
        self._service.serve(version)
        return self._rehearsal.predict(ENVIRONMENT, "\n".join(self._rows)).split()

    def _bring(self, scenario: Scenario, load: Load) -> str:
        """Bring the new version as the rollout says, and return how its trial ended."""
        if self._rollout.type not in {"shadow", "a-b"}:
            self._service.roll_out(self._challenger)
            return ""
        outputs = self._service.bring(self._challenger)
        with self._outcomes(load, outputs["CandidateConfigName"], scenario):
            trial = self._service.try_out(self._challenger, outputs)
        if trial["status"] == "SUCCEEDED":
            self._service.roll_out(self._challenger)
        else:
            self._service.give_up()
        return f"the trial ended {trial['status']} {trial.get('error', '')}: {_summary(trial)}"

    def _outcomes(self, load: Load, configuration: str, scenario: Scenario) -> AbstractContextManager[Any]:
        return Outcomes(load, self._table, configuration, scenario.rates) if scenario.rates else nullcontext()


def _summary(trial: Mapping[str, Any]) -> str:
    return str(trial.get("cause") or json.loads(trial.get("output", "{}")).get("summary", ""))


@contextmanager
def _fault(fault: Fault | None) -> Iterator[None]:
    FAULTS.activate(fault)
    try:
        yield
    finally:
        FAULTS.activate(None)
