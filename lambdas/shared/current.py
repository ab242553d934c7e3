"""The current version of a model that has no endpoint of its own: a parameter of Systems Manager names it."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError
from pydantic import ValidationError

from lambdas.shared.errors import EndpointNotServing
from lambdas.shared.events import Event, S3Uri, Text


class Current(Event):
    """What the parameter holds."""

    endpoint: Text
    """Where it is asked: the endpoint that it shares, or the stack whose batches it answers."""
    model_data_url: S3Uri
    image_uri: Text
    model_package_arn: Text
    target_model: str = ""
    """How callers of a shared endpoint name it."""
    model_name: str = ""
    """The SageMaker model that answers batches."""


def current_version(ssm: Any, name: str) -> Current | None:
    """Return the version that the parameter `name` names, or None where there is none yet.

    Raises:
        EndpointNotServing: the parameter holds something else.
    """
    try:
        document = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ParameterNotFound":
            return None
        raise
    try:
        return Current.model_validate_json(document)
    except ValidationError as error:
        msg = f"the parameter {name} names no version of a model; deploy one again"
        raise EndpointNotServing(msg) from error
