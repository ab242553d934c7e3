"""Who may do what according to the templates: roles, and resources that have policies of their own."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tests.access.cloud import Cloud, Stack, UnresolvedError
from tests.access.documents import Document, as_list, document
from tests.access.guards import ELSEWHERE, GUARDS


@dataclass(frozen=True)
class Role:
    """A role with everything that says what it may do, and who may be it."""

    path: str
    arn: str
    account: str
    trust: Document
    permissions: tuple[Document, ...] = ()
    boundary: str | None = None


@dataclass(frozen=True)
class Landscape:
    """All roles by ARN; the policies of resources by ARN, with their accounts; customer-managed policies by ARN."""

    roles: dict[str, Role]
    guards: dict[str, Document]
    owners: dict[str, str]
    managed: dict[str, Document]

    def role(self, path: str) -> Role:
        """Return the one role whose construct path, or name, begins or ends with `path`."""
        found = [one for one in self.roles.values() if _within(one, path)]
        if len(found) != 1:
            known = "\n  ".join(sorted(one.path for one in found or self.roles.values()))
            msg = f"{len(found)} roles are called '{path}'; there are\n  {known}"
            raise UnresolvedError(msg)
        return found[0]


def _within(role: Role, path: str) -> bool:
    return role.arn.rsplit("/", 1)[-1] == path or f"/{path}/" in f"/{role.path}/"


def survey(cloud: Cloud) -> Landscape:
    """Read every policy of every stack.

    Raises:
        UnresolvedError: a resource has a policy of a kind that is not known here, so that nothing is overlooked.

    """
    managed, attached = _managed_policies(cloud)
    roles = dict(_role(cloud, stack, logical_id, attached) for stack, logical_id, _ in cloud.all("AWS::IAM::Role"))
    guards: dict[str, Document] = {}
    owners: dict[str, str] = {}
    for stack, logical_id, body in cloud.all():
        reader = GUARDS.get(body["Type"])
        if reader is not None:
            for arn, statements in reader(cloud, stack, logical_id):
                kept = [one.body for one in guards[arn].statements] if arn in guards else []
                guards[arn] = document(f"policy of {arn}", [*kept, *as_list(statements)])
                owners[arn] = stack.account
        elif body["Type"] not in ELSEWHERE and '"Statement"' in json.dumps(body.get("Properties", {})):
            msg = f"{stack.path_of(logical_id)} is a {body['Type']} with a policy that tests/access does not read"
            raise UnresolvedError(msg)
    return Landscape(roles, guards, owners, managed)


def _managed_policies(cloud: Cloud) -> tuple[dict[str, Document], dict[tuple[str, str], list[Document]]]:
    """Return customer-managed policies by ARN, and the policies that attach themselves, by account and role name."""
    managed: dict[str, Document] = {}
    attached: dict[tuple[str, str], list[Document]] = {}
    for stack, logical_id, body in cloud.all("AWS::IAM::ManagedPolicy", "AWS::IAM::Policy", "AWS::IAM::RolePolicy"):
        given = cloud.properties(stack, logical_id, "PolicyDocument", "Roles", "RoleName")
        found = document(f"permissions {stack.path_of(logical_id)}", given["PolicyDocument"])
        if body["Type"] == "AWS::IAM::ManagedPolicy":
            managed[cloud.physical(stack, logical_id).arn] = found
        for role in given.get("Roles", as_list(given.get("RoleName"))):
            attached.setdefault((stack.account, role), []).append(found)
    return managed, attached


def _role(
    cloud: Cloud, stack: Stack, logical_id: str, attached: dict[tuple[str, str], list[Document]]
) -> tuple[str, Role]:
    wanted = ("AssumeRolePolicyDocument", "Policies", "ManagedPolicyArns", "PermissionsBoundary")
    given, physical = cloud.properties(stack, logical_id, *wanted), cloud.physical(stack, logical_id)
    path = stack.path_of(logical_id)
    if given.get("ManagedPolicyArns"):
        msg = f"{path} has managed policies by ARN, {given['ManagedPolicyArns']}, which tests/access does not read"
        raise UnresolvedError(msg)
    inline = [
        document(f"permissions {path}/{one['PolicyName']}", one["PolicyDocument"]) for one in given.get("Policies", [])
    ]
    return physical.arn, Role(
        path=path,
        arn=physical.arn,
        account=stack.account,
        trust=document(f"trust {path}", given["AssumeRolePolicyDocument"]),
        permissions=(*inline, *attached.get((stack.account, physical.name), [])),
        boundary=given.get("PermissionsBoundary"),
    )
