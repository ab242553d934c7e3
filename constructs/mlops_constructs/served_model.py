"""A version of a model as SageMaker resources: immutable, and named by what they hold."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import CfnCondition, CfnDeletionPolicy, CfnResource, CfnTag, Fn, RemovalPolicy, Stack
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from mlops_constructs.acknowledgements import acknowledge
from mlops_constructs.endpoint_variants import is_isolated
from mlops_constructs.inference_pipeline import model_containers
from mlops_constructs.names import digest
from mlops_constructs.network import Placement, vpc_config
from mlops_constructs.settings import Serving

CANDIDATE = "c"
"""The end of the names of what a candidate has, which is promoted under a name without it."""
_NOT_ISOLATED = "serverless inference has no network isolation (SageMaker AI Developer Guide, Feature exclusions)"
REVISION_LENGTH = 4
"""Besides the release: together they keep names within SageMaker's 63 characters."""


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    """What the pipeline asks to serve, as parameters of the stack; empty until the first model is approved."""

    package_arn: str
    data_url: str
    image_uri: str
    release: str
    """Of the execution that deploys it: what is deployed again later gets other names than what was kept."""
    exists: CfnCondition

    @property
    def number(self) -> str:
        """Version in the model group, the last part of the package's ARN."""
        return Fn.select(2, Fn.split("/", self.package_arn))


class ServedModel(Construct):
    """The model of one version; its `name` is that of the endpoint configurations, too, that serve it."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        endpoint: str,
        version: ModelVersion,
        settings: Serving,
        execution_role_arn: str,
        suffix: str | None = None,
    ) -> None:
        """Make the model that `endpoint` serves."""
        super().__init__(scope, construct_id)
        self.version = version
        placement = Placement.of(self)
        # What else the immutable resources hold, so that a change of it gives them another name.
        held = [settings.model_dump(mode="json"), placement and placement.identity]
        revision = digest(held, length=REVISION_LENGTH)
        number, release = Fn.join("", ["v", version.number]), Fn.join("", [revision, version.release])
        self.name = Fn.join("-", [endpoint, number, release, *([suffix] if suffix else [])])
        containers = model_containers(
            settings, image=version.image_uri, data_url=version.data_url, region=Stack.of(self).region
        )
        alone = len(containers) == 1
        self.model = sagemaker.CfnModel(
            self,
            "Model",
            model_name=self.name,
            execution_role_arn=execution_role_arn,
            enable_network_isolation=is_isolated(settings),
            primary_container=containers[0] if alone else None,
            containers=None if alone else containers,
            vpc_config=self._vpc() if is_isolated(settings) else None,
            tags=[CfnTag(key="mlops:model-package", value=version.package_arn)],
        )
        if not is_isolated(settings):
            acknowledge(self.model, {"CKV_AWS_370": _NOT_ISOLATED})

    @property
    def model_name(self) -> str:
        """Name of the model, which makes whoever uses it wait for it."""
        return self.model.attr_model_name

    def _vpc(self) -> sagemaker.CfnModel.VpcConfigProperty | None:
        config = vpc_config(self)
        if config is None:
            return None
        return sagemaker.CfnModel.VpcConfigProperty(
            subnets=config["Subnets"], security_group_ids=config["SecurityGroupIds"]
        )


def keep_versions(resource: CfnResource, exists: CfnCondition, removal_policy: RemovalPolicy) -> None:
    """Let a resource be there while `exists`, and outlive its replacement.

    SageMaker rolls an update back without telling CloudFormation, which would then delete what still serves. A
    function collects what nothing refers to (`collection`).
    """
    resource.cfn_options.condition = exists
    resource.apply_removal_policy(removal_policy)
    resource.cfn_options.update_replace_policy = CfnDeletionPolicy.RETAIN
