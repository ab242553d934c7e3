"""What all models share in the account of the tools."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from constructs import Construct

from mlops_constructs import SharedResources
from mlops_constructs.accounts import Accounts
from mlops_constructs.artifact_store import admit_targets
from mlops_constructs.candidates import CandidateBus
from mlops_constructs.encryption import DataKey
from mlops_constructs.messaging import Notifications
from mlops_constructs.retention import RETAIN
from mlops_constructs.shared_resources import ServingResources
from mlops_constructs.storage import AccessLogBucket, EncryptedBucket


class FoundationStack(Stack):
    """The key, the buckets for data and artifacts, and the topic for notifications."""

    def __init__(self, scope: Construct, construct_id: str, *, accounts: Accounts, **options: Any) -> None:
        """Make the shared resources of the tools account; they outlive the stack."""
        super().__init__(scope, construct_id, **options)
        tools = accounts.tools
        key = DataKey(self, "Key", removal_policy=RETAIN)
        logs = AccessLogBucket(self, "AccessLogs", removal_policy=RETAIN)
        data, artifacts = (
            EncryptedBucket(
                self,
                construct_id,
                bucket_name=accounts.bucket(construct_id.lower(), tools),
                key=key,
                log_bucket=logs,
                removal_policy=RETAIN,
            )
            for construct_id in ("Data", "Artifacts")
        )
        admit_targets(accounts, region=tools.region, key=key, artifacts=artifacts)
        notifications = Notifications(self, "Notifications", key=key, emails=tools.notify)
        if accounts.environments.data_science is not None:
            CandidateBus(self, "Candidates", accounts=accounts)
        self._shared = SharedResources(key=key, data=data, artifacts=artifacts, topic=notifications.topic)
        CfnOutput(self, "DataBucket", value=data.bucket_name)
        CfnOutput(self, "ArtifactBucket", value=artifacts.bucket_name)
        CfnOutput(self, "NotificationTopic", value=notifications.topic.topic_arn)

    def serving_resources(self, stack: Stack, *, execution_role_arn: str) -> ServingResources:
        """Return what a serving stack in the account of the tools uses."""
        shared = self.shared_with(stack)
        return ServingResources(
            key=shared.key,
            topic=shared.topic,
            execution_role_arn=execution_role_arn,
            artifacts=shared.artifacts.bucket_name,
        )

    def shared_with(self, stack: Stack) -> SharedResources:
        """Return the shared resources as `stack` sees them: by the values that this stack exports."""
        shared = self._shared
        stack.add_stack_dependency(self)
        return SharedResources(
            key=kms.Key.from_key_arn(stack, "Key", self.export_value(shared.key.key_arn)),
            data=self._bucket(stack, "Data", shared.data),
            artifacts=self._bucket(stack, "Artifacts", shared.artifacts),
            topic=sns.Topic.from_topic_arn(stack, "Topic", self.export_value(shared.topic.topic_arn)),
        )

    def _bucket(self, stack: Stack, construct_id: str, bucket: s3.IBucket) -> s3.IBucket:
        return s3.Bucket.from_bucket_attributes(
            stack,
            construct_id,
            bucket_arn=self.export_value(bucket.bucket_arn),
            bucket_name=self.export_value(bucket.bucket_name),
        )
