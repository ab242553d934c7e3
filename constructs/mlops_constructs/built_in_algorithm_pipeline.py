"""The built-in-algorithm recipe: everything that takes a model from data to guarded endpoints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from constructs import Construct

from mlops_constructs.build_project import BuildProject
from mlops_constructs.deployment_role import DeploymentRole
from mlops_constructs.execution_roles import EndpointExecutionRole
from mlops_constructs.messaging import DeadLetterQueue
from mlops_constructs.model_pipeline import ModelPipeline
from mlops_constructs.model_registry import ModelRegistry
from mlops_constructs.retention import retention
from mlops_constructs.settings import Environment, ModelSettings, S3Source
from mlops_constructs.settings.xgboost_images import image_uri
from mlops_constructs.training_workflow import TrainingWorkflow
from mlops_constructs.verification_workflow import VerificationWorkflow
from mlops_constructs.workflow_functions import PipelineFunctions, WorkflowFunctions

CODE_PIPELINE_PREFIX_LENGTH = 20
"""CodePipeline keeps artifacts below the first 20 characters of the pipeline's name."""


@dataclass(frozen=True, kw_only=True)
class SharedResources:
    """What all models share."""

    key: kms.IKey
    data: s3.IBucket
    artifacts: s3.IBucket
    topic: sns.ITopic


class BuiltInAlgorithmPipeline(Construct):
    """The pipeline of a model that one of SageMaker's built-in algorithms trains.

    It makes the registry, the functions, both workflows, the build, the roles of the endpoints and the CodePipeline.
    The endpoints themselves are serving stacks, which the pipeline deploys.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: str,
        model: ModelSettings,
        environment: Environment,
        shared: SharedResources,
        serving_stacks: dict[str, str],
        processing_code: Path,
    ) -> None:
        """Make the pipeline of `model`; `serving_stacks` are the names of its serving stacks by environment."""
        super().__init__(scope, construct_id)
        self._model, self._environment, self._shared = model, environment, shared
        self._stacks, self._name = serving_stacks, f"{project}-{model.name}"
        self._project = project
        self._removal_policy = retention(model.removal_policy)
        self._endpoints = {target.value: f"{self._name}-{target}" for target in model.deploy.environments}
        self._image_uri = image_uri(model.algorithm.version, environment.region)
        self.registry = ModelRegistry(
            self,
            "Registry",
            group_name=self._name,
            description=model.description,
            removal_policy=self._removal_policy,
        )
        self.dead_letters = DeadLetterQueue(
            self, "DeadLetters", key=shared.key, topic=shared.topic, removal_policy=self._removal_policy
        )
        self.functions = self._define_functions()
        self.training = self._define_training(processing_code)
        self.verification = self._define_verification()
        self.execution_roles = self._define_execution_roles()
        self.pipeline = self._define_pipeline()

    def _define_functions(self) -> WorkflowFunctions:
        return WorkflowFunctions(
            self,
            "Functions",
            model=self._model.name,
            endpoint_names=list(self._endpoints.values()),
            group_name=self.registry.group_name,
            artifacts=self._shared.artifacts,
            key=self._shared.key,
            removal_policy=self._removal_policy,
        )

    def _define_training(self, processing_code: Path) -> TrainingWorkflow:
        return TrainingWorkflow(
            self,
            "Training",
            project=self._project,
            model=self._model,
            environment=self._environment,
            image_uri=self._image_uri,
            data=self._shared.data,
            artifacts=self._shared.artifacts,
            key=self._shared.key,
            functions=self.functions,
            group_name=self.registry.group_name,
            champion_endpoint=self._endpoints[self._model.deploy.environments[-1]],
            processing_code=processing_code,
            removal_policy=self._removal_policy,
        )

    def _define_verification(self) -> VerificationWorkflow:
        return VerificationWorkflow(
            self,
            "Verification",
            name=f"{self._name}-verification",
            model=self._model.name,
            gates=self._model.gates,
            endpoint_names=list(self._endpoints.values()),
            runs_uri=self._runs_uri(),
            functions=self.functions,
            key=self._shared.key,
            removal_policy=self._removal_policy,
        )

    def _define_execution_roles(self) -> dict[str, EndpointExecutionRole]:
        return {
            target: EndpointExecutionRole(
                self,
                f"{target.capitalize()}EndpointRole",
                endpoint_name=endpoint,
                runs_prefix=f"{self._model.name}/runs",
                artifacts=self._shared.artifacts,
                key=self._shared.key,
                image_uri=self._image_uri,
                in_vpc=self._environment.network is not None,
            )
            for target, endpoint in self._endpoints.items()
        }

    def _define_pipeline(self) -> ModelPipeline:
        shared, prefix = self._shared, self._name[:CODE_PIPELINE_PREFIX_LENGTH]
        build = BuildProject(
            self,
            "Build",
            model=self._model.name,
            artifacts=shared.artifacts,
            artifacts_prefix=prefix,
            key=shared.key,
            network=self._environment.network,
            removal_policy=self._removal_policy,
        )
        deployment_role = DeploymentRole(
            self,
            "DeploymentRole",
            model=self._model.name,
            endpoint_names=list(self._endpoints.values()),
            execution_roles=list(self.execution_roles.values()),
            key=shared.key,
        )
        return ModelPipeline(
            self,
            "Pipeline",
            name=self._name,
            model=self._model,
            serving_stacks=self._stacks,
            endpoint_names=self._endpoints,
            training=self.training.state_machine,
            verification=self.verification.state_machine,
            functions=self._define_pipeline_functions(),
            build=build,
            deployment_role=deployment_role,
            data=shared.data,
            artifacts=shared.artifacts,
            artifacts_prefix=prefix,
            runs_uri=self._runs_uri(),
            key=shared.key,
            topic=shared.topic,
            dead_letters=self.dead_letters,
        )

    def _define_pipeline_functions(self) -> PipelineFunctions:
        return PipelineFunctions(
            self,
            "PipelineFunctions",
            pipeline_name=self._name,
            training_machine_name=f"{self._name}-training",
            stack_names=list(self._stacks.values()),
            group_name=self.registry.group_name,
            model=self._model.name,
            artifacts=self._shared.artifacts,
            data=self._shared.data,
            sources=self._sources(),
            key=self._shared.key,
            dead_letters=self.dead_letters,
            removal_policy=self._removal_policy,
        )

    def _sources(self) -> list[dict[str, str]]:
        """The sources that are objects of the data bucket."""
        bucket = self._shared.data.bucket_name
        sources = [{"action": "Data", "bucket": bucket, "key": self._model.data.key}]
        if isinstance(self._model.source, S3Source):
            sources.append({"action": "Code", "bucket": bucket, "key": self._model.source.key})
        return sources

    def _runs_uri(self) -> str:
        return f"s3://{self._shared.artifacts.bucket_name}/{self._model.name}/runs"
