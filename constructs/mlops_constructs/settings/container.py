"""A program of your own that learns and answers: the section `container` of a model file."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mlops_constructs.settings.section import (
    IMAGE_PATTERN,
    Day,
    FindingId,
    FolderPath,
    HyperparameterName,
    Scalar,
    Section,
    described_by,
)

_MOST_HYPERPARAMETERS = 100  # of a training job
_Limit = Annotated[int, Field(ge=0)] | None


class ScanMaximum(Section):
    """How many weaknesses an image may have, by severity."""

    critical: _Limit = 0
    """How many critical ones; null for any number."""
    high: _Limit = 0
    """How many high ones; null for any number."""
    medium: _Limit = None
    """How many medium ones; null for any number."""
    low: _Limit = None
    """How many low ones; null for any number."""


class AllowedFinding(Section):
    """A weakness that a person has looked at and that does not count for a while."""

    id: FindingId
    """The id of the finding, as the scan shows it."""
    reason: Annotated[str, Field(min_length=10, max_length=300)]
    """Why it does no harm here, in a sentence."""
    expires: Day
    """The last day on which it does not count: year-month-day."""


class Scan(Section):
    """What stops an image after ECR has scanned it."""

    maximum: ScanMaximum = ScanMaximum()
    """How many weaknesses an image may have, by severity."""
    allow: Annotated[tuple[AllowedFinding, ...], Field(max_length=100)] = ()
    """Weaknesses that do not count for a while."""


class Container(Section):
    """An image with the programs `train` and `serve`: built from a folder, or there already."""

    path: FolderPath | None = None
    """The folder of the repository with the Dockerfile; the pipeline builds the image."""
    image: Annotated[str, described_by(IMAGE_PATTERN)] | None = None
    """An image that is there already, by its digest."""
    hyperparameters: Annotated[dict[HyperparameterName, Scalar], Field(max_length=_MOST_HYPERPARAMETERS)] = Field(
        default_factory=dict
    )
    """The settings of the program, which it reads as text."""
    scan: Scan = Scan()
    """What stops an image after ECR has scanned it."""
