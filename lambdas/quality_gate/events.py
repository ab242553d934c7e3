"""The events of the two gates."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from lambdas.shared.events import Event, S3Uri, Text
from lambdas.shared.gates import DataGates, MetricGates


class Gate(StrEnum):
    """The gates."""

    DATA = "data"
    METRICS = "metrics"


class GateEvent(Event):
    """What both gates take."""

    gate: Annotated[Gate, Field(strict=False)]
    run: Text
    report_uri: S3Uri
    decision_uri: S3Uri


class DataGateEvent(GateEvent):
    """Judge the data by the report of the preparation."""

    gates: DataGates


class Claimed(Event):
    """What whoever handed a model over says of it."""

    metrics: Annotated[dict[Text, float], Field(min_length=1)]
    tolerance: Annotated[float, Field(ge=0)]
    """By which share of the claimed value the measured one may differ."""


class MetricsGateEvent(GateEvent):
    """Judge the model by the report of the evaluation."""

    gates: MetricGates
    champion_exists: bool | None = None
    """Whether a model is in service; when given, a report that says otherwise does not pass."""
    claimed: Claimed | None = None
