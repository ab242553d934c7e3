"""Buckets for data and artifacts: encrypted, versioned, private, logged, and kept when their stack goes."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from mlops_constructs.acknowledgements import acknowledge

_NOT_REPLICATED = (
    "a second region is the decision of the account's owner; versions are kept, and every model can be trained again "
    "from the data version that its lineage names"
)


class AccessLogBucket(s3.Bucket):
    """Where S3 writes the access logs of the other buckets.

    Encrypted with S3's own key: log delivery does not write to buckets with a customer-managed key
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html).
    """

    def __init__(self, scope: Construct, construct_id: str, *, removal_policy: RemovalPolicy) -> None:
        """Make the bucket; logs are kept for a year."""
        super().__init__(
            scope,
            construct_id,
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            versioned=True,
            removal_policy=removal_policy,
            lifecycle_rules=[
                s3.LifecycleRule(
                    expiration=Duration.days(365),
                    noncurrent_version_expiration=Duration.days(30),
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                )
            ],
        )
        self.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["s3:PutObject"],
                principals=[iam.ServicePrincipal("logging.s3.amazonaws.com")],
                resources=[self.arn_for_objects("*")],
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            )
        )
        acknowledge(
            self,
            {
                "NIST.800.53.R5-S3BucketReplicationEnabled": _NOT_REPLICATED,
                "NIST.800.53.R5-S3DefaultEncryptionKMS": "S3 log delivery does not write to a bucket whose default key "
                "is customer-managed; the logs are encrypted with S3's own key",
                "CKV_AWS_18": "this is the bucket that the access logs of the others go to",
            },
        )


class EncryptedBucket(s3.Bucket):
    """A bucket for data or artifacts; every new object is announced to EventBridge."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        bucket_name: str | None = None,
        key: kms.IKey,
        log_bucket: s3.IBucket,
        removal_policy: RemovalPolicy,
    ) -> None:
        """Make the bucket; replaced versions are kept for 90 days, so that a run can be traced to its data."""
        super().__init__(
            scope,
            construct_id,
            bucket_name=bucket_name,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=key,
            bucket_key_enabled=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            versioned=True,
            removal_policy=removal_policy,
            lifecycle_rules=[
                s3.LifecycleRule(
                    noncurrent_version_expiration=Duration.days(90),
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                )
            ],
        )
        acknowledge(self, {"NIST.800.53.R5-S3BucketReplicationEnabled": _NOT_REPLICATED})
        # The properties themselves: `event_bridge_enabled` adds a custom resource with a broad role, and what
        # `server_access_logs_bucket` does depends on a feature flag.
        resource = self.node.default_child
        if isinstance(resource, s3.CfnBucket):
            resource.logging_configuration = s3.CfnBucket.LoggingConfigurationProperty(
                destination_bucket_name=log_bucket.bucket_name, log_file_prefix=f"{construct_id.lower()}/"
            )
            resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
                event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
            )
