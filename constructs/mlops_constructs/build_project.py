"""Builds in CodeBuild; the first of them tests and synthesizes the code that the pipeline is about to deploy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aws_cdk import RemovalPolicy
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from mlops_constructs.network import Placement, allow_build_interfaces
from mlops_constructs.roles import ServiceRole

INSTALL = {
    "runtime-versions": {"python": "3.13", "nodejs": "22"},
    "commands": [
        "python -m pip install --require-hashes -r requirements/uv.txt",
        "uv venv && uv pip sync --require-hashes requirements/dev.txt",
        "npm ci",
        'export PATH="$PWD/node_modules/.bin:$PATH"',
    ],
}
"""What every build installs first: the pinned tools of the project."""


def buildspec(model: str) -> dict[str, Any]:
    """Return the buildspec: install the pinned tools, test what ships, synthesize the stacks of `model`."""
    return {
        "version": "0.2",
        "env": {"variables": {"PYTHONPATH": ".:constructs"}},
        "phases": {
            "install": INSTALL,
            "build": {
                "commands": [
                    (
                        "uv run --no-sync python -m pytest -q -p no:cacheprovider "
                        "tests/lambdas/test_quality_gate_data.py tests/lambdas/test_quality_gate_metrics.py"
                    ),
                    f"cdk synth --quiet --output cdk.out -c models={model}",
                ]
            },
        },
        "artifacts": {"base-directory": "cdk.out", "files": ["**/*"]},
    }


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a build gets its source, when no pipeline hands it over."""

    bucket: s3.IBucket
    key: str


class BuildProject(Construct):
    """A CodeBuild project that runs a buildspec on the source of a pipeline, or on a zip in a bucket."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        description: str,
        specification: Mapping[str, Any],
        source: Source | None,
        artifacts: s3.IBucket,
        artifacts_prefix: str,
        key: kms.IKey,
        removal_policy: RemovalPolicy,
        builds_images: bool = False,
    ) -> None:
        """Make the project; without `source` it reads and writes `artifacts_prefix` of the artifact bucket."""
        super().__init__(scope, construct_id)
        self.role = ServiceRole(self, "ServiceRole", service="codebuild.amazonaws.com", description=description)
        self._log_group = logs.LogGroup(
            self, "Logs", encryption_key=key, retention=logs.RetentionDays.ONE_YEAR, removal_policy=removal_policy
        )
        self.role.allow(
            "logs:CreateLogStream", "logs:PutLogEvents", on=self._log_group.log_group_arn, because="its streams"
        )
        writes = "artifacts" in specification
        if source is not None:
            self.role.allow("s3:GetObject", "s3:GetObjectVersion", on=source.bucket.arn_for_objects(source.key))
        else:
            self.role.allow(
                "s3:GetObject",
                "s3:GetObjectVersion",
                *(["s3:PutObject"] if writes else []),
                on=artifacts.arn_for_objects(f"{artifacts_prefix}/*"),
                because="the artifacts of this one pipeline, which CodePipeline names",
            )
        self.role.allow_use_of_key(key, write=writes, via="s3")
        specified = json.dumps(specification, indent=1)
        kind = "CODEPIPELINE" if source is None else "S3"
        location = f"{source.bucket.bucket_name}/{source.key}" if source is not None else None
        self.project = codebuild.CfnProject(
            self,
            "Project",
            description=description,
            service_role=self.role.arn,
            encryption_key=key.key_arn,
            source=codebuild.CfnProject.SourceProperty(type=kind, location=location, build_spec=specified),
            artifacts=codebuild.CfnProject.ArtifactsProperty(type=kind if source is None else "NO_ARTIFACTS"),
            environment=codebuild.CfnProject.EnvironmentProperty(
                type="LINUX_CONTAINER",
                compute_type="BUILD_GENERAL1_MEDIUM",
                image="aws/codebuild/standard:7.0",
                # Docker needs it: https://docs.aws.amazon.com/codebuild/latest/userguide/sample-docker.html
                privileged_mode=builds_images,
            ),
            logs_config=codebuild.CfnProject.LogsConfigProperty(
                cloud_watch_logs=codebuild.CfnProject.CloudWatchLogsConfigProperty(
                    status="ENABLED", group_name=self._log_group.log_group_name
                )
            ),
            timeout_in_minutes=60,
            queued_timeout_in_minutes=60,
        )
        self._join_network()

    def finish(self) -> None:
        """Let the project wait for the permissions that its role has got by now."""
        self.role.required_by(self.project)

    def _join_network(self) -> None:
        """Build in the network of the account where it may lead to the registries that packages come from.

        The network that the project makes does not: builds stay in CodeBuild's own network then.
        """
        placement = Placement.of(self)
        if placement is None or not placement.leads_out:
            return
        self.project.vpc_config = codebuild.CfnProject.VpcConfigProperty(
            vpc_id=placement.vpc_id,
            subnets=list(placement.subnet_ids),
            security_group_ids=list(placement.function_groups),
        )
        allow_build_interfaces(self.role, placement)
