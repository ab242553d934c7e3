"""What every recipe has: everything that takes a model from data to guarded endpoints.

A recipe differs from the others in its image and its hyperparameters, and in nothing else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from constructs import Construct

from mlops_constructs.accounts import Accounts, Duty, TargetRole
from mlops_constructs.batch_verification import BatchVerificationWorkflow
from mlops_constructs.build_project import BuildProject, Source, buildspec
from mlops_constructs.image_build import ImageBuild, ImageRepository
from mlops_constructs.messaging import DeadLetterQueue
from mlops_constructs.model_batches import ModelBatches
from mlops_constructs.model_image import ModelImage
from mlops_constructs.model_pipeline import ModelPipeline
from mlops_constructs.model_registry import ModelRegistry
from mlops_constructs.pipeline_functions import PipelineFunctions
from mlops_constructs.release_workflow import ReleaseWorkflow
from mlops_constructs.retention import retention
from mlops_constructs.rollout_workflows import RolloutWorkflows
from mlops_constructs.serving_roles import deployment_role, execution_roles
from mlops_constructs.serving_target import Remote, ServingTarget
from mlops_constructs.settings import Batch, ModelSettings, S3Source, Stage
from mlops_constructs.settings.xgboost_images import VERSIONS, image_uri
from mlops_constructs.shared_resources import SharedResources
from mlops_constructs.training_workflow import TrainingWorkflow
from mlops_constructs.verification_workflow import VerificationWorkflow
from mlops_constructs.workflow_functions import WorkflowFunctions

CODE_PIPELINE_PREFIX_LENGTH = 20
"""CodePipeline keeps artifacts below the first 20 characters of the pipeline's name."""


class ModelRecipe(Construct):
    """The registry, the functions, both workflows, the roles of the endpoints, and the route to production.

    The route is a CodePipeline from stage reliable on, a state machine at stage repeatable. Nothing that holds data or
    serves belongs to the route, so a model changes it without losing anything. The endpoints themselves are serving
    stacks, which the route deploys.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        accounts: Accounts,
        model: ModelSettings,
        shared: SharedResources,
        serving_stacks: dict[str, str],
        processing_code: Path,
    ) -> None:
        """Make the recipe of `model`; `serving_stacks` are the names of its serving stacks by environment."""
        super().__init__(scope, construct_id)
        self._accounts, self._model, self._shared = accounts, model, shared
        self._environment, self._project = accounts.tools, accounts.project
        self._name = f"{self._project}-{model.name}"
        self._removal_policy = retention(model.removal_policy)
        self.targets = [self._target(target.value, serving_stacks[target]) for target in model.deployed_environments]
        self._local = [target for target in self.targets if target.remote is None]
        self._prefix = self._name[:CODE_PIPELINE_PREFIX_LENGTH]
        self.repository = self._define_repository()
        self._image = self._define_image()
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
        self.batches = self._define_batches()
        self.verification = self._define_verification()
        local: dict[str, Any] = {"model": model, "targets": self._local, "batches": self.batches}
        self.execution_roles = execution_roles(self, **local, image=self._image, shared=shared)
        self.deployment_role = deployment_role(self, **local, roles=self.execution_roles, key=shared.key)
        self.image_build = self._define_image_build()
        self._define_sources()
        self.rollouts = self._define_rollouts()
        self.pipeline = self._define_pipeline() if model.stage != Stage.REPEATABLE else None
        self.release = self._define_release() if model.stage == Stage.REPEATABLE else None

    def _target(self, environment: str, stack: str) -> ServingTarget:
        remote = self._remote(environment) if self._accounts.environments.is_remote(environment) else None
        return ServingTarget.of(self._project, self._model, environment, stack=stack, remote=remote)

    def _remote(self, environment: str) -> Remote:
        accounts = self._accounts
        where, tools = accounts.environment(environment), accounts.tools
        elsewhere = where.region != tools.region
        algorithm = self._model.algorithm
        return Remote(
            region=where.region,
            pipeline_role_arn=accounts.role(environment, TargetRole.PIPELINE),
            observer_role_arn=accounts.role(environment, TargetRole.OBSERVER),
            deployment_role_arn=accounts.role(environment, TargetRole.DEPLOYMENT),
            artifacts=accounts.bucket("artifacts", tools, where.region) if elsewhere else None,
            image_uri=image_uri(algorithm.version, where.region) if elsewhere and algorithm else None,
        )

    def _define_image(self) -> ModelImage:
        """Return the image that trains, scores and serves; each recipe has its own."""
        raise NotImplementedError

    def _define_sources(self) -> None:
        """Make what brings the model's data or code here, besides uploads; a recipe may have something of its own."""

    def _define_repository(self) -> ImageRepository | None:
        container = self._model.container
        if container is None or container.path is None:
            return None
        remote = [target.environment for target in self.targets if target.remote is not None]
        return ImageRepository(
            self,
            "Images",
            name=self._name,
            key=self._shared.key,
            admitted=self._accounts.admit_targets(remote, TargetRole.EXECUTION) if remote else None,
            removal_policy=self._removal_policy,
        )

    def _define_functions(self) -> WorkflowFunctions:
        return WorkflowFunctions(
            self,
            "Functions",
            model=self._model.name,
            targets=self.targets,
            verification_path=self._accounts.path(Duty.VERIFICATION),
            group_name=self.registry.group_name,
            scanned_repository=self._image.repository_arn if self._image.scan else None,
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
            image=self._image,
            # Preparation and evaluation need Python and its scientific packages, which this image of AWS has.
            processing_image=image_uri(VERSIONS[-1], self._environment.region),
            data=self._shared.data,
            artifacts=self._shared.artifacts,
            key=self._shared.key,
            functions=self.functions,
            group_name=self.registry.group_name,
            champion=self.targets[-1],
            processing_code=processing_code,
            removal_policy=self._removal_policy,
        )

    def _define_batches(self) -> ModelBatches | None:
        if not isinstance(self._model.serving, Batch):
            return None
        return ModelBatches(
            self,
            "Batches",
            project=self._project,
            model=self._model,
            serving=self._model.serving,
            targets=self._local,
            shared=self._shared,
            repository=self._image.repository_arn,
            functions=self.functions,
            runs_uri=self._runs_uri(),
            dead_letters=self.dead_letters,
        )

    def _define_verification(self) -> VerificationWorkflow | BatchVerificationWorkflow:
        if self.batches is not None:
            return self.batches.verification
        return VerificationWorkflow(
            self,
            "Verification",
            name=f"{self._name}-verification",
            model=self._model.name,
            gates=self._model.gates,
            task=self._model.task,
            runs_uri=self._runs_uri(),
            functions=self.functions,
            key=self._shared.key,
            removal_policy=self._removal_policy,
        )

    def _define_rollouts(self) -> RolloutWorkflows:
        return RolloutWorkflows(
            self,
            "Rollouts",
            accounts=self._accounts,
            model=self._model,
            targets=self.targets,
            shared=self._shared,
            functions=self.functions,
            verification=self.verification,
            runs_uri=self._runs_uri(),
            dead_letters=self.dead_letters,
        )

    def _define_image_build(self) -> ImageBuild | None:
        container, source = self._model.container, self._model.source
        if container is None or container.path is None or self.repository is None:
            return None
        # Without a pipeline that hands the code over, the build takes the version that the run names from the bucket.
        alone = self._model.stage == Stage.REPEATABLE and isinstance(source, S3Source)
        build = ImageBuild(
            self,
            "ImageBuild",
            model=self._model.name,
            path=str(container.path),
            repository=self.repository,
            source=Source(bucket=self._shared.data, key=source.key) if alone and isinstance(source, S3Source) else None,
            artifacts=self._shared.artifacts,
            artifacts_prefix=self._prefix,
            key=self._shared.key,
            removal_policy=self._removal_policy,
        )
        build.finish()
        return build

    def _define_pipeline(self) -> ModelPipeline:
        shared = self._shared
        build = BuildProject(
            self,
            "Build",
            description=f"Tests and synthesizes {self._model.name}",
            specification=buildspec(self._model.name),
            source=None,
            artifacts=shared.artifacts,
            artifacts_prefix=self._prefix,
            key=shared.key,
            removal_policy=self._removal_policy,
        )
        build.finish()
        functions = self._define_pipeline_functions()
        self.rollouts.go_back(group_name=self.registry.group_name, functions=functions)
        return ModelPipeline(
            self,
            "Pipeline",
            name=self._name,
            role_path=self._accounts.path(Duty.PIPELINE),
            model=self._model,
            targets=self.targets,
            training=self.training.state_machine,
            workflows=self.rollouts.deployment,
            functions=functions,
            build=build,
            image_build=self.image_build,
            deployment_role=self.deployment_role,
            data=shared.data,
            artifacts=shared.artifacts,
            artifacts_prefix=self._prefix,
            runs_uri=self._runs_uri(),
            key=shared.key,
            topic=shared.topic,
            dead_letters=self.dead_letters,
        )

    def _define_release(self) -> ReleaseWorkflow:
        shared = self._shared
        if self.deployment_role is None:
            msg = f"{self._model.name} is deployed to other accounts, which needs the pipeline of stage reliable"
            raise ValueError(msg)
        return ReleaseWorkflow(
            self,
            "Release",
            name=f"{self._name}-release",
            model=self._model,
            targets=self.targets,
            training=self.training,
            verification=self.verification,
            functions=self.functions,
            image_build=self.image_build,
            deployment_role=self.deployment_role,
            data=shared.data,
            key=shared.key,
            topic=shared.topic,
            dead_letters=self.dead_letters,
            removal_policy=self._removal_policy,
        )

    def _define_pipeline_functions(self) -> PipelineFunctions:
        return PipelineFunctions(
            self,
            "PipelineFunctions",
            pipeline_name=self._name,
            training_machine_name=f"{self._name}-training",
            targets=self.targets,
            verification_path=self._accounts.path(Duty.VERIFICATION),
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
        sources = [{"action": "Data", "bucket": bucket, "key": self._model.trigger_key}]
        if isinstance(self._model.source, S3Source):
            sources.append({"action": "Code", "bucket": bucket, "key": self._model.source.key})
        return sources

    def _runs_uri(self) -> str:
        return f"s3://{self._shared.artifacts.bucket_name}/{self._model.name}/runs"
