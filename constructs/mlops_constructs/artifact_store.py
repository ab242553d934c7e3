"""Where the artifacts of the pipelines and the models of the runs are, for the accounts that take them from there."""

from __future__ import annotations

from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from mlops_constructs.accounts import Accounts, TargetRole


def admit_targets(accounts: Accounts, *, region: str, key: kms.Key, artifacts: s3.Bucket) -> None:
    """Let the targets of a region read models and pipeline artifacts, each role what it needs, and nothing else."""
    targets = accounts.remote_targets(region)
    if not targets:
        return
    endpoints = accounts.admit_targets(targets, TargetRole.EXECUTION)
    pipelines = accounts.admit_targets(targets, TargetRole.PIPELINE)
    both = accounts.admit_targets(targets, TargetRole.EXECUTION, TargetRole.PIPELINE)
    # Only through S3: the bucket's policy decides which objects that means.
    through_s3 = {"StringEquals": {"kms:ViaService": f"s3.{region}.amazonaws.com"}}
    key.add_to_resource_policy(both.statement("TargetsDecryptThroughS3", ["kms:Decrypt"], ["*"], through_s3))
    models = artifacts.arn_for_objects("*/runs/*/model.tar.gz")
    artifacts.add_to_resource_policy(endpoints.statement("TargetsReadModels", ["s3:GetObject"], [models]))
    artifacts.add_to_resource_policy(
        pipelines.statement(
            "TargetsReadArtifacts",
            ["s3:GetObject", "s3:GetObjectVersion"],
            [artifacts.arn_for_objects(f"{accounts.project}-*")],
        )
    )
