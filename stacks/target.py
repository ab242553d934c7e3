"""What the owner of a target account deploys once, so that every model of the project can be deployed there."""

from __future__ import annotations

from typing import Any

from aws_cdk import Fn, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from mlops_constructs import DataKey, DeploymentTarget, Notifications
from mlops_constructs.accounts import Accounts, TargetRole
from mlops_constructs.retention import RETAIN
from mlops_constructs.settings import EnvironmentName
from mlops_constructs.shared_resources import ServingResources


class TargetStack(Stack):
    """The roles that the tools account may become, the key of the endpoints, and the topic of their alarms."""

    def __init__(
        self, scope: Construct, construct_id: str, *, accounts: Accounts, target: EnvironmentName, **options: Any
    ) -> None:
        """Make the resources of the environment `target`; the key and the topic outlive the stack."""
        super().__init__(scope, construct_id, **options)
        self._accounts, self._target = accounts, target
        environment = accounts.environment(target)
        # The logs of the API are the only ones in a target account.
        delivering = ["cloudwatch", "logs"] if environment.api is not None else ["cloudwatch"]
        key = DataKey(self, "Key", delivering=delivering, removal_policy=RETAIN)
        emails = environment.notify
        notifications = Notifications(self, "Notifications", key=key, emails=emails, publishing=["cloudwatch"])
        DeploymentTarget(self, "Target", accounts=accounts, target=target, key=key)
        self.export_value(key.key_arn, name=self._export("KeyArn"))
        self.export_value(notifications.topic.topic_arn, name=self._export("TopicArn"))

    def serving_resources(self, stack: Stack) -> ServingResources:
        """Return what the serving stacks of this environment use, by the values that this stack exports."""
        stack.add_stack_dependency(self)
        return ServingResources(
            key=kms.Key.from_key_arn(stack, "Key", Fn.import_value(self._export("KeyArn"))),
            topic=sns.Topic.from_topic_arn(stack, "Topic", Fn.import_value(self._export("TopicArn"))),
            execution_role_arn=self._accounts.role(self._target, TargetRole.EXECUTION),
            artifacts=self._accounts.bucket("artifacts", self._accounts.tools, stack.region),
        )

    def _export(self, name: str) -> str:
        return f"{self.stack_name}:{name}"
