"""The accounts of a project: what one of them calls what another one has.

Accounts cannot refer to each other's resources by value: what they have to know of each other is a name, and each name
is made here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from aws_cdk import region_info

from mlops_constructs.admission import Admission
from mlops_constructs.settings import Environment, EnvironmentName, Environments


class Duty(StrEnum):
    """What a role of one account does in another: the path of the role, which the other account's policies name.

    Only who may make roles in the first account can make one with such a path.
    """

    PIPELINE = "pipeline"
    """Deploys to the targets (a role of CodePipeline in the tools account)."""
    VERIFICATION = "verification"
    """Looks at what the targets serve, and calls it (functions in the tools account)."""
    INTAKE = "intake"
    """Takes candidates (functions in the tools account)."""
    HANDOVER = "handover"
    """Announces candidates (a role of EventBridge in the data-science account)."""


class TargetRole(StrEnum):
    """The roles that the owner of a target account provides."""

    EXECUTION = "execution"
    """The endpoints run as it."""
    DEPLOYMENT = "deployment"
    """CloudFormation deploys the endpoints with it."""
    PIPELINE = "pipeline"
    """The pipeline of the tools account becomes it."""
    OBSERVER = "observer"
    """The verification of the tools account becomes it."""


@dataclass(frozen=True)
class Accounts:
    """Names and admissions between the accounts of `environments`."""

    environments: Environments

    @property
    def project(self) -> str:
        """The first part of every name."""
        return self.environments.project

    @property
    def tools(self) -> Environment:
        """The account of the pipelines."""
        return self.environments.tools

    @property
    def data_science(self) -> Environment:
        """The account of the data scientists.

        Raises:
            ValueError: there is none.

        """
        if self.environments.data_science is None:
            msg = "there is no data-science account; add 'data_science:' to environments.yaml"
            raise ValueError(msg)
        return self.environments.data_science

    def environment(self, target: str) -> Environment:
        """Return the account and region of the environment `target`."""
        found: Environment = getattr(self.environments, target)
        return found

    @property
    def partition(self) -> str:
        """The partition of all accounts: roles of one cannot be admitted in another."""
        return region_info.RegionInfo.get(self.tools.region).partition or "aws"

    def bucket(self, kind: str, environment: Environment, region: str | None = None) -> str:
        """Return the name of the bucket for `kind` in an account."""
        return f"{self.project}-{kind}-{environment.account}-{region or environment.region}"

    def path(self, duty: Duty) -> str:
        """Return the path of the roles with a duty."""
        return f"/{self.project}/{duty}/"

    def role(self, target: str, kind: TargetRole) -> str:
        """Return the ARN of a role of the target account."""
        return f"arn:{self.partition}:iam::{self.environment(target).account}:role/{self.role_name(target, kind)}"

    def role_name(self, target: str, kind: TargetRole) -> str:
        """Return the name of a role of the target account."""
        return f"{self.project}-{target}-{kind}"

    def admit(self, duty: Duty) -> Admission:
        """Return the admission of the roles with a duty."""
        account = self.data_science.account if duty is Duty.HANDOVER else self.tools.account
        return self._admission([f"arn:{self.partition}:iam::{account}:role{self.path(duty)}*"])

    def admit_targets(self, targets: Iterable[str], *kinds: TargetRole) -> Admission:
        """Return the admission of roles of target accounts."""
        return self._admission([self.role(target, kind) for target in targets for kind in kinds])

    def _admission(self, roles: Sequence[str]) -> Admission:
        return Admission(roles=tuple(roles), organization=self.environments.organization)

    def remote_targets(self, region: str | None = None) -> list[EnvironmentName]:
        """Return the environments that are not where the tools are; those of one region where it is given."""
        return [
            target
            for target in self.environments.remote_targets()
            if region is None or self.environment(target).region == region
        ]

    def regions(self) -> list[str]:
        """Return the regions besides that of the tools in which something is deployed, each once."""
        found = [self.environment(target).region for target in self.remote_targets()]
        return [region for region in dict.fromkeys(found) if region != self.tools.region]

    @property
    def candidate_bus(self) -> str:
        """The name of the event bus that hears of candidates."""
        return f"{self.project}-candidates"

    def candidate_bus_arn(self) -> str:
        """Return the ARN of that bus."""
        return f"arn:{self.partition}:events:{self.tools.region}:{self.tools.account}:event-bus/{self.candidate_bus}"

    def candidate_group(self, model: str) -> str:
        """Return the name of the model package group in which a data scientist hands candidates of `model` over."""
        return f"{self.project}-{model}-candidates"

    def candidate_group_arn(self, model: str) -> str:
        """Return the ARN of that group."""
        where = f"{self.data_science.region}:{self.data_science.account}"
        return f"arn:{self.partition}:sagemaker:{where}:model-package-group/{self.candidate_group(model)}"
