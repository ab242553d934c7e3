"""The policies of synthesized roles as the rehearsal's IAM evaluator takes them: intrinsics become real values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mlops.rehearsal.iam_evaluator import Policies, Policy, Principal, Request, Verdict, decide
from tests.compliance.reading import Resource, Template, resources

REGION = "eu-west-1"


@dataclass(frozen=True)
class Role:
    """A synthesized role with its policies."""

    name: str
    account: str
    trust: dict[str, Any]
    identity: tuple[Policy, ...]
    boundary: Policy | None
    resource: Resource

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:role/{self.name}"

    def can(self, action: str, on: str, *, session: str = "alice@example.com", **context: Any) -> bool:
        """Whether a session of the role may do `action` on a resource of its own account."""
        return self.verdict(action, on, session=session, **context).allowed

    def verdict(self, action: str, on: str, *, session: str = "alice@example.com", **context: Any) -> Verdict:
        given = {"aws:userid": f"AROAEXAMPLE:{session}", "aws:principalaccount": self.account} | {
            key.lower(): value for key, value in context.items()
        }
        principal = Principal(self.account, self.arn, f"arn:aws:sts::{self.account}:assumed-role/{self.name}/{session}")
        return decide(
            principal, Request(action, (on,), given), Policies(identity=self.identity, boundary=self.boundary)
        )

    def admits(self, arn: str, *, session: str = "alice@example.com", **context: Any) -> bool:
        """Whether the trust policy lets `arn` assume the role with that session name."""
        account = arn.split(":")[4]
        kind = "AROA" if ":role/" in arn else "AIDA"
        given = {
            "aws:principalarn": arn,
            "aws:principalorgid": "o-a1b2c3d4e5",
            "aws:userid": f"{kind}EXAMPLE:{session}",
            "sts:rolesessionname": session,
            **{key.lower(): value for key, value in context.items()},
        }
        everything = Policy("everything", {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
        return decide(
            Principal(account, arn, f"{arn}/session"),
            Request("sts:AssumeRole", (self.arn,), given),
            Policies(
                identity=[everything],
                resource=Policy("trust", self.trust),
                resource_account=self.account,
                resource_decides=True,  # a trust policy does, in its own account too
            ),
        ).allowed


@dataclass  # not frozen: what is read is kept
class Reader:
    """Reads the roles of a project; `accounts` are those of its stacks."""

    templates: dict[str, Template]
    accounts: dict[str, str]

    @cached_property
    def _exports(self) -> dict[tuple[str, str], tuple[str, Any]]:
        return {
            (self.accounts[stack], str(self.value(output["Export"]["Name"], stack))): (stack, output["Value"])
            for stack, template in self.templates.items()
            if stack in self.accounts
            for output in template.get("Outputs", {}).values()
            if "Export" in output
        }

    def value(self, value: Any, stack: str) -> Any:  # noqa: PLR0911 - one case for each intrinsic
        if isinstance(value, list):
            return [self.value(one, stack) for one in value]
        if not isinstance(value, dict):
            return value
        (function, argument), *more = [*value.items()] or [("", "")]
        if more or not (function == "Ref" or function.startswith("Fn::")):
            return {key: self.value(one, stack) for key, one in value.items()}
        if function == "Fn::Join":
            return str(argument[0]).join(str(self.value(one, stack)) for one in argument[1])
        if function == "Ref":
            known = {"AWS::Partition": "aws", "AWS::AccountId": self.accounts[stack], "AWS::Region": REGION}
            return known.get(argument, self._named(argument, stack))
        if function == "Fn::GetAtt":
            return self._attribute(argument[0], argument[1], stack)
        if function == "Fn::ImportValue":
            place = self._exports.get((self.accounts[stack], str(self.value(argument, stack))))
            return self.value(place[1], place[0]) if place else f"import-{argument}"
        return f"{function.removeprefix('Fn::').lower()}-{argument}"

    def _named(self, logical_id: str, stack: str) -> str:
        resource = self.templates[stack]["Resources"].get(logical_id, {})
        names = ("RoleName", "BucketName", "PolicyName", "ManagedPolicyName")
        found = next((resource["Properties"][name] for name in names if name in resource.get("Properties", {})), None)
        return str(self.value(found, stack)) if found else f"{stack}-{logical_id}"

    def _attribute(self, logical_id: str, attribute: str, stack: str) -> str:
        resource, account = self.templates[stack]["Resources"][logical_id], self.accounts[stack]
        name = self._named(logical_id, stack)
        path = resource.get("Properties", {}).get("Path", "/")
        arns = {
            "AWS::IAM::Role": f"arn:aws:iam::{account}:role{path}{name}",
            "AWS::S3::Bucket": f"arn:aws:s3:::{name}",
            "AWS::KMS::Key": f"arn:aws:kms:{REGION}:{account}:key/{name}",
        }
        return arns.get(resource["Type"], name) if attribute == "Arn" else f"{name}-{attribute.lower()}"

    @cached_property
    def roles(self) -> list[Role]:
        """Every role of every stack."""
        own = {stack: template for stack, template in self.templates.items() if stack in self.accounts}
        return [self._role(resource) for resource in resources(own, "AWS::IAM::Role")]

    def role(self, name: str) -> Role:
        """The role with that name, or whose path in the application ends like that."""
        (found,) = [
            one
            for one in self.roles
            if one.name == name or one.resource.path.endswith((f"/{name}/Role", f"/{name}/Role/Resource"))
        ]
        return found

    def _role(self, resource: Resource) -> Role:
        stack, account = resource.stack, self.accounts[resource.stack]
        documents = [
            Policy(policy.logical_id, self.value(policy.properties["PolicyDocument"], stack))
            for policy in resources({stack: self.templates[stack]}, "AWS::IAM::ManagedPolicy")
            if {"Ref": resource.logical_id} in policy.properties.get("Roles", [])
        ]
        trust = self.value(resource.properties["AssumeRolePolicyDocument"], stack)
        name = self._named(resource.logical_id, stack)
        carried = "PermissionsBoundary" in resource.properties
        boundary = self.boundary(account) if carried else None
        return Role(name, account, trust, tuple(documents), boundary, resource)

    def boundary(self, account: str) -> Policy:
        """The boundary of an account."""
        for stack, template in self.templates.items():
            if self.accounts.get(stack) == account:
                for policy in resources({stack: template}, "AWS::IAM::ManagedPolicy"):
                    if policy.properties.get("ManagedPolicyName") == "mlops-boundary":
                        return Policy("boundary", self.value(policy.properties["PolicyDocument"], stack))
        msg = f"account {account} has no boundary"
        raise AssertionError(msg)


def accounts_of(assembly: Path, templates: dict[str, Template]) -> dict[str, str]:
    """The account of each stack of an assembly."""
    manifest = json.loads((assembly / "manifest.json").read_text())["artifacts"]
    return {
        name: manifest[name]["environment"].split("/")[2]
        for name in templates
        if name in manifest and manifest[name]["type"] == "aws:cloudformation:stack"
    }
