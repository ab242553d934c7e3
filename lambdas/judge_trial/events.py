"""The events of the judge; what it has to remember comes back as `state` at the next look."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from lambdas.shared.events import Document, Event, S3Uri, Text
from lambdas.shared.sequential import Count, Evidence

Percent = Annotated[float, Field(ge=0, le=100)]
Share = Annotated[int, Field(ge=1, le=99)]
Ratio = Annotated[float, Field(ge=1)]
Positive = Annotated[int, Field(ge=1)]


class Kind(StrEnum):
    """The kinds of trials."""

    AB_TEST = "a-b"
    SHADOW = "shadow"


class Goal(StrEnum):
    """Which mean outcome is better."""

    HIGHER = "higher"
    LOWER = "lower"


class Trial(Document):
    """What is set for both kinds."""

    type: Annotated[Kind, Field(strict=False)]
    maximum_hours: Positive
    maximum_latency_ratio: Ratio


class AbTest(Trial):
    """The settings of an A/B test (`deploy.rollout` of a model)."""

    shares_percent: Annotated[list[Share], Field(min_length=1)]
    minimum_outcomes: Positive
    error_rate: Annotated[float, Field(gt=0, lt=1)]
    goal: Annotated[Goal, Field(strict=False)]
    on_tie: Literal["keep", "promote"]
    maximum_error_percent: Annotated[float, Field(gt=0, le=100)]


class Shadow(Trial):
    """The settings of a shadow."""

    minimum_requests: Positive
    tolerance: Annotated[float, Field(ge=0)]
    maximum_disagreement_percent: Percent


class AbState(Document):
    """What an A/B test remembers."""

    step: Annotated[int, Field(ge=-1)] = -1
    """Which of the shares the challenger has; -1 before it has any."""
    before: Count = 0
    """How many outcomes the challenger had when it got that share."""
    evidence: Evidence = Evidence()


class ShadowState(Document):
    """What a shadow remembers."""

    champion_after: str = ""
    """The last capture of the version in service that is older than the trial, as an S3 key."""
    shadow_after: str = ""
    """The same of an earlier shadow."""
    hour: str = ""
    """The last hour whose pairs are all counted, as in the keys of captures: 2026/11/12/07."""
    pairs: Count = 0
    different: Count = 0
    failures: Evidence = Evidence()
    """Failing requests of both variants."""


class Outcomes(Event):
    """Where outcomes are counted."""

    table_name: Text


class Captures(Event):
    """Where answers are captured."""

    capture_uri: S3Uri


class TrialEvent(Event):
    """A trial, at one look."""

    run: Text
    environment: Text
    model: Text
    endpoint_name: Text
    configuration: Text
    """The one with both variants."""
    started_at: Annotated[AwareDatetime, Field(strict=False)]
    round: Annotated[int, Field(ge=0)]
    """How many looks there were before."""
    interval_seconds: Positive
    """Between two looks."""
    rollout: Trial
    alarms: Annotated[list[Text], Field(min_length=1)]
    """Alarms of the endpoint, without its name, that end the trial when they go off during it."""
    records_uri: S3Uri
    """Folder of the records of all looks, without a slash at the end."""

    @property
    def hours(self) -> float:
        """How long the trial has lasted, without what the looks themselves took."""
        return self.round * self.interval_seconds / 3600

    @property
    def is_over(self) -> bool:
        """Whether the trial has lasted as long as it may."""
        return self.hours >= self.rollout.maximum_hours


class AbTestEvent(TrialEvent):
    """An A/B test."""

    rollout: AbTest
    source: Outcomes
    state: AbState


class ShadowEvent(TrialEvent):
    """A shadow."""

    rollout: Shadow
    source: Captures
    state: ShadowState
