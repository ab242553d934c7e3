"""The record of one run: everything that its report shows, as plain data.

What a run never reached is None or empty, and the report says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from pydantic import Field, model_validator

from mlops.report.documents import DataReport, Decision, Evaluation, Feature, Part, Verification
from mlops.report.traffic import Traffic


class State(StrEnum):
    """Where something ended, or stands."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RUNNING = "running"
    STOPPED = "stopped"
    SKIPPED = "skipped"
    NOT_STARTED = "not started"


class Step(Part):
    """A stretch of time: a step of the rehearsal or a state of a workflow; seconds count from the start of the run."""

    name: str
    started: float
    seconds: float
    state: State = State.SUCCEEDED
    cause: str | None = None


class Action(Part):
    """One action of the pipeline."""

    name: str
    provider: str = ""
    state: State = State.NOT_STARTED
    started: float | None = None
    seconds: float | None = None
    cause: str | None = None


class Stage(Part):
    """One stage of the pipeline."""

    name: str
    actions: tuple[Action, ...] = ()
    state: State = State.NOT_STARTED

    @property
    def seconds(self) -> float | None:
        """From the start of the first action to the end of the last; None when nothing ran."""
        ran = [action for action in self.actions if action.started is not None and action.seconds is not None]
        if not ran:
            return None
        first = min(action.started or 0.0 for action in ran)
        return max((action.started or 0.0) + (action.seconds or 0.0) for action in ran) - first


class Workflow(Part):
    """One execution of a state machine."""

    name: str
    states: tuple[Step, ...] = ()
    state: State = State.SUCCEEDED


class LearningCurve(Part):
    """A metric after each round of training, for each data set."""

    metric: str
    series: dict[str, tuple[float, ...]]
    best_round: int | None = None


class Approval(Part):
    """The answer to a request for approval."""

    action: str
    approved: bool | None = None
    by: str = ""
    summary: str = ""


class Denial(Part):
    """A call that IAM refused."""

    action: str
    resource: str
    times: int = 1


class RoleUse(Part):
    """What a role was allowed to do, and did."""

    role: str
    owner: str = ""
    calls: int = 0
    used: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    denied: tuple[Denial, ...] = ()


class Lineage(Part):
    """Where the model comes from and where it went: names of facts in the order in which they are shown."""

    facts: dict[str, str] = Field(default_factory=dict)


class FaultOutcome(Part):
    """The fault that was injected, and whether the run ended as it had to."""

    name: str
    intended: str
    observed: str
    as_intended: bool


class NotRehearsed(Part):
    """An effect of AWS that cannot be shown on this machine."""

    what: str
    why: str


class ContainerImage(Part):
    """An image that the run used, and how it was represented on this machine."""

    uri: str
    rung: str
    """How: an image that was built, or its build context in an environment of its own."""
    not_executed: tuple[str, ...] = ()
    """What of its Dockerfile had no effect here."""


class LogLine(Part):
    """A line of a program that ran."""

    at: float
    source: str
    text: str


class RunRecord(Part):
    """One run, from the command to its end."""

    title: str
    model: str
    state: State
    started: str
    elapsed: float
    run: str = ""
    outcome: str = ""
    """One sentence for a manager; made from the rest when empty."""
    as_intended: bool = True
    steps: tuple[Step, ...] = ()
    stages: tuple[Stage, ...] = ()
    workflows: tuple[Workflow, ...] = ()
    data: DataReport | None = None
    features: tuple[Feature, ...] = ()
    learning: LearningCurve | None = None
    evaluation: Evaluation | None = None
    floors: dict[str, float] = Field(default_factory=dict)
    ceilings: dict[str, float] = Field(default_factory=dict)
    margin: float = 0.0
    """By how much the challenger has to be better than the champion; less than zero: by how much it may be worse."""
    decisions: tuple[Decision, ...] = ()
    verifications: tuple[Verification, ...] = ()
    approvals: tuple[Approval, ...] = ()
    roles: tuple[RoleUse, ...] = ()
    lineage: Lineage = Lineage()
    images: tuple[ContainerImage, ...] = ()
    fault: FaultOutcome | None = None
    traffic: Traffic | None = None
    """Where requests were sent to an endpoint while the new version came."""
    not_rehearsed: tuple[NotRehearsed, ...] = ()
    log: tuple[LogLine, ...] = ()

    @model_validator(mode="after")
    def _say_the_outcome(self) -> RunRecord:
        if not self.outcome:
            object.__setattr__(self, "outcome", sentence(self))
        return self

    def failure(self) -> tuple[str, str, str] | None:
        """Return (stage, action, cause) of the first action that failed."""
        for stage in self.stages:
            for action in stage.actions:
                if action.state is State.FAILED:
                    return stage.name, action.name, action.cause or "no cause was given"
        return None

    @property
    def calls(self) -> int:
        """Calls that roles made."""
        return sum(role.calls for role in self.roles)

    @property
    def denied(self) -> int:
        """Calls that IAM refused."""
        return sum(denial.times for role in self.roles for denial in role.denied)


def sentence(record: RunRecord) -> str:
    """Say in one sentence how the run ended."""
    failure = record.failure()
    served = [check.environment for check in record.verifications if check.passed]
    if record.state is State.SUCCEEDED:
        passed = " and passed every gate" if record.decisions and all(one.passed for one in record.decisions) else ""
        where = f"; it now answers in {_list(served)}" if served else ""
        return f"The new model was trained{passed}{where}."
    if failure is not None:
        stage, action, cause = failure
        first = cause.strip().splitlines()[0] if cause.strip() else "no cause was given"
        place = stage if stage == action else f"{stage} ({action})"
        return f"The run stopped in {place}: {_shorten(first)}"
    return f"The run {'was stopped' if record.state is State.STOPPED else 'did not finish'} before its end."


def _list(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _shorten(text: str, limit: int = 240) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
