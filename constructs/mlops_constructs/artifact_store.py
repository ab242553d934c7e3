"""Where the artifacts of the pipelines and the models of the runs are, for the accounts that take them from there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import CfnParameter, Stack
from aws_cdk import aws_codepipeline as codepipeline
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


def regional_key(stack: Stack, region: str) -> str:
    """Return the key of the artifacts in another region, which only the owner of the account can tell.

    A stack knows nothing of another region; and an alias, which it could know, does not hold for the actions in other
    accounts (https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_EncryptionKey.html).
    """
    parameter = CfnParameter(
        stack,
        f"ArtifactKey{region.title().replace('-', '')}",
        description=f"Output KeyArn of the stack with the artifacts in {region}",
        allowed_pattern=rf"arn:[a-z-]+:kms:{region}:[0-9]{{12}}:key/[0-9a-z-]+",
    )
    return parameter.value_as_string


def pipeline_stores(
    region: str, *, bucket: str, key_arn: str, buckets: Mapping[str, str], keys: Mapping[str, str]
) -> dict[str, Any]:
    """Return where a pipeline in `region` keeps its artifacts, as properties of the pipeline.

    In `bucket` alone, or also in one of `buckets`, encrypted by one of `keys`, for each other region it deploys to.
    """

    def store(location: str, key: str) -> codepipeline.CfnPipeline.ArtifactStoreProperty:
        encryption = codepipeline.CfnPipeline.EncryptionKeyProperty(id=key, type="KMS")
        return codepipeline.CfnPipeline.ArtifactStoreProperty(type="S3", location=location, encryption_key=encryption)

    here = store(bucket, key_arn)
    if not buckets:
        return {"artifact_store": here}
    mapping = codepipeline.CfnPipeline.ArtifactStoreMapProperty
    there = [mapping(region=name, artifact_store=store(one, keys[name])) for name, one in buckets.items()]
    return {"artifact_stores": [mapping(region=region, artifact_store=here), *there]}
