"""What each role was granted, and what of it the rehearsal needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlops.rehearsal import assembly, credentials, iam


@dataclass(kw_only=True)
class RoleUse:
    """A role of the deployed stacks: how often it called, which actions it used, which it never needed."""

    role: str
    owner: str
    granted: set[str] = field(default_factory=set)
    calls: Counter[str] = field(default_factory=Counter)
    denied: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def unused(self) -> list[str]:
        """Granted actions that no call of this rehearsal needed."""
        used = {action.lower() for action in self.calls}
        return sorted(action for action in self.granted if action.lower() not in used)


def role_uses(folder: Path, stacks: Iterable[str]) -> list[RoleUse]:
    """Return the use of every role that `stacks` of the assembly in `folder` made, in the order of its owner."""
    cloud = assembly.Assembly(folder)
    uses: dict[str, RoleUse] = {}
    for name in stacks:
        stack = cloud.stacks[name]
        for logical_id, physical_id in _roles(name).items():
            uses[physical_id] = RoleUse(
                role=physical_id,
                owner=stack.owner(logical_id).removesuffix("/Role/Resource"),
                granted=_granted(stack.template["Resources"], logical_id),
            )
    for decision in iam.trace():
        use = uses.get(decision.role_arn.rsplit("/", 1)[-1])
        if use is None:
            continue
        if decision.allowed:
            use.calls[decision.action] += 1
        else:
            use.denied[decision.action, decision.resource] += 1
    return sorted(uses.values(), key=lambda use: use.owner)


def _roles(stack: str) -> dict[str, str]:
    client = credentials.client("cloudformation")
    return {
        one["LogicalResourceId"]: one["PhysicalResourceId"]
        for one in client.describe_stack_resources(StackName=stack)["StackResources"]
        if one["ResourceType"] == "AWS::IAM::Role"
    }


def _granted(resources: dict[str, Any], role: str) -> set[str]:
    actions: set[str] = set()
    for resource in resources.values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::IAM::ManagedPolicy" and {"Ref": role} in properties.get("Roles", []):
            for statement in properties["PolicyDocument"]["Statement"]:
                found = statement["Action"]
                actions.update([found] if isinstance(found, str) else found)
    return actions
