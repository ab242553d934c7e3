"""The endpoint of one model in one environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aws_cdk import CfnCondition, CfnOutput, CfnParameter, Fn, Stack
from constructs import Construct

from mlops_constructs import ModelEndpoint, ModelVersion
from mlops_constructs.retention import retention
from mlops_constructs.settings import ModelSettings
from mlops_constructs.shared_resources import ServingResources


class ServingStack(Stack):
    """An endpoint whose model the pipeline passes in; without a model the stack has only its alarms."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        model: ModelSettings,
        resources: Callable[[Stack], ServingResources],
        **options: Any,
    ) -> None:
        """Make the endpoint, which has the name of the stack; `resources` are those of its account."""
        super().__init__(scope, construct_id, **options)
        shared = resources(self)
        endpoint = ModelEndpoint(
            self,
            "Endpoint",
            name=self.stack_name,
            version=self._version(),
            settings=model.serving,
            execution_role_arn=shared.execution_role_arn,
            key=shared.key,
            topic=shared.topic,
            removal_policy=retention(model.removal_policy),
        )
        for name, value in (
            ("EndpointName", endpoint.endpoint.attr_endpoint_name),
            ("EndpointConfigName", endpoint.configuration.attr_endpoint_config_name),
        ):
            CfnOutput(self, name, value=value, condition=self._has_model)

    def _version(self) -> ModelVersion:
        package, data, image = (
            CfnParameter(self, name, type="String", default=default, description=text)
            for name, default, text in (
                ("ModelPackageArn", "", "Model package to serve; the pipeline passes it; empty: no endpoint"),
                ("ModelDataUrl", "s3://none", "S3 URI of its model.tar.gz"),
                ("ImageUri", "none", "Image that serves it"),
            )
        )
        self._has_model = CfnCondition(
            self, "HasModel", expression=Fn.condition_not(Fn.condition_equals(package.value_as_string, ""))
        )
        return ModelVersion(
            package_arn=package.value_as_string,
            data_url=data.value_as_string,
            image_uri=image.value_as_string,
            exists=self._has_model,
        )
