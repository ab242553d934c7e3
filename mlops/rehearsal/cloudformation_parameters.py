"""The parameters of a template: defaults, previous values, types and constraints."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mlops.rehearsal.cloudformation_template import TemplateError


def given_values(
    template: Mapping[str, Any], given: Iterable[Mapping[str, Any]], previous: Mapping[str, str]
) -> dict[str, str]:
    """Return the values that a request gives, those that it keeps with UsePreviousValue included."""
    declared = template.get("Parameters", {})
    values: dict[str, str] = {}
    for parameter in given:
        key = parameter["ParameterKey"]
        if parameter.get("UsePreviousValue"):
            if key in previous:
                values[key] = previous[key]
            elif "Default" not in declared.get(key, {}):
                msg = f"Invalid template parameter property 'UsePreviousValue': parameter {key} has no previous value"
                raise TemplateError(msg)
        else:
            values[key] = parameter.get("ParameterValue", "")
    unknown = sorted(values.keys() - declared.keys())
    if unknown:
        msg = f"Parameters: [{', '.join(unknown)}] do not exist in the template"
        raise TemplateError(msg)
    return values


def resolve(template: Mapping[str, Any], values: Mapping[str, str], stored: Callable[[str], str]) -> dict[str, Any]:
    """Return what Ref gives for each parameter; `stored(name)` reads an SSM parameter."""
    declared: Mapping[str, Mapping[str, Any]] = template.get("Parameters", {})
    missing = [key for key, slot in declared.items() if key not in values and "Default" not in slot]
    if missing:
        msg = f"Parameters: [{', '.join(missing)}] must have values"
        raise TemplateError(msg)
    return {key: _value(key, slot, str(values.get(key, slot.get("Default"))), stored) for key, slot in declared.items()}


def _value(key: str, slot: Mapping[str, Any], text: str, stored: Callable[[str], str]) -> Any:
    _check(key, slot, text)
    kind = slot.get("Type", "String")
    if kind.startswith("AWS::SSM::Parameter::Value<"):
        text, kind = stored(text), kind.removeprefix("AWS::SSM::Parameter::Value<").removesuffix(">")
    if kind == "CommaDelimitedList" or kind.startswith("List<"):
        return [item.strip() for item in text.split(",")] if text else []
    return text


def _check(key: str, slot: Mapping[str, Any], text: str) -> None:
    problem = slot.get("ConstraintDescription")
    if "AllowedValues" in slot and text not in {str(value) for value in slot["AllowedValues"]}:
        allowed = ", ".join(str(value) for value in slot["AllowedValues"])
        msg = f"Parameter '{key}' must be one of AllowedValues: [{allowed}], got {text!r}"
        raise TemplateError((problem and f"Parameter '{key}' {problem}") or msg)
    if "AllowedPattern" in slot and not re.fullmatch(slot["AllowedPattern"], text):
        wanted = problem or f"must match pattern {slot['AllowedPattern']}"
        msg = f"Parameter '{key}' failed to satisfy constraint: {wanted}"
        raise TemplateError(msg)
    for name, size in (
        ("MinLength", len(text)),
        ("MaxLength", len(text)),
        ("MinValue", _number(text)),
        ("MaxValue", _number(text)),
    ):
        if name in slot and not _within(name, size, float(slot[name])):
            wanted = problem or f"{name} is {slot[name]}, got {text!r}"
            msg = f"Parameter '{key}' failed to satisfy constraint: {wanted}"
            raise TemplateError(msg)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")  # neither large nor small enough


def _within(name: str, size: float, limit: float) -> bool:
    return size >= limit if name.startswith("Min") else size <= limit
