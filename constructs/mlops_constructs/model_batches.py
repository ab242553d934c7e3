"""Everything of a model that answers files: its roles, its batches in each environment, and their verification."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Stack
from constructs import Construct

from mlops_constructs.batch_serving import BatchServing
from mlops_constructs.batch_transform import BatchExecutionRole
from mlops_constructs.batch_verification import BatchVerificationWorkflow
from mlops_constructs.deployment_role import VERSIONS
from mlops_constructs.inference_pipeline import preprocessor_image
from mlops_constructs.messaging import DeadLetterQueue
from mlops_constructs.model_image import repository_arn
from mlops_constructs.multi_model import allow_current
from mlops_constructs.retention import retention
from mlops_constructs.roles import ServiceRole
from mlops_constructs.serving_target import ServingTarget
from mlops_constructs.settings import Batch, ModelSettings
from mlops_constructs.shared_resources import SharedResources
from mlops_constructs.workflow_functions import WorkflowFunctions


class ModelBatches(Construct):
    """The batches of a model, all of whose environments are in this account and region."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: str,
        model: ModelSettings,
        serving: Batch,
        targets: Sequence[ServingTarget],
        shared: SharedResources,
        repository: str,
        functions: WorkflowFunctions,
        runs_uri: str,
        dead_letters: DeadLetterQueue,
    ) -> None:
        """Make them; the model's image is in the repository with the ARN `repository`."""
        super().__init__(scope, construct_id)
        name, removal_policy = f"{project}-{model.name}", retention(model.removal_policy)
        repositories = [repository, repository_arn(self, preprocessor_image(Stack.of(self).region))]
        self.execution_roles: dict[str, ServiceRole] = {
            target.environment: BatchExecutionRole(
                self,
                f"{target.environment.capitalize()}Role",
                model=model.name,
                environment=target.environment,
                serving=serving,
                data=shared.data,
                artifacts=shared.artifacts,
                key=shared.key,
                repositories=repositories,
            )
            for target in targets
        }
        self.verification = BatchVerificationWorkflow(
            self,
            "Verification",
            name=f"{name}-verification",
            project=project,
            model=model,
            serving=serving,
            targets=targets,
            runs_uri=runs_uri,
            artifacts=shared.artifacts,
            functions=functions,
            key=shared.key,
            removal_policy=removal_policy,
        )
        self.serving = {
            target.environment: BatchServing(
                self,
                target.environment.capitalize(),
                name=f"{name}-{target.environment}-batches",
                project=project,
                model=model,
                serving=serving,
                target=target,
                data=shared.data,
                functions=functions,
                key=shared.key,
                topic=shared.topic,
                dead_letters=dead_letters,
                removal_policy=removal_policy,
            )
            for target in targets
        }


class BatchDeploymentRole(ServiceRole):
    """The role that CloudFormation assumes to make versions that answer batches, and to name the current one."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        model: str,
        targets: Sequence[ServingTarget],
        execution_roles: Sequence[ServiceRole],
    ) -> None:
        """Make the role for `targets`, whose jobs run as `execution_roles`."""
        super().__init__(
            scope, construct_id, service="cloudformation.amazonaws.com", description=f"Deploys the batches of {model}"
        )
        stack = Stack.of(self)
        self.allow(
            "sagemaker:CreateModel",
            "sagemaker:DeleteModel",
            "sagemaker:DescribeModel",
            "sagemaker:AddTags",
            "sagemaker:DeleteTags",
            "sagemaker:ListTags",
            on=[
                stack.format_arn(service="sagemaker", resource="model", resource_name=f"{target.endpoint}-v*")
                for target in targets
            ],
            because=VERSIONS,
        )
        allow_current(self, [target.current for target in targets if target.current])
        for role in execution_roles:
            self.allow_pass(role)
