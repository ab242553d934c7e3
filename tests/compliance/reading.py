"""Reads synthesized templates: statements, trust policies, state machines, with intrinsics made readable."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Template = dict[str, Any]


@dataclass(frozen=True)
class Resource:
    """A resource of a synthesized stack."""

    stack: str
    logical_id: str
    body: dict[str, Any]

    @property
    def properties(self) -> dict[str, Any]:
        properties: dict[str, Any] = self.body.get("Properties", {})
        return properties

    @property
    def path(self) -> str:
        """Construct path, else stack and logical id."""
        return str(self.body.get("Metadata", {}).get("aws:cdk:path", f"{self.stack}/{self.logical_id}"))


def resources(templates: dict[str, Template], *types: str) -> list[Resource]:
    """Return every resource of `types` (all resources without any)."""
    return [
        Resource(stack, logical_id, body)
        for stack, template in templates.items()
        for logical_id, body in template["Resources"].items()
        if not types or body["Type"] in types
    ]


def plain(value: Any) -> Any:
    """Return `value` with Fn::Join joined and every other intrinsic as a readable placeholder."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    function, argument = next(iter(value.items()), ("", None))
    if len(value) == 1 and (function == "Ref" or function.startswith("Fn::")):
        return _placeholder(function, argument)
    return {key: plain(one) for key, one in value.items()}


def _placeholder(function: str, argument: Any) -> str:
    if function == "Fn::Join":
        return str(argument[0]).join(str(plain(one)) for one in argument[1])
    if function == "Ref":
        return f"<{argument}>"
    if function == "Fn::GetAtt":
        return f"<{'.'.join(argument) if isinstance(argument, list) else argument}>"
    return f"<{function.removeprefix('Fn::')}:{plain(argument)}>".replace('"', "'")


def as_list(value: Any) -> list[Any]:
    """Return `value` as a list, as IAM reads it."""
    return value if isinstance(value, list) else [value]


@dataclass(frozen=True)
class Statement:
    """A statement of an identity policy, a resource policy or a trust policy."""

    resource: Resource
    kind: str
    body: dict[str, Any]

    @property
    def actions(self) -> list[str]:
        return [str(one) for one in as_list(self.body.get("Action", []))]

    @property
    def targets(self) -> list[str]:
        return [str(one) for one in as_list(self.body.get("Resource", []))]

    @property
    def conditions(self) -> dict[str, dict[str, Any]]:
        conditions: dict[str, dict[str, Any]] = self.body.get("Condition", {})
        return conditions

    def condition_keys(self) -> set[str]:
        return {key.lower() for operator in self.conditions.values() for key in operator}

    def services(self) -> list[str]:
        principal = self.body.get("Principal", {})
        return [] if principal == "*" else [str(one) for one in as_list(principal.get("Service", []))]


def statements(templates: dict[str, Template]) -> Iterator[Statement]:
    """Yield every statement of every policy document in every template."""
    for resource in resources(templates):
        kind = resource.body["Type"]
        for name, document in _documents(resource.properties):
            for body in as_list(document["Statement"]):
                identity = kind in {"AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"} or name == "Policies"
                where = "trust" if name == "AssumeRolePolicyDocument" else "identity" if identity else "resource"
                if is_boundary(resource):
                    where = "boundary"
                yield Statement(resource, where, plain(body))


def is_boundary(resource: Resource) -> bool:
    """Whether a policy is a permissions boundary: attached to nobody, it limits what other policies allow."""
    attached = {"Roles", "Users", "Groups"} & set(resource.properties)
    return resource.body["Type"] == "AWS::IAM::ManagedPolicy" and not attached


def _documents(value: Any, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, dict):
        if "Statement" in value:
            yield name, value
            return
        for key, one in value.items():
            yield from _documents(one, key)
    elif isinstance(value, list):
        for one in value:
            yield from _documents(one, name)


def state_machines(templates: dict[str, Template]) -> Iterator[tuple[Resource, dict[str, Any]]]:
    """Yield every state machine with its definition."""
    for resource in resources(templates, "AWS::StepFunctions::StateMachine"):
        yield resource, json.loads(plain(resource.properties["DefinitionString"]))


def scopes(definition: dict[str, Any], name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield `definition` and the state machine inside each of its Map states, with the way there."""
    yield name, definition
    for inner, state in definition["States"].items():
        if "ItemProcessor" in state:
            yield from scopes(state["ItemProcessor"], f"{name}{inner}/")


def states_of_type(templates: dict[str, Template], kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every state of the type `kind`, those inside Map states too, with a readable name."""
    for resource, definition in state_machines(templates):
        for scope, machine in scopes(definition):
            for name, state in machine["States"].items():
                if state["Type"] == kind:
                    yield f"{resource.path}:{scope}{name}", state


def tasks(templates: dict[str, Template]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every Task state with a readable name."""
    yield from states_of_type(templates, "Task")


def model_stacks(templates: dict[str, Template]) -> dict[str, Template]:
    """Return the templates of the stacks that take models to their endpoints, one for each model."""
    return stacks_with(templates, "AWS::StepFunctions::StateMachine")


def stacks_with(templates: dict[str, Template], kind: str) -> dict[str, Template]:
    """Return the templates that have a resource of the type `kind`."""
    return {
        stack: template
        for stack, template in templates.items()
        if any(one["Type"] == kind for one in template["Resources"].values())
    }
