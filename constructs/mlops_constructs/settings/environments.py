"""Where everything runs: the content of `config/environments.yaml`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from mlops_constructs.settings.api import Api
from mlops_constructs.settings.network import Network
from mlops_constructs.settings.sandbox import Sandbox
from mlops_constructs.settings.section import (
    AccountId,
    Email,
    OrganizationId,
    PolicyReference,
    ProjectName,
    Region,
    Section,
    TagKey,
    TagValue,
)

PROJECT: Final = "mlops"
"""The prefix of names, unless a fork chooses another."""


class EnvironmentName(StrEnum):
    """The environments that a model is deployed to, in the order of promotion."""

    DEV = "dev"
    STAGING = "staging"
    PROD = "prod"


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
    """The VPC of jobs, endpoints and functions here; without it, networks of SageMaker and Lambda."""
    notify: Annotated[tuple[Email, ...], Field(max_length=20)] = ()
    """E-mail addresses that hear of failures and approvals."""
    api: Api | None = None
    """The HTTP API in front of the models that serve here; without it, callers invoke the endpoints of SageMaker."""


class Environments(Section):
    """The project and its environments; any of them may share an account and a region."""

    project: ProjectName = PROJECT
    """The first part of every name."""
    organization: OrganizationId | None = None
    """The AWS organization of the accounts: nobody outside is admitted, whatever his role is called."""
    data_science: Environment | None = None
    """Where data scientists work, and from where they hand candidates over."""
    sandbox: Sandbox | None = None
    """What data scientists may take for themselves there, and who people are; without it, there are no sandboxes."""
    tools: Environment
    """Where the pipelines and the model registry are."""
    dev: Environment
    """Where a new model is deployed first."""
    staging: Environment
    """Where it is checked with labelled data."""
    prod: Environment
    """Where it serves."""

    def is_remote(self, target: str) -> bool:
        """Whether the environment `target` is in another account or region than the tools."""
        environment: Environment = getattr(self, target)
        return (environment.account, environment.region) != (self.tools.account, self.tools.region)

    def remote_targets(self) -> tuple[EnvironmentName, ...]:
        """Return the environments in another account or region than the tools, in the order of promotion."""
        return tuple(target for target in EnvironmentName if self.is_remote(target))
