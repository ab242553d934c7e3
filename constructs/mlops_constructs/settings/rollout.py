"""How a new version takes over in an environment: the section `deploy.rollout` of a model file.

The limits are those of the API (botocore's model of CreateEndpoint: wait intervals and terminations up to 3,600 s,
timeouts from 600 s to 28,800 s) and of the deployment guardrails' documentation.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field

from mlops_constructs.settings.section import Section

_LONGEST_WAIT: Final = 60
"""Minutes: WaitIntervalInSeconds and TerminationWaitInSeconds are at most 3,600."""
_SHORTEST_TIMEOUT, _LONGEST_TIMEOUT = 10, 480
_LONGEST_TRIAL: Final = 166
"""Hours: CodePipeline ends an action that runs a state machine after seven days (its quotas)."""

Minutes: TypeAlias = Annotated[int, Field(ge=1, le=_LONGEST_WAIT)]
TimeoutMinutes: TypeAlias = Annotated[int, Field(ge=_SHORTEST_TIMEOUT, le=_LONGEST_TIMEOUT)]


class _Guarded(Section):
    """What all ways have in common."""

    timeout_minutes: TimeoutMinutes = 60
    """When SageMaker gives the update up and rolls it back."""
    synthetic_requests_per_minute: Annotated[int, Field(ge=0, le=600)] = 20
    """Labelled rows that are sent each minute of the update, so that alarms see something when traffic is thin."""


class _Baked(_Guarded):
    """What has a second fleet, which takes over."""

    bake_minutes: Minutes = 5
    """How long the old instances stay after the last step, so that an alarm can bring them back."""


class _Previewed(_Guarded):
    """What can be tried on an endpoint of its own first."""

    preview: bool = False
    """Whether the new version answers labelled rows on an endpoint of its own before it gets any traffic."""


class AllAtOnce(_Previewed, _Baked):
    """All traffic moves at once; the old instances stay for the bake."""

    type: Literal["all-at-once"]
    """All traffic at once."""
    synthetic_requests_per_minute: Annotated[int, Field(ge=0, le=600)] = 0
    """Labelled rows that are sent each minute of the update, so that alarms see something when traffic is thin."""


class Canary(_Previewed, _Baked):
    """A small part of the traffic first, then all of it."""

    type: Literal["canary"]
    """A small part of the traffic first."""
    size_percent: Annotated[int, Field(ge=1, le=100)] = 10
    """The part of the capacity that gets traffic first; SageMaker allows half of it at most."""
    canary_minutes: Minutes = 10
    """How long that lasts."""


class Linear(_Previewed, _Baked):
    """The traffic in equal steps."""

    type: Literal["linear"]
    """Equal steps."""
    step_percent: Annotated[int, Field(ge=1, le=100)] = 25
    """The part of the capacity that each step moves; SageMaker allows 10 to 50."""
    step_minutes: Minutes = 5
    """How long each step lasts."""


class Rolling(_Previewed):
    """Instance by instance, in batches, without a second fleet."""

    type: Literal["rolling"]
    """In batches of instances."""
    batch_percent: Annotated[int, Field(ge=1, le=100)] = 50
    """The part of the instances that each batch replaces; SageMaker allows 5 to 50."""
    batch_minutes: Minutes = 5
    """How long alarms are watched after each batch."""


class Shadow(_Baked):
    """A copy of the traffic; the answers are compared and never returned. Then a canary."""

    type: Literal["shadow"]
    """A copy of the traffic, whose answers are compared."""
    share_percent: Annotated[int, Field(ge=1, le=100)] = 50
    """The part of the requests that is copied."""
    minimum_requests: Annotated[int, Field(ge=100, le=1_000_000)] = 1_000
    """How many pairs of answers the decision needs."""
    maximum_hours: Annotated[int, Field(ge=1, le=_LONGEST_TRIAL)] = 48
    """When the new version is given up because too little was compared."""
    tolerance: Annotated[float, Field(ge=0, le=1e9)] = 0.1
    """How far two answers may lie apart and still agree."""
    maximum_disagreement_percent: Annotated[float, Field(gt=0, le=100)] = 10.0
    """The part of the pairs that may disagree; that none does cannot be shown."""
    maximum_latency_ratio: Annotated[float, Field(ge=1, le=100)] = 1.5
    """How much slower the new version's 99th percentile may be."""
    size_percent: Annotated[int, Field(ge=1, le=100)] = 10
    """The canary afterwards: the part of the capacity that gets traffic first."""
    canary_minutes: Minutes = 10
    """How long that lasts."""


class AbTest(_Baked):
    """Two versions with real traffic until outcomes decide."""

    type: Literal["a-b"]
    """Two versions until outcomes decide."""
    shares_percent: Annotated[tuple[Annotated[int, Field(ge=1, le=99)], ...], Field(min_length=1, max_length=10)] = (
        10,
        25,
        50,
    )
    """The challenger's part of the traffic, one after the other; each lasts until it has shown no harm."""
    minimum_outcomes: Annotated[int, Field(ge=100, le=10_000_000)] = 500
    """How many outcomes of each version a decision needs."""
    maximum_hours: Annotated[int, Field(ge=1, le=_LONGEST_TRIAL)] = 120
    """When the test ends without a winner."""
    error_rate: Annotated[float, Field(gt=0, le=0.2)] = 0.05
    """How often a version without any difference may win or lose, however often one looks."""
    goal: Literal["higher", "lower"] = "higher"
    """Whether a higher or a lower mean outcome is better."""
    on_tie: Literal["keep", "promote"] = "keep"
    """What happens without a winner: the champion stays, or the challenger takes over."""
    maximum_error_percent: Annotated[float, Field(gt=0, le=100)] = 1.0
    """Guardrail: the part of the challenger's requests that may fail."""
    maximum_latency_ratio: Annotated[float, Field(ge=1, le=100)] = 1.5
    """Guardrail: how much slower the challenger's 99th percentile may be."""


Rollout: TypeAlias = Annotated[AllAtOnce | Canary | Linear | Rolling | Shadow | AbTest, Field(discriminator="type")]

DEFAULT_ROLLOUT: Final = AllAtOnce(type="all-at-once")
