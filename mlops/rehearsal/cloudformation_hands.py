"""One change of one resource: made, changed or deleted through its type, and the reason when that fails."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mlops.rehearsal import cloudformation_schemas as schemas
from mlops.rehearsal import cloudformation_types as types
from mlops.rehearsal.cloudformation_resource import (
    RECORDED,
    Call,
    Made,
    ResourceFailedError,
    ResourceType,
    generate_name,
)
from mlops.rehearsal.cloudformation_stacks import Resource
from mlops.rehearsal.cloudformation_template import TemplateError

_GONE = re.compile(r"not ?found|no ?such|does not exist|could not find|cannot be found|nonexistent", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Hands:
    """Makes, changes and deletes the resources of one stack. `call(logical id, name, begun)` makes the context."""

    stack_name: str
    call: Callable[[str, str, Callable[[Made], None]], Call]

    def make(
        self, logical_id: str, type_name: str, properties: Mapping[str, Any], begun: Callable[[Made], None]
    ) -> Made:
        """Make a resource."""
        if type_name in RECORDED:
            return Made(f"{self.stack_name}-{logical_id}")
        kind = _kind(type_name)
        found = schemas.problems(type_name, properties)
        found += types.refusals({"Type": type_name, "Properties": properties})
        if found:
            msg = f"Properties validation failed for resource {logical_id} with message: {'; '.join(found)}"
            raise ResourceFailedError(msg)
        name = properties.get(kind.name_property or "")
        name = name or generate_name(kind, stack_name=self.stack_name, logical_id=logical_id)
        return kind.create(self.call(logical_id, name, begun), _effective(kind, properties))

    def change(self, known: Resource, properties: Mapping[str, Any]) -> Made:
        """Change a resource in place."""
        if known.type_name in RECORDED:
            return known.made
        kind = _kind(known.type_name)
        found = types.refusals({"Type": known.type_name, "Properties": properties})
        if found:
            raise ResourceFailedError("; ".join(found))
        name = str(known.made.attributes.get(kind.name_property or "", known.made.physical_id))
        call = self.call(known.logical_id, name, lambda _made: None)
        return kind.update(call, known.made, _effective(kind, known.properties), _effective(kind, properties))

    def delete(self, known: Resource) -> str | None:
        """Delete a resource; return the reason if that failed. One that is gone is deleted."""
        if known.type_name in RECORDED or not known.made.physical_id:
            return None
        try:
            call = self.call(known.logical_id, known.made.physical_id, lambda _made: None)
            _kind(known.type_name).delete(call, known.made, known.properties)
        except Exception as error:  # noqa: BLE001 - whatever an API or a type raises fails the resource
            return None if _GONE.search(f"{getattr(error, 'response', '')} {error}") else reason(error)
        return None


def _kind(type_name: str) -> ResourceType:
    kind = types.find(type_name)
    if kind is None:
        msg = f"Resource type {type_name} is not supported: no part of the emulated AWS makes it"
        raise ResourceFailedError(msg)
    return kind


def _effective(kind: ResourceType, properties: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if name not in kind.recorded}


def kept_name(known: Resource, properties: Mapping[str, Any]) -> str | None:
    """Return the explicit name that a resource has and shall keep, None if there is none."""
    kind = types.find(known.type_name)
    name_property = kind.name_property if kind else None
    name = properties.get(name_property) if name_property else None
    return name if name is not None and name == known.properties.get(name_property or "") else None


def replaces(known: Resource, properties: Mapping[str, Any]) -> bool:
    """Whether `properties` need another resource than the known one."""
    return any(
        schemas.recreation(known.type_name, name, known.properties.get(name), properties.get(name)) == "Always"
        for name in known.properties.keys() | properties.keys()
        if known.properties.get(name) != properties.get(name)
    )


def last_first(resources: list[Resource]) -> list[Resource]:
    """Return `resources` so that each one comes before those that it was made after."""
    by_id = {resource.logical_id: resource for resource in resources}
    order: list[Resource] = []
    seen: set[str] = set()

    def visit(resource: Resource) -> None:
        if resource.logical_id in seen:
            return
        seen.add(resource.logical_id)
        for needed in sorted(resource.needs & by_id.keys()):
            visit(by_id[needed])
        order.append(resource)

    for resource in resources:
        visit(resource)
    return order[::-1]


def reason(error: Exception) -> str:
    """Return the reason of a failure as CloudFormation words it."""
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        if isinstance(error, ResourceFailedError | TemplateError):
            return str(error)
        return f"{type(error).__name__}: {error}"
    detail = response.get("Error", {})
    code, status = detail.get("Code", "Unknown"), response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
    handler = (
        "AccessDenied"
        if "AccessDenied" in code or "not authorized" in detail.get("Message", "")
        else "AlreadyExists"
        if "Exist" in code
        else "InvalidRequest"
    )
    operation = getattr(error, "operation_name", "")
    return (
        f'Resource handler returned message: "{detail.get("Message", "")} (Operation: {operation}, Error Code: '
        f'{code}, Status Code: {status})" (RequestToken: {uuid.uuid4()}, HandlerErrorCode: {handler})'
    )
