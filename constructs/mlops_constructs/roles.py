"""Least-privilege roles: every role of the product is made here.

A role made here cannot lack the confused-deputy guard, the permissions boundary (which its stack applies) or the
`iam:PassedToService` condition, because no argument leaves them out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import PermissionsBoundary, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from mlops_constructs.acknowledgements import acknowledge, flat
from mlops_constructs.admission import Admission

Conditions = Mapping[str, Mapping[str, Any]]
FOREIGN_KEYS = "a key of another account, or of another region, has an ARN that is not known here; its policy decides"


def permissions_boundary(policy: str | None) -> PermissionsBoundary | None:
    """Return the boundary that a stack puts on every role: the name of a policy of its account, or an ARN."""
    if policy is None:
        return None
    return PermissionsBoundary.from_arn(policy) if policy.startswith("arn:") else PermissionsBoundary.from_name(policy)


class ProductRole(Construct):
    """A role whose permissions go into one customer-managed policy, never inline, and only through `allow` and such."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        assumed_by: iam.IPrincipal,
        description: str,
        name: str | None = None,
        path: str | None = None,
    ) -> None:
        """Make the role; only one that another account has to name gets a `name` or a `path` of its own."""
        super().__init__(scope, construct_id)
        self._stack = Stack.of(self)
        self.role = iam.Role(self, "Role", description=description, assumed_by=assumed_by, role_name=name, path=path)
        self._policy: iam.ManagedPolicy | None = None

    @property
    def arn(self) -> str:
        """ARN of the role."""
        return self.role.role_arn

    def allow(
        self,
        *actions: str,
        on: str | Sequence[str],
        when: Conditions | None = None,
        because: str | None = None,
    ) -> None:
        """Allow `actions` on the resources `on`, under the conditions `when`.

        A resource with a wildcard needs a reason, `because`, which is recorded in the report of cdk-nag.

        Raises:
            ValueError: an action has a wildcard, a resource has one and no reason is given, or an action is
                `iam:PassRole`, which `allow_pass` grants.

        """
        for action in actions:
            if "*" in action:
                msg = f"a role never gets a wildcard action, got '{action}' for {self.node.path}; name each action"
                raise ValueError(msg)
            if action.lower() == "iam:passrole":
                msg = f"{self.node.path} asks for iam:PassRole without a service; use allow_pass(role)"
                raise ValueError(msg)
        resources = [on] if isinstance(on, str) else list(on)
        wild = sorted({name for name in map(flat, self._stack.resolve(resources)) if "*" in name})
        if wild and not because:
            msg = f"{self.node.path} allows {', '.join(actions)} on '{wild[0]}' without a reason; say why with because="
            raise ValueError(msg)
        policy = self._add(iam.PolicyStatement(actions=list(actions), resources=resources, conditions=dict(when or {})))
        acknowledge(policy, {f"AwsSolutions-IAM5[Resource::{name}]": because or "" for name in wild})

    def deny(self, *actions: str, on: Sequence[str]) -> None:
        """Deny `actions` on resources that a wider `allow` covers; the resources may have wildcards."""
        self._add(iam.PolicyStatement(effect=iam.Effect.DENY, actions=list(actions), resources=list(on)))

    def allow_pass(self, role: ServiceRole) -> None:
        """Allow to hand `role` to the one service that may assume it."""
        self._add(
            iam.PolicyStatement(
                actions=["iam:PassRole"],
                resources=[role.arn],
                conditions={"StringEquals": {"iam:PassedToService": role.service}},
            )
        )

    def allow_assume(self, roles: Sequence[str]) -> None:
        """Allow to become each of `roles`, which their own accounts admit."""
        if roles:
            self.allow("sts:AssumeRole", on=list(dict.fromkeys(roles)))

    def allow_use_of_key(self, key: kms.IKey, *, write: bool, via: str) -> None:
        """Allow to read (and write) what `key` encrypts, only through the service `via`, for example `s3`."""
        self.allow_use_of_keys(key.key_arn, write=write, via=via)

    def allow_use_of_keys(self, key_arn: str, *, write: bool, via: str, region: str | None = None) -> None:
        """Allow the same for a key by its ARN, or for those of another account that admit this role.

        A key of another account has no name that this account could know: where `key_arn` ends with `/*`, it is the
        policy of each key there that decides.
        """
        actions = ["kms:Decrypt", "kms:GenerateDataKey"] if write else ["kms:Decrypt"]
        host = f"{via}.{region or self._stack.region}.amazonaws.com"
        self.allow(
            *actions,
            on=key_arn,
            when={"StringEquals": {"kms:ViaService": host}},
            because=FOREIGN_KEYS if key_arn.endswith("/*") else None,
        )

    def allow_tracing(self) -> None:
        """Allow to send trace segments."""
        self.allow(
            "xray:PutTraceSegments",
            "xray:PutTelemetryRecords",
            on="*",
            because="X-Ray has no resource-level permission for segments (Service Authorization Reference, X-Ray)",
        )

    def _add(self, statement: iam.PolicyStatement) -> iam.ManagedPolicy:
        if self._policy is None:
            self._policy = iam.ManagedPolicy(self, "Policy", roles=[self.role])
        self._policy.add_statements(statement)
        return self._policy

    def required_by(self, dependent: Construct) -> None:
        """Make `dependent` wait for the permissions, not only for the role."""
        if self._policy is not None:
            dependent.node.add_dependency(self._policy)


class ServiceRole(ProductRole):
    """A role that one AWS service assumes for this account only."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        service: str,
        description: str,
        name: str | None = None,
        path: str | None = None,
    ) -> None:
        """Make the role for `service`, for example `sagemaker.amazonaws.com`."""
        super().__init__(
            scope,
            construct_id,
            assumed_by=iam.ServicePrincipal(
                service, conditions={"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}}
            ),
            description=description,
            name=name,
            path=path,
        )
        self.service = service


class AdmittedRole(ProductRole):
    """A role that certain roles of another account assume, and nobody else there."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        admission: Admission,
        description: str,
        name: str,
    ) -> None:
        """Make the role called `name` for the roles that `admission` names."""
        super().__init__(
            scope,
            construct_id,
            assumed_by=admission.principal(),
            description=description,
            name=name,
        )
