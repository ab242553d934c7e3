"""A model that answers files: the kind `batch` of the section `serving` of a model file.

SageMaker calls it batch transform: instances that are there for the time of a job, and no endpoint.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from mlops_constructs.settings.schedule import SCHEDULE_PATTERN
from mlops_constructs.settings.section import FolderPath, InstanceType, Section, described_by

_MOST_INSTANCES: Final = 100
_FIVE_DAYS: Final = 5 * 24 * 60
_LARGEST_PAYLOAD: Final = 100


class Batch(Section):
    """Files of the data bucket that are answered on a schedule."""

    type: Literal["batch"]
    """Files that are answered on a schedule."""
    instance_type: InstanceType
    """The instance type."""
    instance_count: Annotated[int, Field(ge=1, le=_MOST_INSTANCES)] = 1
    """How many instances answer; each file is answered by one of them."""
    schedule: Annotated[str, described_by(SCHEDULE_PATTERN)]
    """When what is new is answered: rate(1 day), or cron(0 6 ? * MON *) in UTC."""
    input: FolderPath
    """The folder of the data bucket with the files; each environment has a folder of its own name in it."""
    output: FolderPath
    """The folder of the data bucket for the answers; each environment has a folder of its own name in it."""
    max_payload_mb: Annotated[int, Field(ge=1, le=_LARGEST_PAYLOAD)] = 6
    """How large a request to the model may be, in megabytes; one row must fit."""
    strategy: Literal["multi-record", "single-record"] = "multi-record"
    """Whether the model is asked for as many rows as fit into a request, or for one at a time."""
    max_runtime_minutes: Annotated[int, Field(ge=1, le=_FIVE_DAYS)] = 240
    """When a batch that is not done is given up."""
