"""The gates of a model as its settings describe them (`ModelSettings.gates`, passed on in events)."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from lambdas.shared.events import Document, Text

Share = Annotated[float, Field(ge=0, le=1)]


class Bound(Document):
    """What a metric must reach: a floor (more is better) or a ceiling (less is better)."""

    floor: float | None = None
    ceiling: float | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.floor is None) == (self.ceiling is None):
            msg = "give either 'floor' or 'ceiling'"
            raise ValueError(msg)
        return self

    def met_by(self, value: float) -> bool:
        """Return whether `value` is within the bound; NaN never is."""
        return value >= self.floor if self.floor is not None else value <= (self.ceiling or 0.0)

    def __str__(self) -> str:
        """Return the bound in words."""
        return f"at least {self.floor:g}" if self.floor is not None else f"at most {self.ceiling:g}"


Bounds = Annotated[dict[Text, Bound], Field(min_length=1)]
"""At least one: a gate without a metric could not stop anything."""


class DataGate(Document):
    """What the raw data must satisfy."""

    minimum_rows: Annotated[int, Field(ge=1)]
    minimum_class_share: Share
    maximum_duplicate_share: Share


class ChampionGate(Document):
    """By how much a new model must beat the one in service."""

    metric: Text
    margin: float
    confidence: Annotated[float, Field(gt=0, lt=1)]


class VerifyGate(Document):
    """How a deployed endpoint is tried out."""

    rows: Annotated[int, Field(ge=1)]
    maximum_latency_ms: Annotated[float, Field(gt=0)]
    tolerance: Annotated[float, Field(ge=0)]


class DataGates(Document):
    """The part of the settings that the data gate reads."""

    data: DataGate


class MetricGates(Document):
    """The part of the settings that the metric gate reads."""

    metrics: Bounds
    champion: ChampionGate


class VerifyGates(Document):
    """The part of the settings that the verification reads."""

    metrics: Bounds
    verify: VerifyGate
