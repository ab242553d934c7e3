"""What a look ends with, and what both kinds of trials look at: the endpoint, alarms, latency."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from lambdas.judge_trial.events import Kind
from lambdas.shared.endpoints import EndpointState
from lambdas.shared.errors import EndpointChanging
from lambdas.shared.text import clip

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lambdas.judge_trial.events import TrialEvent
    from lambdas.shared.endpoints import Endpoints
    from lambdas.shared.events import Document

SURE = 0.01
"""How surely a guardrail must be broken: of so many trials of a sound candidate, one is given up by mistake."""
LATENCY_REQUESTS = 1000
"""Requests of each variant that a 99th percentile needs: ten of them are above it."""


class Decision(StrEnum):
    """What becomes of the candidate."""

    CONTINUE = "continue"
    SHIFT = "shift"
    PROMOTE = "promote"
    RETIRE = "retire"


_WORDS: Mapping[Decision, str] = {
    Decision.CONTINUE: "goes on",
    Decision.SHIFT: "goes on with more traffic",
    Decision.PROMOTE: "is won",
    Decision.RETIRE: "is lost",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Requests:
    """What CloudWatch knows of the requests to a variant."""

    count: int
    failed: int
    latency_ms: float | None
    """99th percentile of the model's latency; None without requests."""

    @property
    def failing(self) -> float:
        """The part that failed; 0 without requests."""
        return self.failed / self.count if self.count else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """How well the endpoint and its variants are."""

    alarms: Sequence[str]
    """Names of the alarms that went off."""
    champion: Requests
    candidate: Requests

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        variants = {"champion": self.champion, "candidate": self.candidate}
        requests = {
            name: {"requests": each.count, "failed": each.failed, "latency_p99_ms": each.latency_ms}
            for name, each in variants.items()
        }
        return {"alarms": list(self.alarms), **requests}


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """A decision with its reason."""

    decision: Decision
    reason: str
    state: Document
    """What the next look has to know."""
    facts: dict[str, Any]
    """The figures that it rests on."""
    share: int | None = None
    """The part of the traffic that the challenger gets from now on, in percent; None: as before."""

    def summary(self, asked: TrialEvent) -> str:
        """Return the decision in a sentence."""
        trial = "A/B test" if asked.rollout.type is Kind.AB_TEST else "shadow test"
        return clip(f"The {trial} at {asked.endpoint_name} {_WORDS[self.decision]}: {self.reason}")

    def record(self, asked: TrialEvent) -> dict[str, Any]:
        """Return everything that there is to know of this look, as JSON."""
        about = {"run", "environment", "model", "endpoint_name", "configuration", "round", "rollout"}
        return {
            "version": 1,
            **asked.model_dump(mode="json", by_alias=True, include=about),
            "hours": asked.hours,
            "decision": self.decision,
            "summary": self.summary(asked),
            "sharePercent": self.share,
            "facts": self.facts,
        }


def replacement(asked: TrialEvent, endpoints: Endpoints) -> str | None:
    """Return what has become of the endpoint, if it does not serve what is on trial any more.

    Raises:
        EndpointChanging: it is between two states, so there is nothing to judge yet.

    """
    name = asked.endpoint_name
    endpoint = endpoints.find(name)
    if endpoint is None:
        return f"endpoint {name} is gone"
    if endpoint.state is EndpointState.CHANGING:
        msg = f"endpoint {name} is {endpoint.status}: judge it when it is InService"
        raise EndpointChanging(msg)
    if endpoint.state is not EndpointState.SERVING:
        return clip(f"endpoint {name} is {endpoint.status}: {endpoint.failure_reason or 'no reason given'}", length=300)
    if endpoint.config_name != asked.configuration:
        return f"configuration {endpoint.config_name} is in service instead of {asked.configuration}"
    return None


def alarm_problem(health: Health) -> str | None:
    """Return what is wrong with the endpoint, if an alarm says so."""
    return f"alarm {', '.join(health.alarms)} went off during the trial" if health.alarms else None


def latency_problem(health: Health, maximum_ratio: float, *, requests: int = LATENCY_REQUESTS) -> str | None:
    """Return why the candidate is too slow; None while there are fewer than `requests` of either variant."""
    champion, candidate = health.champion, health.candidate
    if champion.latency_ms is None or candidate.latency_ms is None or min(champion.count, candidate.count) < requests:
        return None
    if candidate.latency_ms <= maximum_ratio * champion.latency_ms:
        return None
    return (
        f"the 99th percentile of its latency is {candidate.latency_ms:,.1f} ms, {champion.latency_ms:,.1f} ms in"
        f" service; at most {maximum_ratio:g} times as long allowed"
    )
