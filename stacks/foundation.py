"""What all models of an account share."""

from __future__ import annotations

from typing import Any

from aws_cdk import RemovalPolicy, Stack
from constructs import Construct

from mlops_constructs import SharedResources
from mlops_constructs.encryption import DataKey
from mlops_constructs.messaging import Notifications
from mlops_constructs.settings import Environment
from mlops_constructs.storage import AccessLogBucket, EncryptedBucket


class FoundationStack(Stack):
    """The key, the buckets for data and artifacts, and the topic for notifications."""

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment, **options: Any) -> None:
        """Make the shared resources of `environment`; they outlive the stack."""
        super().__init__(scope, construct_id, **options)
        retain = RemovalPolicy.RETAIN
        key = DataKey(self, "Key", removal_policy=retain)
        logs = AccessLogBucket(self, "AccessLogs", removal_policy=retain)
        data = EncryptedBucket(self, "Data", key=key, log_bucket=logs, removal_policy=retain)
        artifacts = EncryptedBucket(self, "Artifacts", key=key, log_bucket=logs, removal_policy=retain)
        notifications = Notifications(self, "Notifications", key=key, emails=environment.notify)
        self.shared = SharedResources(key=key, data=data, artifacts=artifacts, topic=notifications.topic)
