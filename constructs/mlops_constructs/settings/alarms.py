"""When an endpoint is not well: the section `serving.alarms` of a model file."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

from mlops_constructs.settings.section import Section

Percent: TypeAlias = Annotated[float, Field(gt=0, le=100)]
Milliseconds: TypeAlias = Annotated[int, Field(ge=1, le=60_000)]


class Limits(Section):
    """An interval; what lies outside is not well."""

    minimum: float | None = None
    """The lowest value that is well."""
    maximum: float | None = None
    """The highest value that is well."""


class Alarms(Section):
    """When an endpoint is not well; during a deployment, each alarm brings the old model back."""

    error_rate_percent: Percent = 1.0
    """The share of requests that may fail with a 5XX status."""
    latency_ms: Milliseconds = 1000
    """How long the model may take, in milliseconds (99th percentile)."""
    model_errors: Annotated[int, Field(ge=1, le=1_000_000)] = 5
    """How many requests the model itself may fail in five minutes."""
    client_error_percent: Percent | None = None
    """The share of requests that may be refused with a 4XX status; without it, nobody watches."""
    overhead_latency_ms: Milliseconds | None = None
    """How long SageMaker itself may take, in milliseconds (99th percentile)."""
    silent_minutes: Annotated[int, Field(ge=5, le=1_440)] | None = None
    """How long there may be no request at all."""
    prediction_mean: Limits | None = None
    """The mean prediction of five minutes, of requests through the API."""
    data_quality_violations: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """How many rows outside the limits of their columns the API may refuse in five minutes."""
    outcome_mean: Limits | None = None
    """The business metric: the mean of the outcomes that callers of the API report, in an hour."""
