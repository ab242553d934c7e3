"""The events of the verification."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lambdas.shared.events import Event, S3Uri, Text
from lambdas.shared.gates import VerifyGates
from lambdas.shared.metrics import Task


class Expected(Event):
    """What the deployment asked for."""

    model_data_url: S3Uri
    image_uri: Text


class VerifyBatchEvent(Event):
    """A version, before and after a transform job answers labelled rows with it."""

    phase: Literal["sample", "answers"]
    run: Text
    task: Annotated[Task, Field(strict=False)]
    environment: Text
    current: Text
    """The parameter that names the current version."""
    expected: Expected
    test_uri: S3Uri
    predictions_uri: S3Uri
    sample_uri: S3Uri
    """Folder of the rows that the job answers, without a slash at the end."""
    record_uri: S3Uri
    gates: VerifyGates
