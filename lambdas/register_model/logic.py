"""Builds the model package; a run that is tried again finds the package that it made before."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from lambdas.shared.errors import RegistryError
from lambdas.shared.events import Event, S3Uri, Text
from lambdas.shared.metrics import Task
from lambdas.shared.registry import PENDING, REJECTED
from lambdas.shared.text import clip

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambdas.shared.registry import Registry

CONTENT_TYPE = "text/csv"
_METADATA_LENGTH = 256
# Letters, numbers, spaces and these, says the botocore model of CustomerMetadataValue.
_NOT_METADATA = re.compile(r"[^\w .:/=+\-@]")


class RegisterEvent(Event):
    """A trained and accepted model, and where it comes from."""

    run: Text
    task: Annotated[Task, Field(strict=False)]
    model: Text
    group: Text
    image_uri: Text
    model_data_url: S3Uri
    training_job_name: Text
    training_job_arn: Text
    evaluation_uri: S3Uri
    registration_uri: S3Uri
    data_version: Text
    data_uri: S3Uri
    code_version: Text
    candidate: Text | None = None
    """The model package that was handed over, for a model that comes from the data scientists' account."""
    trained_by: Text | None = None


def register(asked: RegisterEvent, metrics: Mapping[str, float], registry: Registry) -> str:
    """Return the ARN of the package of this run, which is made unless it exists.

    Raises:
        RegistryError: the package of this run was rejected, or its creation failed.
    """
    description = f"{asked.model} of run {asked.run}, training job {asked.training_job_name}"
    arn = _earlier(description, asked, registry) or registry.create(**package(asked, metrics, description))
    made = registry.describe(arn)
    if made.status not in {"Completed", "InProgress", "Pending"} or made.approval_status == REJECTED:
        msg = f"model package {arn} is {made.status} and {made.approval_status or 'without approval status'}"
        raise RegistryError(msg)
    return made.arn


def package(asked: RegisterEvent, metrics: Mapping[str, float], description: str) -> dict[str, Any]:
    """Return the request for CreateModelPackage; nothing in it changes when a run is tried again."""
    return {
        "ModelPackageGroupName": asked.group,
        "ModelPackageDescription": clip(description, length=1024),
        "ModelApprovalStatus": PENDING,
        "ClientToken": hashlib.sha256(f"{asked.run} {asked.training_job_name}".encode()).hexdigest()[:32],
        "InferenceSpecification": {
            "Containers": [{"Image": asked.image_uri, "ModelDataUrl": asked.model_data_url}],
            "SupportedContentTypes": [CONTENT_TYPE],
            "SupportedResponseMIMETypes": [CONTENT_TYPE],
        },
        "ModelMetrics": {
            "ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": asked.evaluation_uri}}
        },
        "CustomerMetadataProperties": lineage(asked, metrics),
    }


def lineage(asked: RegisterEvent, metrics: Mapping[str, float]) -> dict[str, str]:
    """Return what the registry shows beside the package; the exact values stand in registration.json."""
    facts = {
        "run": asked.run,
        "task": asked.task,
        "training_job": asked.training_job_name,
        "training_job_arn": asked.training_job_arn,
        "data_uri": asked.data_uri,
        "data_version": asked.data_version,
        "code_version": asked.code_version,
        **({"candidate": asked.candidate} if asked.candidate else {}),
        **({"trained_by": asked.trained_by} if asked.trained_by else {}),
        **{name: f"{value:.6g}" for name, value in metrics.items()},
    }
    return {name: _NOT_METADATA.sub("_", value)[:_METADATA_LENGTH] for name, value in facts.items()}


def _earlier(description: str, asked: RegisterEvent, registry: Registry) -> str | None:
    for summary in registry.newest(asked.group):
        if summary.get("ModelPackageDescription") == description:
            return str(summary["ModelPackageArn"])
    return None
