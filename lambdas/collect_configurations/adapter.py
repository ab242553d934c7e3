"""SageMaker and CloudFormation as the logic needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambdas.collect_configurations.logic import Endpoint, Found, Stack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_GONE = ("does not exist", "Could not find")
_RUNNING = ("InProgress", "Stopping")


class Account:
    """One account and region, read once."""

    def __init__(self, sagemaker: Any, cloudformation: Any) -> None:
        """Use the two clients."""
        self._sagemaker, self._cloudformation = sagemaker, cloudformation
        self._configurations: list[Found] | None = None

    def endpoints(self) -> list[Endpoint]:
        """Return all endpoints, whoever made them."""
        return [
            endpoint
            for summary in self._pages("list_endpoints", "Endpoints")
            if (endpoint := self._endpoint(summary["EndpointName"])) is not None
        ]

    def configurations(self) -> list[Found]:
        """Return all endpoint configurations, whoever made them."""
        if self._configurations is None:
            self._configurations = [
                Found(name=one["EndpointConfigName"], created=one["CreationTime"])
                for one in self._pages("list_endpoint_configs", "EndpointConfigs")
            ]
        return self._configurations

    def models_of(self, configuration: str) -> set[str]:
        """Return the models that a configuration names; none where it is gone."""
        try:
            found = self._sagemaker.describe_endpoint_config(EndpointConfigName=configuration)
        except ClientError as error:
            if _is_gone(error):
                return set()
            raise
        variants = [*found["ProductionVariants"], *found.get("ShadowProductionVariants", [])]
        return {variant["ModelName"] for variant in variants if "ModelName" in variant}

    def models(self, prefix: str) -> list[Found]:
        """Return the models whose names begin with `prefix`."""
        return [
            Found(name=one["ModelName"], created=one["CreationTime"])
            for one in self._pages("list_models", "Models", NameContains=prefix)
            if one["ModelName"].startswith(prefix)
        ]

    def models_of_jobs(self) -> set[str]:
        """Return the models of transform jobs that run."""
        return {
            self._sagemaker.describe_transform_job(TransformJobName=one["TransformJobName"])["ModelName"]
            for status in _RUNNING
            for one in self._pages("list_transform_jobs", "TransformJobSummaries", StatusEquals=status)
        }

    def stack(self, name: str) -> Stack | None:
        """Return a stack, None where there is none."""
        try:
            status = self._cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
            listed = self._cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        except ClientError as error:
            if _is_gone(error):
                return None
            raise
        resources = frozenset(one["PhysicalResourceId"] for one in listed if one.get("PhysicalResourceId"))
        return Stack(is_steady=status.endswith("_COMPLETE"), resources=resources)

    def delete_configuration(self, name: str) -> None:
        """Delete an endpoint configuration."""
        self._sagemaker.delete_endpoint_config(EndpointConfigName=name)

    def delete_model(self, name: str) -> None:
        """Delete a model."""
        self._sagemaker.delete_model(ModelName=name)

    def _endpoint(self, name: str) -> Endpoint | None:
        try:
            found = self._sagemaker.describe_endpoint(EndpointName=name)
        except ClientError as error:
            if _is_gone(error):
                return None
            raise
        pending = found.get("PendingDeploymentSummary") or {}
        names = (found.get("EndpointConfigName"), pending.get("EndpointConfigName"))
        return Endpoint(
            name=name, status=found["EndpointStatus"], configurations=frozenset(one for one in names if one)
        )

    def _pages(self, operation: str, key: str, **request: str) -> Iterator[Mapping[str, Any]]:
        for page in self._sagemaker.get_paginator(operation).paginate(**request):
            yield from page[key]


def _is_gone(error: ClientError) -> bool:
    return any(words in error.response["Error"].get("Message", "") for words in _GONE)
