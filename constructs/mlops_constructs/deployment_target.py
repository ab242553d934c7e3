"""What the owner of a target account provides, so that a pipeline of another account can deploy to it."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from mlops_constructs.accounts import Accounts, Duty, TargetRole
from mlops_constructs.bake_workflow import allow_own_metrics
from mlops_constructs.candidate_serving import PREVIEW
from mlops_constructs.deployment_role import VERSIONS, DeploymentRole
from mlops_constructs.execution_roles import EndpointExecutionRole
from mlops_constructs.roles import AdmittedRole
from mlops_constructs.settings import EnvironmentName
from mlops_constructs.settings.xgboost_images import ACCOUNTS, REPOSITORY

PIPELINES = "the artifacts of the pipelines, which CodePipeline names"
STACKS = "the serving stacks of this environment, one for each model; CloudFormation appends an id"


class DeploymentTarget(Construct):
    """Four roles, named by the environment, that serve every model of the project.

    The pipeline becomes one of them to deploy, and the verification another one to look and to call; neither can give
    itself anything, because what is deployed makes no roles, and the roles to hand over exist already.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, accounts: Accounts, target: EnvironmentName, key: kms.IKey
    ) -> None:
        """Make the roles of the environment `target`, whose endpoints are encrypted with `key`."""
        super().__init__(scope, construct_id)
        self._accounts, self._target = accounts, target
        self._environment = accounts.environment(target)
        self._artifacts = s3.Bucket.from_bucket_name(
            self, "Artifacts", accounts.bucket("artifacts", accounts.tools, self._environment.region)
        )
        # Every model of the project, one name for each.
        self._endpoints = f"{accounts.project}-*-{target}"
        self.execution = self._define_execution()
        self.deployment = DeploymentRole(
            self,
            "Deployment",
            model=f"{accounts.project} in {target}",
            endpoint_names=[self._endpoints, f"{self._endpoints}-{PREVIEW}"],
            execution_roles=[self.execution],
            key=key,
            name=accounts.role_name(target, TargetRole.DEPLOYMENT),
        )
        # Whichever models come: the owner of the account deploys this once.
        self.deployment.allow_scaling()
        self.pipeline = self._define_pipeline()
        self.observer = self._define_observer()

    def _artifact_keys(self) -> str:
        where = f"{self._environment.region}:{self._accounts.tools.account}"
        return f"arn:{Stack.of(self).partition}:kms:{where}:key/*"

    def _define_execution(self) -> EndpointExecutionRole:
        stack, region = Stack.of(self), self._environment.region
        prefix = f"arn:{stack.partition}:ecr:{region}"
        return EndpointExecutionRole(
            self,
            "Execution",
            endpoint_names=[self._endpoints, f"{self._endpoints}-{PREVIEW}"],
            runs_prefix="*/runs",
            artifacts=self._artifacts,
            key_arn=self._artifact_keys(),
            repositories=[
                f"{prefix}:{self._accounts.tools.account}:repository/{self._accounts.project}-*",
                f"{prefix}:{ACCOUNTS[region]}:repository/{REPOSITORY}",
            ],
            name=self._accounts.role_name(self._target, TargetRole.EXECUTION),
        )

    def _define_pipeline(self) -> AdmittedRole:
        role = AdmittedRole(
            self,
            "Pipeline",
            admission=self._accounts.admit(Duty.PIPELINE),
            description=f"The pipelines of {self._accounts.project} deploy to {self._target} with it",
            name=self._accounts.role_name(self._target, TargetRole.PIPELINE),
        )
        role.allow(
            "cloudformation:CreateChangeSet",
            "cloudformation:DeleteChangeSet",
            "cloudformation:DescribeChangeSet",
            "cloudformation:DescribeStacks",
            "cloudformation:ExecuteChangeSet",
            on=self._stacks(),
            because=STACKS,
        )
        role.allow_pass(self.deployment)
        role.allow(
            "s3:GetObject",
            "s3:GetObjectVersion",
            on=self._artifacts.arn_for_objects(f"{self._accounts.project}-*"),
            because=PIPELINES,
        )
        role.allow_use_of_keys(self._artifact_keys(), write=False, via="s3")
        return role

    def _define_observer(self) -> AdmittedRole:
        role = AdmittedRole(
            self,
            "Observer",
            admission=self._accounts.admit(Duty.VERIFICATION),
            description=f"The verifications of {self._accounts.project} look at {self._target} with it",
            name=self._accounts.role_name(self._target, TargetRole.OBSERVER),
        )
        endpoints = [self._endpoints, f"{self._endpoints}-{PREVIEW}"]
        versions = f"{self._endpoints}-*"
        role.allow(
            "sagemaker:DescribeEndpoint",
            "sagemaker:InvokeEndpoint",
            on=[self._serving("endpoint", endpoint) for endpoint in endpoints],
            because=VERSIONS,
        )
        role.allow("sagemaker:DescribeEndpointConfig", on=self._serving("endpoint-config", versions), because=VERSIONS)
        role.allow(
            "sagemaker:DescribeModel", "sagemaker:ListTags", on=self._serving("model", versions), because=VERSIONS
        )
        role.allow(
            "cloudformation:DescribeChangeSet", "cloudformation:DescribeStacks", on=self._stacks(), because=STACKS
        )
        allow_own_metrics(role)
        return role

    def _serving(self, resource: str, name: str) -> str:
        return Stack.of(self).format_arn(service="sagemaker", resource=resource, resource_name=name)

    def _stacks(self) -> str:
        return Stack.of(self).format_arn(
            service="cloudformation", resource="stack", resource_name=f"{self._endpoints}/*"
        )
