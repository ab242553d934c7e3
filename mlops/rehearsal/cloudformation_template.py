"""A CloudFormation template and its intrinsic functions.

moto's parser resolves references lazily, forgets DependsOn on that path and drops what it does not find; this one
evaluates in dependency order and refuses.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

CONDITION_FUNCTIONS: Final = frozenset({"Fn::And", "Fn::Or", "Fn::Not", "Fn::Equals", "Fn::Contains", "Condition"})
_SUBSTITUTION = re.compile(r"\$\{(!?)([^}]+)\}")
_DYNAMIC_REFERENCE = re.compile(r"\{\{resolve:(\w[\w-]*):([^}]+)\}\}")


class TemplateError(ValueError):
    """The template or its parameters cannot be used; the message is the one AWS gives, as far as known."""


class _NoValue:
    def __repr__(self) -> str:
        return "AWS::NoValue"


NO_VALUE: Final = _NoValue()


@dataclass(frozen=True, slots=True)
class Pending:
    """A value that is known only when the stack is updated; `causes` are (logical id, ChangeSource)."""

    causes: tuple[tuple[str, str], ...]


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms, !Ref and friends."""


def _short_form(loader: _Loader, tag: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.SequenceNode):
        value: Any = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:
        value = node.value
        if tag == "GetAtt":
            value = value.split(".", 1)
    return {tag if tag in {"Ref", "Condition"} else f"Fn::{tag}": value}


_Loader.add_multi_constructor("!", _short_form)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda _loader, node: node.value)


def parse(body: str) -> dict[str, Any]:
    """Return the template in `body`, JSON or YAML."""
    try:
        document = json.loads(body) if body.lstrip().startswith("{") else yaml.load(body, Loader=_Loader)  # noqa: S506
    except (ValueError, yaml.YAMLError) as error:
        msg = f"Template format error: {error}"
        raise TemplateError(msg) from error
    if not isinstance(document, dict) or not isinstance(document.get("Resources"), dict) or not document["Resources"]:
        msg = "Template format error: At least one Resources member must be defined."
        raise TemplateError(msg)
    for logical_id, resource in document["Resources"].items():
        if not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
            msg = f"Template format error: [/Resources/{logical_id}] Every Resources object must contain a Type member."
            raise TemplateError(msg)
    return document


def references(value: Any) -> set[str]:
    """Return every name that `value` refers to, by Ref, Fn::GetAtt or Fn::Sub."""
    return set(_references(value))


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "Ref" and isinstance(item, str):
                yield item
            elif key == "Fn::GetAtt":
                yield _get_att(item)[0]
            elif key == "Fn::Sub":
                text, given = (item[0], item[1]) if isinstance(item, list) else (item, {})
                yield from (
                    match[2].split(".")[0]
                    for match in _SUBSTITUTION.finditer(text)
                    if not match[1] and match[2] not in given
                )
                yield from _references(given)
            else:
                yield from _references(item)


def _get_att(argument: Any) -> tuple[str, Any]:
    if isinstance(argument, str):
        name, _, attribute = argument.partition(".")
        return name, attribute
    return argument[0], argument[1]


@dataclass
class Scope:
    """Everything that a value of a template can refer to.

    `resource(logical id, attribute)` answers Ref (attribute None) and Fn::GetAtt, `imported(name)` Fn::ImportValue,
    `dynamic(service, reference)` a dynamic reference.
    """

    pseudo: Mapping[str, Any]
    parameters: Mapping[str, Any]
    template: Mapping[str, Any]
    resource: Callable[[str, str | None], Any]
    imported: Callable[[str], Any]
    dynamic: Callable[[str, str], Any]
    imports: set[str] = field(default_factory=set)
    """The names that were imported so far."""
    _conditions: dict[str, bool] = field(default_factory=dict)

    def evaluate(self, value: Any) -> Any:
        """Return `value` with every intrinsic function applied; AWS::NoValue members are left out."""
        if isinstance(value, dict):
            if len(value) == 1:
                name, argument = next(iter(value.items()))
                function = _FUNCTIONS.get(name)
                if function is not None:
                    return function(self, argument)
                if name.startswith("Fn::"):
                    msg = f"Template error: the function {name} is not supported"
                    raise TemplateError(msg)
            pairs = ((key, self.evaluate(item)) for key, item in value.items())
            return {key: item for key, item in pairs if item is not NO_VALUE}
        if isinstance(value, list):
            return [item for item in map(self.evaluate, value) if item is not NO_VALUE]
        if isinstance(value, str) and "{{resolve:" in value:
            return _DYNAMIC_REFERENCE.sub(lambda match: str(self.dynamic(match[1], match[2])), value)
        return value

    def holds(self, name: str) -> bool:
        """Whether the condition `name` of the template is true."""
        if name not in self._conditions:
            conditions = self.template.get("Conditions", {})
            if name not in conditions:
                msg = f"Template format error: Unresolved condition dependency {name} in the Conditions block"
                raise TemplateError(msg)
            self._conditions[name] = self.test(conditions[name])
        return self._conditions[name]

    def test(self, expression: Any) -> bool:  # noqa: PLR0911 - one answer for each function
        """Return the truth of a condition expression."""
        if isinstance(expression, bool):
            return expression
        name, argument = next(iter(expression.items()))
        match name:
            case "Condition":
                return self.holds(argument)
            case "Fn::Not":
                return not self.test(argument[0])
            case "Fn::And":
                return all(self.test(item) for item in argument)
            case "Fn::Or":
                return any(self.test(item) for item in argument)
            case "Fn::Equals":
                left, right = (self.evaluate(item) for item in argument)
                return bool(_text(left) == _text(right))
            case "Fn::Contains":
                values, value = (self.evaluate(item) for item in argument)
                return bool(value in values)
        msg = f"Template error: {name} is not a condition function"
        raise TemplateError(msg)

    def present(self) -> dict[str, dict[str, Any]]:
        """Return the resources whose condition holds."""
        return {
            logical_id: resource
            for logical_id, resource in self.template["Resources"].items()
            if "Condition" not in resource or self.holds(resource["Condition"])
        }

    def in_order(self) -> list[str]:
        """Return the logical ids of the resources that exist, each after all that it depends on."""
        present = self.present()
        order: list[str] = []
        state: dict[str, int] = {}

        def visit(logical_id: str, trail: tuple[str, ...]) -> None:
            if state.get(logical_id) == 1:
                circle = ", ".join(sorted({*trail[trail.index(logical_id) :]}))
                msg = f"Circular dependency between resources: [{circle}]"
                raise TemplateError(msg)
            if logical_id in state:
                return
            state[logical_id] = 1
            for needed in sorted(self.needs(present[logical_id]) & present.keys()):
                visit(needed, (*trail, logical_id))
            state[logical_id] = 2
            order.append(logical_id)

        for logical_id in present:
            visit(logical_id, ())
        return order

    def needs(self, resource: Mapping[str, Any]) -> set[str]:
        """Return the logical ids that `resource` depends on, present or not."""
        explicit = resource.get("DependsOn", [])
        used = references(self._taken(resource.get("Properties", {})))
        return used | {explicit} if isinstance(explicit, str) else used | set(explicit)

    def _taken(self, value: Any) -> Any:
        # Only the branch of an Fn::If that is taken counts.
        if isinstance(value, list):
            return [self._taken(item) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1 and "Fn::If" in value:
            condition, then, otherwise = value["Fn::If"]
            return self._taken(then if self.holds(condition) else otherwise)
        return {key: self._taken(item) for key, item in value.items()}


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _pending(values: Any) -> Pending | None:
    causes = tuple(cause for value in values if isinstance(value, Pending) for cause in value.causes)
    return Pending(tuple(dict.fromkeys(causes))) if causes else None


def _ref(scope: Scope, name: Any) -> Any:
    if name == "AWS::NoValue":
        return NO_VALUE
    if name in scope.pseudo:
        return scope.pseudo[name]
    if name in scope.parameters:
        return scope.parameters[name]
    return scope.resource(name, None)


def _attribute(scope: Scope, argument: Any) -> Any:
    name, attribute = _get_att(argument)
    return scope.resource(name, scope.evaluate(attribute))


def _join(scope: Scope, argument: Any) -> Any:
    delimiter, values = argument[0], scope.evaluate(argument[1])
    if isinstance(values, Pending):
        return values
    return _pending(values) or delimiter.join(str(_text(value)) for value in values)


def _sub(scope: Scope, argument: Any) -> Any:
    text, given = (argument[0], argument[1]) if isinstance(argument, list) else (argument, {})
    found: dict[str, Any] = {}
    for match in _SUBSTITUTION.finditer(text):
        name = match[2]
        if match[1]:
            continue
        if name in given:
            found[name] = scope.evaluate(given[name])
        elif "." in name:
            found[name] = _attribute(scope, name)
        else:
            found[name] = _ref(scope, name)
    return _pending(found.values()) or _SUBSTITUTION.sub(
        lambda match: f"${{{match[2]}}}" if match[1] else str(_text(found[match[2]])), text
    )


def _select(scope: Scope, argument: Any) -> Any:
    index, values = int(scope.evaluate(argument[0])), scope.evaluate(argument[1])
    if isinstance(values, Pending):
        return values
    if not 0 <= index < len(values):
        msg = f"Template error: Fn::Select cannot select nonexistent value at index {index}"
        raise TemplateError(msg)
    return values[index]


def _split(scope: Scope, argument: Any) -> Any:
    text = scope.evaluate(argument[1])
    return text if isinstance(text, Pending) else text.split(argument[0])


def _if(scope: Scope, argument: Any) -> Any:
    condition, then, otherwise = argument
    return scope.evaluate(then if scope.holds(condition) else otherwise)


def _find_in_map(scope: Scope, argument: Any) -> Any:
    name, first, second = (scope.evaluate(item) for item in argument[:3])
    try:
        return scope.template["Mappings"][name][first][second]
    except KeyError as error:
        if len(argument) > 3 and "DefaultValue" in argument[3]:  # noqa: PLR2004 - the fourth argument holds options
            return scope.evaluate(argument[3]["DefaultValue"])
        msg = f"Template error: Unable to get mapping for {name}::{first}::{second}"
        raise TemplateError(msg) from error


def _import(scope: Scope, argument: Any) -> Any:
    name = scope.evaluate(argument)
    scope.imports.add(str(name))
    return scope.imported(name)


def _base64(scope: Scope, argument: Any) -> Any:
    text = scope.evaluate(argument)
    return text if isinstance(text, Pending) else base64.b64encode(text.encode()).decode()


def _to_json(scope: Scope, argument: Any) -> Any:
    value = scope.evaluate(argument)
    return find_pending(value) or json.dumps(value, separators=(",", ":"))


def _zones(scope: Scope, argument: Any) -> Any:
    region = scope.evaluate(argument) or scope.pseudo["AWS::Region"]
    return [f"{region}{letter}" for letter in "abc"]


def find_pending(value: Any) -> Pending | None:
    """Return what in `value` is not known yet, None if all of it is known."""
    return _pending(_leaves(value))


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


_FUNCTIONS: Final[dict[str, Callable[[Scope, Any], Any]]] = {
    "Ref": _ref,
    "Fn::GetAtt": _attribute,
    "Fn::Join": _join,
    "Fn::Sub": _sub,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::If": _if,
    "Fn::FindInMap": _find_in_map,
    "Fn::ImportValue": _import,
    "Fn::Base64": _base64,
    "Fn::ToJsonString": _to_json,
    "Fn::GetAZs": _zones,
}
