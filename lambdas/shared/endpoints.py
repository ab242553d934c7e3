"""What an endpoint serves: endpoint → configuration → variants → models."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from botocore.exceptions import ClientError

from lambdas.shared.errors import EndpointNotServing

MODEL_PACKAGE_TAG = "mlops:model-package"
"""Tag of a model that names the model package it was made from."""


class EndpointState(StrEnum):
    """What a status means to somebody who wants to use the endpoint."""

    SERVING = "serving"
    CHANGING = "changing"
    BROKEN = "broken"


_STATES = {
    "InService": EndpointState.SERVING,
    "Creating": EndpointState.CHANGING,
    "Updating": EndpointState.CHANGING,
    "SystemUpdating": EndpointState.CHANGING,
    "RollingBack": EndpointState.CHANGING,
    "Deleting": EndpointState.CHANGING,
    "OutOfService": EndpointState.BROKEN,
    "Failed": EndpointState.BROKEN,
    "UpdateRollbackFailed": EndpointState.BROKEN,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """An endpoint as SageMaker describes it."""

    name: str
    status: str
    config_name: str
    failure_reason: str
    last_modified: str = ""
    """When it last changed, as text; only good for comparing."""

    @property
    def state(self) -> EndpointState:
        """What the status means; a status that is not known here counts as broken."""
        return _STATES.get(self.status, EndpointState.BROKEN)


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedModel:
    """The model behind one production variant."""

    variant: str
    name: str
    arn: str
    model_data_url: str
    image_uri: str


class Endpoints:
    """Reads endpoints."""

    def __init__(self, sagemaker: Any) -> None:
        """Use the client `sagemaker`."""
        self._sagemaker = sagemaker

    def find(self, name: str) -> Endpoint | None:
        """Return the endpoint `name`, or None when there is no such endpoint."""
        try:
            found = self._sagemaker.describe_endpoint(EndpointName=name)
        except ClientError as error:
            if _is_not_found(error):
                return None
            raise
        return Endpoint(
            name=name,
            status=found["EndpointStatus"],
            config_name=found.get("EndpointConfigName", ""),
            failure_reason=found.get("FailureReason", ""),
            last_modified=str(found.get("LastModifiedTime", "")),
        )

    def models(self, endpoint: Endpoint) -> list[ServedModel]:
        """Return the models of the production variants of `endpoint`, in their order."""
        config = self._sagemaker.describe_endpoint_config(EndpointConfigName=endpoint.config_name)
        variants = config["ProductionVariants"]
        if not variants:
            msg = f"configuration {endpoint.config_name} of endpoint {endpoint.name} has no production variant"
            raise EndpointNotServing(msg)
        return [self._model(endpoint, variant) for variant in variants]

    def model_package_arn(self, model: ServedModel) -> str | None:
        """Return the model package that `model` is tagged with, or None."""
        pages = self._sagemaker.get_paginator("list_tags").paginate(ResourceArn=model.arn)
        tags = {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
        return tags.get(MODEL_PACKAGE_TAG)

    def _model(self, endpoint: Endpoint, variant: dict[str, Any]) -> ServedModel:
        place = f"variant {variant['VariantName']} of endpoint {endpoint.name}"
        name = variant.get("ModelName")
        if not name:
            msg = f"{place} has no model of its own (inference components are not supported)"
            raise EndpointNotServing(msg)
        described = self._sagemaker.describe_model(ModelName=name)
        # Of several containers, the last one is the model: those before it prepare its rows.
        container = (described.get("Containers") or [described.get("PrimaryContainer") or {}])[-1]
        if not container.get("Image") or not container.get("ModelDataUrl"):
            msg = f"{place}: model {name} names no image or no model data"
            raise EndpointNotServing(msg)
        return ServedModel(
            variant=variant["VariantName"],
            name=name,
            arn=described["ModelArn"],
            model_data_url=container["ModelDataUrl"],
            image_uri=container["Image"],
        )


def _is_not_found(error: ClientError) -> bool:
    # SageMaker has no typed error for it (botocore model of DescribeEndpoint): the message is what there is.
    details = error.response["Error"]
    return details["Code"] == "ValidationException" and "could not find endpoint" in details["Message"].lower()
