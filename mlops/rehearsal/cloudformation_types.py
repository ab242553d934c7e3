"""The table of resource types: what a stack can contain, what is only recorded, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlops.rehearsal import (
    cloudformation_types_apigateway,
    cloudformation_types_autoscaling,
    cloudformation_types_compute,
    cloudformation_types_data,
    cloudformation_types_delivery,
    cloudformation_types_events,
    cloudformation_types_iam,
    cloudformation_types_messaging,
    cloudformation_types_monitoring,
    cloudformation_types_network,
    cloudformation_types_registry,
    cloudformation_types_storage,
    cloudformation_types_workflow,
)
from mlops.rehearsal.cloudformation_resource import RECORDED, TYPES, ResourceType

MODULES = (
    cloudformation_types_storage,
    cloudformation_types_data,
    cloudformation_types_iam,
    cloudformation_types_compute,
    cloudformation_types_workflow,
    cloudformation_types_network,
    cloudformation_types_messaging,
    cloudformation_types_events,
    cloudformation_types_monitoring,
    cloudformation_types_delivery,
    cloudformation_types_registry,
    cloudformation_types_autoscaling,
    cloudformation_types_apigateway,
)
"""Importing a module registers its types."""


def find(type_name: str) -> ResourceType | None:
    """Return how `type_name` is made, None for a type that is only recorded or not known."""
    return TYPES.get(type_name)


def refusals(resource: Mapping[str, Any]) -> list[str]:
    """Return why `resource` of a template cannot be rehearsed; nothing if it can."""
    type_name = resource["Type"]
    if type_name in RECORDED:
        return []
    kind = find(type_name)
    if kind is None:
        return ["no part of the emulated AWS makes this type"]
    return [
        f"no part of the emulated AWS honours the property {name}"
        for name in resource.get("Properties", {})
        if name not in kind.properties and name not in kind.recorded
    ]


def recorded_only(resource: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what of `resource` is accepted without an effect or without all of it, with the reasons."""
    type_name = resource["Type"]
    if type_name in RECORDED:
        return [(type_name, RECORDED[type_name])]
    kind = find(type_name)
    if kind is None:
        return []
    used = resource.get("Properties", {})
    return [
        *kind.limits,
        *((f"{type_name}.{name}", reason) for name, reason in kind.recorded.items() if name in used),
    ]
