"""Who of another account is admitted: the one form of every policy and trust that crosses accounts.

A principal is written as the root of its account together with `aws:PrincipalArn` and, where there is an organization,
`aws:PrincipalOrgID`. The root alone would admit whatever the other account's administrator makes; the ARN of a role
alone must exist before the policy does, and turns into a dead id when the role is made again
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import aws_iam as iam

Conditions = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Admission:
    """Roles of one or several accounts, by ARN; an ARN may end with `/*` for the roles below a path."""

    roles: tuple[str, ...]
    organization: str | None

    @property
    def accounts(self) -> list[str]:
        """Return the accounts of the roles, each once."""
        return list(dict.fromkeys(role.split(":")[4] for role in self.roles))

    def conditions(self, more: Conditions | None = None) -> dict[str, dict[str, Any]]:
        """Return the conditions that name the roles, with `more` of them."""
        equal: dict[str, Any] = {"aws:PrincipalOrgID": self.organization} if self.organization else {}
        arns = list(dict.fromkeys(self.roles))
        found: dict[str, dict[str, Any]] = {"ArnLike": {"aws:PrincipalArn": arns[0] if len(arns) == 1 else arns}}
        if equal:
            found["StringEquals"] = equal
        for operator, keys in (more or {}).items():
            found[operator] = {**found.get(operator, {}), **keys}
        return found

    def principal(self) -> iam.IPrincipal:
        """Return the principal of a trust policy."""
        roots = [iam.AccountPrincipal(account) for account in self.accounts]
        return iam.PrincipalWithConditions(iam.CompositePrincipal(*roots), self.conditions())

    def statement(
        self, sid: str, actions: Sequence[str], resources: Sequence[str] | None, when: Conditions | None = None
    ) -> iam.PolicyStatement:
        """Return a statement of a resource policy; `resources` is None where the policy stands on its resource."""
        return iam.PolicyStatement(
            sid=sid,
            actions=list(actions),
            resources=list(resources) if resources is not None else None,
            principals=[iam.AccountPrincipal(account) for account in self.accounts],
            conditions=self.conditions(when),
        )

    def document(self, sid: str, actions: Sequence[str], resources: Sequence[str] | None) -> dict[str, Any]:
        """Return the statement as plain JSON, for policies that CloudFormation takes as a document."""
        found: dict[str, Any] = self.statement(sid, actions, resources).to_statement_json()
        return found
