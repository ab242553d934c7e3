"""Sandboxes: where data scientists work on their own, inside limits that they cannot move."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aws_cdk import Fn, RemovalPolicy, Stack
from constructs import Construct

from mlops_constructs.accounts import Accounts
from mlops_constructs.encryption import DataKey
from mlops_constructs.network import Placement
from mlops_constructs.sandbox_portfolio import NOTEBOOK, STUDIO
from mlops_constructs.sandbox_roles import (
    LaunchRole,
    NotebookLaunchRole,
    SandboxExecutionRole,
    SandboxJobRole,
    StudioLaunchRole,
)
from mlops_constructs.sandbox_workspace import IdleStop, SandboxGroup, StudioDomain
from mlops_constructs.settings import Network
from mlops_constructs.settings.sandbox import Sandbox as SandboxSettings
from mlops_constructs.storage import AccessLogBucket, EncryptedBucket


def network_of(accounts: Accounts) -> Network:
    """Return the network that sandboxes are in.

    Raises:
        ValueError: there is none.

    """
    network = accounts.data_science.network
    if network is None:
        msg = "sandboxes have no network; add 'network:' to data_science in environments.yaml"
        raise ValueError(msg)
    return network


class Sandbox(Construct):
    """Everything that a product needs to be there when it is launched."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        accounts: Accounts,
        settings: SandboxSettings,
        idle_program: Path,
        removal_policy: RemovalPolicy,
    ) -> None:
        """Make it in the account of the data scientists; `idle_program` stops their notebooks."""
        super().__init__(scope, construct_id)
        self._accounts, self._settings, self._removal_policy = accounts, settings, removal_policy
        self.placement = self._placed()
        self.key = DataKey(self, "Key", removal_policy=removal_policy)
        self.bucket = self._define_bucket()
        files: dict[str, Any] = {"bucket_arn": self.bucket.bucket_arn, "key": self.key}
        self.job_role = SandboxJobRole(self, "Jobs", placement=self.placement, **files)
        self.execution_role = SandboxExecutionRole(
            self,
            "Execution",
            accounts=accounts,
            sandbox=settings,
            placement=self.placement,
            job_role=self.job_role,
            **files,
        )
        self.security_groups = self._define_security_groups()
        self.domain = self._define_domain()
        self.idle_stop = IdleStop(
            self,
            "IdleStop",
            project=accounts.project,
            program=idle_program,
            minutes=settings.idle_minutes,
            environment=self._environment(),
        )
        self.launch_roles = self._define_launch_roles()

    def _placed(self) -> Placement:
        placement = Placement.of(self)
        if placement is None:
            msg = f"the network of {self.node.path} is not declared; call declare_networks() before anything is made"
            raise ValueError(msg)
        return placement

    def _define_bucket(self) -> EncryptedBucket:
        return EncryptedBucket(
            self,
            "Files",
            bucket_name=self._accounts.bucket("sandbox", self._accounts.data_science),
            key=self.key,
            log_bucket=AccessLogBucket(self, "AccessLogs", removal_policy=self._removal_policy),
            removal_policy=self._removal_policy,
        )

    def _define_security_groups(self) -> list[str]:
        network = network_of(self._accounts)
        if network.cidr is None:  # somebody else's network has groups for this
            return list(self.placement.job_groups)
        made = SandboxGroup(self, "Network", project=self._accounts.project, placement=self.placement, network=network)
        return [made.group.attr_group_id]

    def _define_domain(self) -> StudioDomain:
        return StudioDomain(
            self,
            "Studio",
            project=self._accounts.project,
            sandbox=self._settings,
            placement=self.placement,
            security_groups=self.security_groups,
            execution_role=self.execution_role,
            key=self.key,
            removal_policy=self._removal_policy,
        )

    def _define_launch_roles(self) -> Mapping[str, LaunchRole]:
        notebook = NotebookLaunchRole(
            self,
            "NotebookLaunch",
            project=self._accounts.project,
            sandbox=self._settings,
            placement=self.placement,
            security_groups=self.security_groups,
            execution_role=self.execution_role,
            key=self.key,
        )
        domain_id = self.domain.domain.attr_domain_id
        studio = StudioLaunchRole(self, "StudioLaunch", sandbox=self._settings, domain_id=domain_id)
        return {NOTEBOOK: notebook, STUDIO: studio}

    def _environment(self) -> dict[str, str]:
        """Return what notebooks are told: where their files are, and how their jobs must run."""
        return {
            "SANDBOX_BUCKET": self.bucket.bucket_name,
            "SANDBOX_KEY_ARN": self.key.key_arn,
            "SANDBOX_ROLE_ARN": self.job_role.arn,
            "SANDBOX_SECURITY_GROUPS": Fn.join(",", list(self.placement.job_groups)),
            "SANDBOX_SUBNETS": Fn.join(",", list(self.placement.subnet_ids)),
            "AWS_DEFAULT_REGION": Stack.of(self).region,
        }

    def exported(self) -> dict[str, str]:
        """Return what the templates of the products import, by name."""
        return {
            "DomainId": self.domain.domain.attr_domain_id,
            "ExecutionRoleArn": self.execution_role.arn,
            "KeyArn": self.key.key_arn,
            "LifecycleConfig": self.idle_stop.configuration.attr_notebook_instance_lifecycle_config_name,
            "SecurityGroups": Fn.join(",", self.security_groups),
        }
