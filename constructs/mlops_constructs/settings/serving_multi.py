"""A model that shares an endpoint with others: the kind `multi-model` of the section `serving` of a model file.

SageMaker calls it a multi-model endpoint: one container loads models from S3 when they are asked for, and forgets those
that nobody asks for. Whoever asks names the model.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from mlops_constructs.settings.alarms import Alarms
from mlops_constructs.settings.section import InstanceType, ModelName, Section

_MOST_INSTANCES: Final = 100


class MultiModel(Section):
    """An endpoint that several models share."""

    type: Literal["multi-model"]
    """An endpoint that several models share."""
    endpoint: ModelName
    """The name that the models of one endpoint have in common."""
    instance_type: InstanceType
    """The instance type, with memory for the models that are in use; the same for all models of the endpoint."""
    instance_count: Annotated[int, Field(ge=1, le=_MOST_INSTANCES)] = 2
    """How many instances serve; the same for all models of the endpoint."""
    alarms: Alarms = Alarms()
    """When the endpoint is not well; the same for all models of the endpoint."""
