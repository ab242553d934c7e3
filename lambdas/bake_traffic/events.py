"""The event of the bake."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lambdas.shared.access import Access
from lambdas.shared.events import Document, Event, S3Uri, Text
from lambdas.shared.metrics import Task


class Progress(Event):
    """What an earlier look at the endpoint left for this one."""

    rounds: Annotated[int, Field(ge=0)]
    """How many looks there were."""
    updating: bool
    """Whether one of them saw the update."""


class Baseline(Document):
    """What the version that serves before the update answers to the rows."""

    configuration: str
    """Of the endpoint; empty: there was no endpoint."""
    modified: str
    """When the endpoint had last changed: a quick update may begin and end between two looks."""
    answers: list[list[float]]
    """By the rows; empty where there was no endpoint."""


class BakeEvent(Event):
    """One minute of an endpoint's update, or the moment before it."""

    phase: Literal["baseline", "bake"]
    run: Text
    task: Annotated[Task, Field(strict=False)]
    model: Text
    environment: Text
    endpoint_name: Text
    variant: Text
    """Of the version in service, beside which a challenger may answer too before the update."""
    access: Access
    """To the account and region of the endpoint."""
    test_uri: S3Uri
    predictions_uri: S3Uri
    baseline_uri: S3Uri
    requests: Annotated[int, Field(ge=1, le=600)]
    """How many requests are sent, of one row each."""
    tolerance: Annotated[float, Field(ge=0)]
    progress: Progress
