"""The one key that encrypts what the product stores."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import ArnFormat, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct


class DataKey(kms.Key):
    """A customer-managed key with rotation, for buckets, queues, topics, tables, logs and volumes.

    Services that deliver on their own (EventBridge, CloudWatch alarms, CloudWatch Logs) are named in the key policy;
    everything else gets its use of the key from its own role.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        delivering: Sequence[str] = ("events", "cloudwatch", "logs"),
        removal_policy: RemovalPolicy,
    ) -> None:
        """Make the key for the `delivering` services; a destroyed key is kept for 30 days by KMS."""
        super().__init__(
            scope,
            construct_id,
            description="Data, models, logs and messages of the machine-learning pipelines",
            enable_key_rotation=True,
            removal_policy=removal_policy,
        )
        self._admit(*(f"{service}.amazonaws.com" for service in delivering if service != "logs"))
        if "logs" in delivering:
            self._admit_logs()

    def _admit(self, *services: str) -> None:
        for service in services:
            self.add_to_resource_policy(
                iam.PolicyStatement(
                    actions=["kms:Decrypt", "kms:GenerateDataKey"],
                    principals=[iam.ServicePrincipal(service)],
                    resources=["*"],
                    conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
                )
            )

    def _admit_logs(self) -> None:
        stack = Stack.of(self)
        # CloudWatch Logs names the log group in the encryption context, not the account in aws:SourceAccount:
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
        groups = stack.format_arn(
            service="logs", resource="log-group", resource_name="*", arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        self.add_to_resource_policy(
            iam.PolicyStatement(
                actions=[
                    "kms:Decrypt",
                    "kms:Encrypt",
                    "kms:GenerateDataKey",
                    "kms:DescribeKey",
                    "kms:ReEncryptFrom",
                    "kms:ReEncryptTo",
                ],
                principals=[iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
                resources=["*"],
                conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
            )
        )
