"""The endpoint of one model in one environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from aws_cdk import CfnCondition, CfnOutput, CfnParameter, Fn, ICfnConditionExpression, Stack
from constructs import Construct

from mlops_constructs import ModelEndpoint, ModelVersion
from mlops_constructs.alarm_catalogue import AlarmCatalogue
from mlops_constructs.candidate_serving import bakes, has_candidate
from mlops_constructs.endpoint_variants import is_guarded
from mlops_constructs.model_endpoint import NONE
from mlops_constructs.multi_model import (
    CurrentModel,
    current_parameter,
    shared_configuration_name,
    shared_endpoint_name,
)
from mlops_constructs.retention import retention
from mlops_constructs.served_model import ServedModel, keep_versions
from mlops_constructs.settings import Asynchronous, Batch, EnvironmentName, ModelSettings, MultiModel
from mlops_constructs.settings.serving import VARIANT
from mlops_constructs.shared_resources import ServingResources


class ServingStack(Stack):
    """An endpoint whose model the pipeline passes in; without a model the stack has only its alarms."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        model: ModelSettings,
        environment: EnvironmentName,
        api: bool,
        resources: Callable[[Stack], ServingResources],
        **options: Any,
    ) -> None:
        """Make the endpoint, which has the name of the stack.

        `resources` are those of its account; `api` says whether the environment has the API, which publishes metrics.
        """
        super().__init__(scope, construct_id, **options)
        shared = resources(self)
        rollout = model.deploy.rollout_in(environment)
        version = self._version("", "Version to serve; the pipeline passes it; empty: no endpoint")
        if isinstance(model.serving, MultiModel):
            self._name_current(model, model.serving, environment, version)
            return
        if isinstance(model.serving, Batch):
            self._answer_batches(model, environment, version, shared)
            return
        tried = f"Version to try out before it serves; {NONE}: no version"
        endpoint = ModelEndpoint(
            self,
            "Endpoint",
            name=self.stack_name,
            version=version,
            candidate=self._version("Candidate", tried) if has_candidate(rollout) else None,
            rolls_back=self._rolls_back() if is_guarded(model.serving) else None,
            settings=model.serving,
            rollout=rollout,
            watched=AlarmCatalogue(
                endpoint=self.stack_name,
                variant=VARIANT,
                model=model.name,
                environment=environment,
                limits=model.serving.alarms,
                api=api,
                synthetic=bakes(rollout, model.serving),
                asynchronous=isinstance(model.serving, Asynchronous),
            ),
            storage_uri=f"s3://{shared.artifacts}/{model.name}/endpoints/{environment}",
            execution_role_arn=shared.execution_role_arn,
            key=shared.key,
            topic=shared.topic,
            removal_policy=retention(model.removal_policy),
        )
        for name, value in (
            ("EndpointName", endpoint.endpoint.attr_endpoint_name),
            ("EndpointConfigName", endpoint.configuration.attr_endpoint_config_name),
            ("CandidateEndpointName", endpoint.candidate_endpoint_name),
            ("CandidateConfigName", endpoint.candidate_configuration_name),
        ):
            CfnOutput(self, name, value=value, condition=version.exists)

    def _answer_batches(
        self, model: ModelSettings, environment: EnvironmentName, version: ModelVersion, shared: ServingResources
    ) -> None:
        """Make the version that answers batches, which the model's own stack runs."""
        served = ServedModel(
            self,
            "Served",
            endpoint=self.stack_name,
            version=version,
            settings=model.serving,
            execution_role_arn=shared.execution_role_arn,
        )
        keep_versions(served.model, version.exists, retention(model.removal_policy))
        CurrentModel(
            self,
            "Current",
            name=current_parameter(self._project_of(model, environment), model.name, environment),
            endpoint=self.stack_name,
            version=version,
            model_name=served.model_name,
        )
        for output, value in (("EndpointName", NONE), ("EndpointConfigName", served.model_name)):
            CfnOutput(self, output, value=value, condition=version.exists)

    def _project_of(self, model: ModelSettings, environment: EnvironmentName) -> str:
        return self.stack_name.removesuffix(f"-{model.name}-{environment}")

    def _name_current(
        self, model: ModelSettings, serving: MultiModel, environment: EnvironmentName, version: ModelVersion
    ) -> None:
        """Say which version callers of the shared endpoint ask for; the endpoint has a stack of its own."""
        project = self._project_of(model, environment)
        endpoint = shared_endpoint_name(project, serving, environment)
        name = current_parameter(project, model.name, environment)
        CurrentModel(self, "Current", name=name, endpoint=endpoint, version=version)
        configuration = shared_configuration_name(project, model, serving, environment)
        for output, value in (("EndpointName", endpoint), ("EndpointConfigName", configuration)):
            CfnOutput(self, output, value=value, condition=version.exists)

    def _rolls_back(self) -> CfnCondition:
        mode = CfnParameter(
            self,
            "Mode",
            type="String",
            default="guarded",
            allowed_values=["guarded", "immediate"],
            description="Whether alarms roll an update back; immediate is for the way back to a version that was well",
        )
        return CfnCondition(self, "IsGuarded", expression=Fn.condition_equals(mode.value_as_string, "guarded"))

    def _version(self, prefix: str, description: str) -> ModelVersion:
        """Return a version as parameters; a candidate exists only beside a version that serves."""
        # CodePipeline hands no empty variables on, so that there is a word for no candidate.
        nothing = NONE if prefix else ""
        package = self._parameter(f"{prefix}ModelPackageArn", nothing, f"Model package. {description}")
        data = self._parameter(f"{prefix}ModelDataUrl", "s3://none", "S3 URI of its model.tar.gz")
        image = self._parameter(f"{prefix}ImageUri", "none", "Image that serves it")
        release = self._parameter(f"{prefix}Release", "0000", "Which deployment it is, as a part of names")
        given = Fn.condition_not(Fn.condition_equals(package, nothing))
        if prefix:
            given = Fn.condition_and(cast("ICfnConditionExpression", self.node.find_child("HasModel")), given)
        return ModelVersion(
            package_arn=package,
            data_url=data,
            image_uri=image,
            release=release,
            exists=CfnCondition(self, f"Has{prefix or 'Model'}", expression=given),
        )

    def _parameter(self, name: str, default: str, description: str) -> str:
        return CfnParameter(self, name, type="String", default=default, description=description).value_as_string
