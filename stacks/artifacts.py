"""The artifacts of the tools account in another region, for the targets there."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from mlops_constructs import AccessLogBucket, DataKey, EncryptedBucket
from mlops_constructs.accounts import Accounts
from mlops_constructs.artifact_store import admit_targets
from mlops_constructs.retention import RETAIN


class RegionalArtifactsStack(Stack):
    """A bucket with its key: SageMaker and CodePipeline take what they deploy from their own region only."""

    def __init__(self, scope: Construct, construct_id: str, *, accounts: Accounts, region: str, **options: Any) -> None:
        """Make the bucket for the targets in `region`; it outlives the stack."""
        super().__init__(scope, construct_id, **options)
        key = DataKey(self, "Key", delivering=(), removal_policy=RETAIN)
        artifacts = EncryptedBucket(
            self,
            "Artifacts",
            bucket_name=accounts.bucket("artifacts", accounts.tools, region),
            key=key,
            log_bucket=AccessLogBucket(self, "AccessLogs", removal_policy=RETAIN),
            removal_policy=RETAIN,
        )
        admit_targets(accounts, region=region, key=key, artifacts=artifacts)
        CfnOutput(self, "ArtifactBucket", value=artifacts.bucket_name)
        CfnOutput(self, "KeyArn", value=key.key_arn)
