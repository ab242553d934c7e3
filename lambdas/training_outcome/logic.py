"""Turns the end of a training execution into output variables, or into a reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import StringConstraints

from lambdas.shared.errors import JobRefused
from lambdas.shared.events import Event, S3Uri, Text, read

if TYPE_CHECKING:
    from collections.abc import Mapping


class OutcomeParameters(Event):
    """User parameters of the action."""

    run: Text
    """Whose files the model was judged with; a rollback runs under another id and needs this one."""
    execution_arn: Annotated[str, StringConstraints(pattern=r"^arn:[^:]+:states:[^:]+:\d{12}:execution:[^:]+:.+$")]


class TrainingOutput(Event):
    """Output of the training workflow."""

    model_package_arn: Text
    model_data_url: S3Uri
    image_uri: Text
    training_job_name: Text


def outcome(execution: Mapping[str, Any]) -> dict[str, str]:
    """Return the output variables of a succeeded `execution` (DescribeExecution).

    Raises:
        JobRefused: it ended in any other way, or has not ended.
    """
    status = execution["status"]
    if status != "SUCCEEDED":
        told = ": ".join(str(execution[part]) for part in ("error", "cause") if execution.get(part))
        msg = told or f"the training workflow has not succeeded: its status is {status}"
        raise JobRefused(msg)
    try:
        document = json.loads(execution.get("output") or "null")
    except ValueError as error:
        msg = f"the output of the training workflow is not JSON: {error}"
        raise JobRefused(msg) from error
    output = read(TrainingOutput, document, what="the output of the training workflow")
    return {
        "ModelPackageArn": output.model_package_arn,
        "ModelDataUrl": output.model_data_url,
        "ImageUri": output.image_uri,
        "TrainingJobName": output.training_job_name,
    }
