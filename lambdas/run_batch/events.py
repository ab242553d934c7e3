"""The events of a batch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from lambdas.shared.events import Event, S3Uri, Text
from lambdas.shared.metrics import Task

BatchId = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z:._-]+$", max_length=128)]


class BatchEvent(Event):
    """A batch, before and after its files are answered."""

    phase: Literal["select", "publish"]
    batch: BatchId
    """The name of the execution, which its retries share."""
    state_machine: Text
    """The ARN of the state machine."""
    environment: Text
    input_uri: S3Uri
    """Folder of the files, with a slash at the end."""
    output_uri: S3Uri
    """Folder of the answers, with a slash at the end."""
    current: Text
    """The parameter that names the current version."""
    task: Annotated[Task, Field(strict=False)]
    width: Annotated[int, Field(ge=1)]
    """How many numbers the model answers for a row."""


class File(Event):
    """A file of a batch."""

    key: Text
    etag: Text
    size: int


class Plan(Event):
    """What a batch consists of."""

    batch: BatchId
    model_name: Text
    model_package_arn: Text
    model_data_url: S3Uri
    files: list[File]
