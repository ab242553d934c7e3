"""How a model serves: the section `serving` of a model file, one of several kinds.

The limits are those of the API (botocore's models of CreateEndpointConfig and RegisterScalableTarget); what they leave
open is checked by the rules in `serving_rules`.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag

from mlops_constructs.settings.alarms import Alarms
from mlops_constructs.settings.schedule import SCHEDULE_PATTERN
from mlops_constructs.settings.section import InstanceType, Section, TimeZone, TopicArn, described_by
from mlops_constructs.settings.serving_batch import Batch
from mlops_constructs.settings.serving_multi import MultiModel

REAL_TIME: Final = "real-time"
"""The kind of a section that names none."""
VARIANT: Final = "live"
"""The production variant that is scaled. Deployment guardrails need the same names before and after an update."""
_MOST_INSTANCES: Final = 100
_MOST_CONCURRENCY: Final = 200
_HOUR: Final = 3_600

InstanceCount: TypeAlias = Annotated[int, Field(ge=0, le=_MOST_INSTANCES)]
Cooldown: TypeAlias = Annotated[int, Field(ge=0, le=_HOUR)]
InstancePools: TypeAlias = Annotated[tuple[InstanceType, ...], Field(max_length=5)]


class Autoscaling(Section):
    """As many instances as the requests need."""

    minimum: InstanceCount
    """The fewest instances; at least one: a real-time endpoint cannot go to zero."""
    maximum: InstanceCount
    """The most instances."""
    invocations_per_instance: Annotated[int, Field(ge=1, le=10_000_000)]
    """How many requests a minute each instance is to answer: about half of what a load test shows that it can."""
    scale_in_cooldown_seconds: Cooldown = 300
    """How long after instances were removed no more are removed."""
    scale_out_cooldown_seconds: Cooldown = 60
    """How long after instances were added no more are added, unless still more are needed."""


class BacklogAutoscaling(Section):
    """As many instances as the queue needs."""

    minimum: InstanceCount = 0
    """The fewest instances; zero: none while nothing waits."""
    maximum: InstanceCount
    """The most instances."""
    backlog_per_instance: Annotated[int, Field(ge=1, le=1_000_000)] = 5
    """How many requests may wait for each instance."""
    scale_in_cooldown_seconds: Cooldown = 300
    """How long after instances were removed no more are removed."""
    scale_out_cooldown_seconds: Cooldown = 60
    """How long after instances were added no more are added, unless still more are needed."""


class CapacitySchedule(Section):
    """From when on how many instances serve: fewer at night, more in the morning."""

    cron: Annotated[str, described_by(SCHEDULE_PATTERN)]
    """When: cron(0 20 ? * MON-FRI *), or rate(1 day); at any minute."""
    timezone: TimeZone = "UTC"
    """In which time zone."""
    minimum: InstanceCount
    """The fewest instances from then on."""
    maximum: InstanceCount
    """The most instances from then on."""


class _Endpoint(Section):
    """What all kinds have in common that have an endpoint."""

    alarms: Alarms = Alarms()
    """When the endpoint is not well."""


class _Instances(_Endpoint):
    """What all kinds have in common that run on instances."""

    instance_type: InstanceType | None = None
    """The instance type; this, or instance_pools."""
    instance_pools: InstancePools = ()
    """Instance types, tried in this order when there is no capacity; this, or instance_type."""

    @property
    def instance_types(self) -> tuple[str, ...]:
        """The instance types that may serve, the preferred one first."""
        return (self.instance_type,) if self.instance_type is not None else self.instance_pools


class RealTime(_Instances):
    """An endpoint that answers at once."""

    type: Literal["real-time"] = REAL_TIME
    """An endpoint that answers at once."""
    instance_count: Annotated[int, Field(ge=1, le=_MOST_INSTANCES)] = 2
    """How many instances serve, with autoscaling at first; two or more survive the loss of one."""
    autoscaling: Autoscaling | None = None
    """As many instances as the requests need; without it, always the same number."""
    schedules: Annotated[tuple[CapacitySchedule, ...], Field(max_length=10)] = ()
    """From when on how many instances serve."""


class InferencePipeline(RealTime):
    """A real-time endpoint that takes rows as they are in the raw data: a first container encodes them for the model.

    SageMaker calls it an inference pipeline; whatever holds for a real-time endpoint holds for it.
    """

    type: Literal["inference-pipeline"]  # type: ignore[assignment]  # the same fields under a name of its own
    """A real-time endpoint that takes raw rows."""


class Serverless(_Endpoint):
    """An endpoint without instances, which costs nothing while nobody asks; the first answers take longer."""

    type: Literal["serverless"]
    """An endpoint without instances."""
    memory_mb: Literal[1024, 2048, 3072, 4096, 5120, 6144] = 2048
    """Its memory; the processor grows with it."""
    max_concurrency: Annotated[int, Field(ge=1, le=_MOST_CONCURRENCY)] = 5
    """How many requests it answers at once; more are refused."""
    provisioned_concurrency: Annotated[int, Field(ge=1, le=_MOST_CONCURRENCY)] | None = None
    """How many of them never wait for a start, which costs as long as the endpoint is there."""


class Asynchronous(_Instances):
    """An endpoint with a queue, for large or slow requests: requests and answers are objects of S3."""

    type: Literal["asynchronous"]
    """An endpoint with a queue."""
    instance_count: Annotated[int, Field(ge=1, le=_MOST_INSTANCES)] = 1
    """How many instances serve, with autoscaling at first."""
    autoscaling: BacklogAutoscaling | None = None
    """As many instances as the queue needs; without it, always the same number."""
    concurrency: Annotated[int, Field(ge=1, le=1000)] | None = None
    """How many requests an instance works on at once; without it, SageMaker chooses."""
    success_topic: TopicArn | None = None
    """The SNS topic that hears of every answer."""
    error_topic: TopicArn | None = None
    """The SNS topic that hears of every failure."""


def _kind(section: Any) -> str:
    """Name the kind of a section, written or built; today's sections name none."""
    kind = section.get("type", REAL_TIME) if isinstance(section, dict) else getattr(section, "type", REAL_TIME)
    return str(kind)


_KINDS: Final = {
    "real-time": "RealTime",
    "inference-pipeline": "InferencePipeline",
    "serverless": "Serverless",
    "asynchronous": "Asynchronous",
    "multi-model": "MultiModel",
    "batch": "Batch",
}
_MAPPING: Final = {kind: f"#/$defs/{name}" for kind, name in _KINDS.items()}
# As OpenAPI 3.2 describes it: pydantic writes no discriminator that is a function.
_DISCRIMINATOR: Final = {"propertyName": "type", "mapping": _MAPPING, "defaultMapping": _MAPPING[REAL_TIME]}

Serving: TypeAlias = Annotated[
    Annotated[RealTime, Tag("real-time")]
    | Annotated[InferencePipeline, Tag("inference-pipeline")]
    | Annotated[Serverless, Tag("serverless")]
    | Annotated[Asynchronous, Tag("asynchronous")]
    | Annotated[MultiModel, Tag("multi-model")]
    | Annotated[Batch, Tag("batch")],
    Field(discriminator=Discriminator(_kind), json_schema_extra={"discriminator": _DISCRIMINATOR}),
]
