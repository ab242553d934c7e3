"""Where everything runs: the content of `config/environments.yaml`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from mlops_constructs.settings.section import (
    AccountId,
    Email,
    PolicyReference,
    ProjectName,
    Region,
    Section,
    SecurityGroupId,
    SubnetId,
    TagKey,
    TagValue,
    VpcId,
)

PROJECT: Final = "mlops"
"""The prefix of names, unless a fork chooses another."""


class EnvironmentName(StrEnum):
    """The environments that a model is deployed to, in the order of promotion."""

    DEV = "dev"
    STAGING = "staging"
    PROD = "prod"


class Network(Section):
    """The VPC that jobs and endpoints run in."""

    vpc_id: VpcId
    """The VPC."""
    subnet_ids: Annotated[tuple[SubnetId, ...], Field(min_length=1, max_length=16)]
    """Its subnets; two in different availability zones survive the loss of a zone."""
    security_group_ids: Annotated[tuple[SecurityGroupId, ...], Field(min_length=1, max_length=5)]
    """The security groups of the jobs and endpoints."""


class Environment(Section):
    """One account and region, and what holds for everything in it."""

    account: AccountId
    """The AWS account id, in quotes."""
    region: Region
    """The AWS region."""
    permissions_boundary: PolicyReference | None = None
    """The policy (name or ARN) that is set as the permissions boundary of every role."""
    tags: dict[TagKey, TagValue] = Field(default_factory=dict, max_length=40)
    """Tags of every resource."""
    network: Network | None = None
    """The VPC that jobs and endpoints run in; without it, in a network of SageMaker."""
    notify: Annotated[tuple[Email, ...], Field(max_length=20)] = ()
    """E-mail addresses that hear of failures and approvals."""


class Environments(Section):
    """The project and its four environments."""

    project: ProjectName = PROJECT
    """The first part of every name."""
    tools: Environment
    """Where the pipelines and the model registry are."""
    dev: Environment
    """Where a new model is deployed first."""
    staging: Environment
    """Where it is checked with labelled data."""
    prod: Environment
    """Where it serves."""
