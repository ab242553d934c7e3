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


class MetricsGateEvent(GateEvent):
    """Judge the model by the report of the evaluation."""

    gates: MetricGates
    champion_exists: bool | None = None
    """Whether a model is in service; when given, a report that says otherwise does not pass."""
