"""What all models of an account share."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns


@dataclass(frozen=True, kw_only=True)
class SharedResources:
    """Key, buckets and topic."""

    key: kms.IKey
    data: s3.IBucket
    artifacts: s3.IBucket
    topic: sns.ITopic


@dataclass(frozen=True, kw_only=True)
class ServingResources:
    """What the endpoints of an environment use of their own account."""

    key: kms.IKey
    topic: sns.ITopic
    execution_role_arn: str
    artifacts: str
    """Name of the bucket with the models of its region."""
