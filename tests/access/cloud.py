"""Synthesized stacks of several accounts, with every intrinsic function answered as CloudFormation will answer it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from tests.access.physical import Physical, name_property, physical

Template = dict[str, Any]
_IN_TEXT = re.compile(r"\$\{(!?)([^}]+)\}")
_ABSENT = object()


class UnresolvedError(ValueError):
    """A template asks for something that the test cannot know."""


class Output(NamedTuple):
    """An output of a stack, which its deployer gives to another stack as a parameter."""

    stack: str
    name: str


@dataclass(frozen=True)
class Stack:
    """One stack in its account and region, with the values of its parameters."""

    name: str
    account: str
    region: str
    template: Template
    parameters: Mapping[str, str | Output] = field(default_factory=dict)

    @property
    def resources(self) -> dict[str, Template]:
        found: dict[str, Template] = self.template.get("Resources", {})
        return found

    def path_of(self, logical_id: str) -> str:
        """Construct path, else stack and logical id."""
        metadata = self.resources[logical_id].get("Metadata", {})
        return str(metadata.get("aws:cdk:path", f"{self.name}/{logical_id}"))


def read_assembly(folder: Path, parameters: Mapping[str, Mapping[str, str | Output]] | None = None) -> list[Stack]:
    """Return the stacks of a cloud assembly, with `parameters` by the names of stacks."""
    artifacts = json.loads((folder / "manifest.json").read_text())["artifacts"]
    return [
        Stack(
            name=one["properties"].get("stackName", name),
            account=one["environment"].removeprefix("aws://").split("/")[0],
            region=one["environment"].removeprefix("aws://").split("/")[1],
            template=json.loads((folder / one["properties"]["templateFile"]).read_text()),
            parameters=(parameters or {}).get(one["properties"].get("stackName", name), {}),
        )
        for name, one in artifacts.items()
        if one["type"] == "aws:cloudformation:stack"
    ]


class Cloud:
    """Stacks that import each other's exports, each only those of its own account and region."""

    def __init__(self, stacks: list[Stack]) -> None:
        self.stacks = stacks
        self._physical: dict[tuple[str, str], Physical] = {}

    def all(self, *kinds: str) -> Iterator[tuple[Stack, str, Template]]:
        """Yield every resource of `kinds` (of any kind without any) with its stack and logical id."""
        for stack in self.stacks:
            for logical_id, body in stack.resources.items():
                if not kinds or body["Type"] in kinds:
                    yield stack, logical_id, body

    def physical(self, stack: Stack, logical_id: str) -> Physical:
        """Return a resource as it will be called."""
        key = (f"{stack.account}/{stack.region}/{stack.name}", logical_id)
        if key not in self._physical:
            body = stack.resources[logical_id]
            properties, kind = body.get("Properties", {}), body["Type"]
            name = self.resolve(stack, properties.get(name_property(kind))) or f"{stack.name}-{logical_id}"
            if kind == "AWS::Events::Rule" and "EventBusName" in properties:
                name = f"{self.resolve(stack, properties['EventBusName'])}/{name}"
            path = str(self.resolve(stack, properties.get("Path", "/")))
            self._physical[key] = physical(kind, name=name, account=stack.account, region=stack.region, path=path)
        return self._physical[key]

    def find(self, path: str) -> Physical:
        """Return the one resource at a construct path, with or without the /Resource that CDK appends."""
        found = {
            self.physical(stack, logical_id)
            for stack, logical_id, _ in self.all()
            if stack.path_of(logical_id) in (path, f"{path}/Resource")
        }
        if len(found) != 1:
            msg = f"{len(found)} resources are at '{path}'"
            raise UnresolvedError(msg)
        return found.pop()

    def properties(self, stack: Stack, logical_id: str, *names: str) -> dict[str, Any]:
        """Return the properties called `names` of a resource, resolved."""
        properties = stack.resources[logical_id].get("Properties", {})
        return {name: self.resolve(stack, properties[name]) for name in names if name in properties}

    def output(self, stack_name: str, output: str) -> str:
        """Return an output of a stack, as its deployer reads it."""
        for stack in self.stacks:
            if stack.name == stack_name:
                return str(self.resolve(stack, stack.template["Outputs"][output]["Value"]))
        msg = f"no stack is called '{stack_name}', there are {sorted(stack.name for stack in self.stacks)}"
        raise UnresolvedError(msg)

    def resolve(self, stack: Stack, value: Any) -> Any:
        """Return `value` without intrinsic functions; what AWS::NoValue stands for is left out."""
        resolved = self._resolve(stack, value)
        return None if resolved is _ABSENT else resolved

    def _resolve(self, stack: Stack, value: Any) -> Any:
        if isinstance(value, list):
            return [one for one in (self._resolve(stack, item) for item in value) if one is not _ABSENT]
        if not isinstance(value, dict):
            return value
        function, argument = next(iter(value.items()), ("", None))
        if len(value) == 1 and function in _FUNCTIONS:
            return _FUNCTIONS[function](self, stack, argument)
        if len(value) == 1 and function.startswith("Fn::"):
            msg = f"{stack.name} uses {function}, which tests/access/cloud.py does not know"
            raise UnresolvedError(msg)
        found = {key: self._resolve(stack, one) for key, one in value.items()}
        return {key: one for key, one in found.items() if one is not _ABSENT}

    def _ref(self, stack: Stack, name: str) -> Any:
        known = {
            "AWS::AccountId": stack.account,
            "AWS::Region": stack.region,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": stack.name,
            "AWS::StackId": f"arn:aws:cloudformation:{stack.region}:{stack.account}:stack/{stack.name}/0a1b2c3d",
            "AWS::NoValue": _ABSENT,
        }
        if name in known:
            return known[name]
        if name in stack.resources:
            return self.physical(stack, name).ref
        if name in stack.parameters:
            given = stack.parameters[name]
            return self.output(*given) if isinstance(given, Output) else given
        declared = stack.template.get("Parameters", {}).get(name, {})
        if "Default" in declared:
            return declared["Default"]
        msg = f"{stack.name} has no value for '{name}'; give its parameter one in tests/access/runs.py"
        raise UnresolvedError(msg)

    def _get_att(self, stack: Stack, argument: Any) -> str:
        logical_id, _, name = (
            ".".join(argument).partition(".") if isinstance(argument, list) else argument.partition(".")
        )
        return self.physical(stack, logical_id).attribute(name)

    def _join(self, stack: Stack, argument: Any) -> str:
        parts = self._resolve(stack, argument[1])
        return str(argument[0]).join(str(part) for part in parts)

    def _sub(self, stack: Stack, argument: Any) -> str:
        text, given = (argument, {}) if isinstance(argument, str) else (argument[0], self._resolve(stack, argument[1]))

        def answer(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return f"${{{name}}}"
            if name in given:
                return str(given[name])
            return self._get_att(stack, name) if "." in name else str(self._ref(stack, name))

        return _IN_TEXT.sub(answer, text)

    def _import(self, stack: Stack, argument: Any) -> Any:
        name = self._resolve(stack, argument)
        place = (stack.account, stack.region, name)
        if place not in self._exports:
            msg = f"{stack.name} imports '{name}', which nothing in {stack.account}, {stack.region} exports"
            raise UnresolvedError(msg)
        exporter, value = self._exports[place]
        return self._resolve(exporter, value)

    @cached_property
    def _exports(self) -> dict[tuple[str, str, str], tuple[Stack, Any]]:
        return {
            (stack.account, stack.region, str(self._resolve(stack, output["Export"]["Name"]))): (stack, output["Value"])
            for stack in self.stacks
            for output in stack.template.get("Outputs", {}).values()
            if "Export" in output
        }

    def _if(self, stack: Stack, argument: Any) -> Any:
        name, then, otherwise = argument
        return self._resolve(stack, then if self._condition(stack, stack.template["Conditions"][name]) else otherwise)

    def _condition(self, stack: Stack, expression: Any) -> bool:
        ((function, argument),) = expression.items()
        if function == "Condition":
            return self._condition(stack, stack.template["Conditions"][argument])
        if function == "Fn::Equals":
            return bool(self._resolve(stack, argument[0]) == self._resolve(stack, argument[1]))
        operands = [self._condition(stack, one) for one in argument]
        return {"Fn::Not": lambda: not operands[0], "Fn::And": lambda: all(operands), "Fn::Or": lambda: any(operands)}[
            function
        ]()

    def _select(self, stack: Stack, argument: Any) -> Any:
        return self._resolve(stack, argument[1])[int(self._resolve(stack, argument[0]))]

    def _split(self, stack: Stack, argument: Any) -> list[str]:
        return str(self._resolve(stack, argument[1])).split(argument[0])

    def _map(self, stack: Stack, argument: Any) -> Any:
        name, top, second = (self._resolve(stack, one) for one in argument)
        return stack.template["Mappings"][name][top][second]


_FUNCTIONS: dict[str, Callable[[Cloud, Stack, Any], Any]] = {
    "Ref": Cloud._ref,  # noqa: SLF001 - the table of the class above
    "Fn::FindInMap": Cloud._map,  # noqa: SLF001
    "Fn::GetAtt": Cloud._get_att,  # noqa: SLF001
    "Fn::If": Cloud._if,  # noqa: SLF001
    "Fn::ImportValue": Cloud._import,  # noqa: SLF001
    "Fn::Join": Cloud._join,  # noqa: SLF001
    "Fn::Select": Cloud._select,  # noqa: SLF001
    "Fn::Split": Cloud._split,  # noqa: SLF001
    "Fn::Sub": Cloud._sub,  # noqa: SLF001
}
