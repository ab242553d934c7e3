"""What earlier versions leave behind: configurations and models that CloudFormation keeps for rollbacks."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from constructs import Construct

from mlops_constructs.functions import WorkflowFunction
from mlops_constructs.messaging import DeadLetterQueue, DeliveredRule
from mlops_constructs.serving_target import ServingTarget

KEPT_DAYS = 30
"""Days after which a configuration or model that nothing refers to is deleted: longer than any rollout lasts."""
_LISTS = "no resource-level permission (Service Authorization Reference, Amazon SageMaker)"
_READS = "what any endpoint, configuration or job of the account and region refers to has to stay; it only reads them"


class ConfigurationCollection(Construct):
    """Deletes endpoint configurations and models of earlier versions once a day, if nothing refers to them."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        targets: list[ServingTarget],
        key: kms.IKey,
        dead_letters: DeadLetterQueue,
        removal_policy: RemovalPolicy,
    ) -> None:
        """Collect behind the endpoints of `targets`, all of which are in this account and region."""
        super().__init__(scope, construct_id)
        listed = [{"endpoint": target.endpoint, "stack": target.stack} for target in targets]
        self.function = WorkflowFunction(
            self,
            "CollectConfigurations",
            name="collect_configurations",
            description="Deletes configurations and models of earlier versions",
            key=key,
            environment={"TARGETS": Stack.of(self).to_json_string(listed), "KEPT_DAYS": str(KEPT_DAYS)},
            timeout=Duration.minutes(15),
            dead_letters=dead_letters,
            removal_policy=removal_policy,
        )
        self._grant(targets)
        rule = DeliveredRule(
            self,
            "Daily",
            description="Time to delete what earlier versions left behind",
            schedule="rate(1 day)",
            target_arn=self.function.arn,
            dead_letters=dead_letters,
        )
        self.function.admit_events(rule.rule.attr_arn)

    def _grant(self, targets: list[ServingTarget]) -> None:
        role, stack = self.function.role, Stack.of(self)
        role.allow(
            "sagemaker:ListEndpoints",
            "sagemaker:ListEndpointConfigs",
            "sagemaker:ListModels",
            "sagemaker:ListTransformJobs",
            on="*",
            because=_LISTS,
        )
        for action, resource in (
            ("DescribeEndpoint", "endpoint"),
            ("DescribeEndpointConfig", "endpoint-config"),
            ("DescribeTransformJob", "transform-job"),
        ):
            every = stack.format_arn(service="sagemaker", resource=resource, resource_name="*")
            role.allow(f"sagemaker:{action}", on=every, because=_READS)
        for action, resource in (("DeleteEndpointConfig", "endpoint-config"), ("DeleteModel", "model")):
            versions = [
                stack.format_arn(service="sagemaker", resource=resource, resource_name=f"{target.endpoint}-v*")
                for target in targets
            ]
            role.allow(f"sagemaker:{action}", on=versions, because="the versions of this model's endpoints")
        stacks = [
            stack.format_arn(service="cloudformation", resource="stack", resource_name=f"{target.stack}/*")
            for target in targets
        ]
        role.allow(
            "cloudformation:DescribeStacks",
            "cloudformation:DescribeStackResources",
            on=stacks,
            because="the id that CloudFormation appends",
        )
