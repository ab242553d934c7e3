"""The roles that SageMaker assumes: one for the jobs of a model, one for each of its endpoints."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_assets as s3_assets
from constructs import Construct

from mlops_constructs.network import Placement, allow_job_interfaces
from mlops_constructs.roles import ServiceRole

RUNS = "the files of the runs of this one model; a run is named when it starts"
IMAGES = "the images of the models that are deployed here; each repository's own policy names this role"
ECR_PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")


class SageMakerRole(ServiceRole):
    """A role for SageMaker that may pull its images, write its logs and metrics, and nothing else yet."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        description: str,
        repositories: Sequence[str],
        log_groups: Sequence[str],
        name: str | None = None,
    ) -> None:
        """Make the role; `repositories` are ARNs, `log_groups` the fixed names that SageMaker writes to."""
        super().__init__(scope, construct_id, service="sagemaker.amazonaws.com", description=description, name=name)
        wild = any("*" in repository for repository in repositories)
        self.allow(*ECR_PULL, on=list(dict.fromkeys(repositories)), because=IMAGES if wild else None)
        self.allow(
            "ecr:GetAuthorizationToken",
            on="*",
            because="ECR has no resource-level permission for its token (Service Authorization Reference, Amazon ECR)",
        )
        stack = Stack.of(self)
        groups = [
            stack.format_arn(
                service="logs", resource="log-group", resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
            )
            for name in log_groups
        ]
        own = "SageMaker names the streams of a job or endpoint itself"
        self.allow("logs:CreateLogGroup", "logs:DescribeLogStreams", on=[f"{group}:*" for group in groups], because=own)
        self.allow(
            "logs:CreateLogStream", "logs:PutLogEvents", on=[f"{group}:log-stream:*" for group in groups], because=own
        )
        self.allow(
            "cloudwatch:PutMetricData",
            on="*",
            when={"StringLike": {"cloudwatch:namespace": ["/aws/sagemaker/*", "AWS/SageMaker"]}},
            because="CloudWatch has no resource-level permission for metrics; the namespace is the condition",
        )

    def allow_network(self) -> None:
        """Allow the network interfaces that SageMaker makes in a VPC, where there is one."""
        placement = Placement.of(self)
        if placement is not None:
            allow_job_interfaces(self, placement)


class JobExecutionRole(SageMakerRole):
    """The role of a model's jobs: its own runs, the programs that it runs, nothing of other models."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        model: str,
        runs_prefix: str,
        artifacts: s3.IBucket,
        key: kms.IKey,
        repositories: Sequence[str],
        assets: Sequence[s3_assets.Asset],
    ) -> None:
        """Make the role for jobs that work below `runs_prefix` of the artifact bucket."""
        super().__init__(
            scope,
            construct_id,
            description=f"Jobs of {model}",
            repositories=repositories,
            log_groups=[f"/aws/sagemaker/{kind}Jobs" for kind in ("Training", "Processing", "Transform")],
        )
        self.allow("s3:GetObject", "s3:PutObject", on=artifacts.arn_for_objects(f"{runs_prefix}/*"), because=RUNS)
        self.allow("s3:ListBucket", on=artifacts.bucket_arn, when={"StringLike": {"s3:prefix": [f"{runs_prefix}/*"]}})
        for asset in assets:
            self.allow("s3:GetObject", on=asset.bucket.arn_for_objects(asset.s3_object_key))
            self.allow(
                "s3:ListBucket", on=asset.bucket.bucket_arn, when={"StringLike": {"s3:prefix": [asset.s3_object_key]}}
            )
        self.allow_use_of_key(key, write=True, via="s3")
        self.allow_network()


class EndpointExecutionRole(SageMakerRole):
    """The role of an endpoint: it reads the models of one model group, and writes logs and metrics."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        endpoint_names: Sequence[str],
        runs_prefix: str,
        artifacts: s3.IBucket,
        key_arn: str,
        repositories: Sequence[str],
        name: str | None = None,
    ) -> None:
        """Make the role for the endpoints called `endpoint_names`."""
        super().__init__(
            scope,
            construct_id,
            description=f"Serves {endpoint_names[0]}",
            repositories=repositories,
            log_groups=[f"/aws/sagemaker/Endpoints/{name}" for name in endpoint_names],
            name=name,
        )
        self.allow("s3:GetObject", on=artifacts.arn_for_objects(f"{runs_prefix}/*/model.tar.gz"), because=RUNS)
        self.allow_use_of_keys(key_arn, write=False, via="s3")
        # As this role, SageMaker looks at the alarms that roll an update back (Deployment guardrails, "Prerequisites").
        self.allow(
            "cloudwatch:DescribeAlarms",
            on=Stack.of(self).format_arn(
                service="cloudwatch",
                resource="alarm",
                resource_name=f"{endpoint_names[0]}-*",
                arn_format=ArnFormat.COLON_RESOURCE_NAME,
            ),
            because="the alarms of this endpoint, which carry its name",
        )
        self.allow_network()


def allow_capture(role: SageMakerRole, *, model: str, environment: str, artifacts: s3.IBucket, key: kms.IKey) -> None:
    """Let the role of an endpoint keep what its variants answer to copies of requests."""
    captured = artifacts.arn_for_objects(f"{model}/endpoints/{environment}/captures/*")
    because = "what the variants of this one endpoint answer; SageMaker names the files"
    role.allow("s3:PutObject", on=captured, because=because)
    role.allow_use_of_key(key, write=True, via="s3")
