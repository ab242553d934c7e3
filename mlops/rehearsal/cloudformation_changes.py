"""What a new template and new parameters change in a stack, before anything is changed: the content of a change set.

moto names the action only. Whether a change replaces a resource is decided from AWS's provider schemas; what depends on
a value that is known only later is Dynamic, as DescribeChangeSet defines it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mlops.rehearsal import cloudformation_schemas as schemas
from mlops.rehearsal.cloudformation_stacks import Resource, Stack
from mlops.rehearsal.cloudformation_template import Pending, Scope, find_pending, references

_IMPACT = {"Never": 0, "Conditionally": 1, "Always": 2}
_POLICIES = ("Metadata", "DeletionPolicy", "UpdateReplacePolicy", "UpdatePolicy", "CreationPolicy")


def merge_tags(type_name: str, properties: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
    """Return `properties` with the stack's tags; those of the resource itself win."""
    place = schemas.tags_of(type_name)
    if place is None or not tags:
        return dict(properties)
    name, shape = place
    own: Any = properties.get(name) or ({} if shape == "object" else [])
    if shape == "object":
        return {**properties, name: {**tags, **own}}
    taken = {tag["Key"] for tag in own}
    inherited = [{"Key": key, "Value": value} for key, value in tags.items() if key not in taken]
    return {**properties, name: [*own, *inherited]}


def finish(type_name: str, properties: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
    """Return evaluated properties as they are handed to a type and compared: typed, and with the stack's tags."""
    return merge_tags(type_name, schemas.coerce(type_name, properties), tags)


class Comparison:
    """The comparison of a stack with what it is to become.

    `scope(lookup)` makes the scope of the new template, in which `lookup` answers for resources.
    """

    def __init__(
        self,
        stack: Stack,
        template: Mapping[str, Any],
        resolved: Mapping[str, Any],
        tags: Mapping[str, str],
        scope: Callable[[Callable[[str, str | None], Any]], Scope],
    ) -> None:
        self._stack = stack
        self._template = template
        self._resolved = resolved
        self._tags = tags
        self._replaced: set[str] = set()
        self._modified: set[str] = set()
        self.scope = scope(self._lookup)

    def _lookup(self, logical_id: str, attribute: str | None) -> Any:
        known = self._stack.resources.get(logical_id)
        if known is None or logical_id in self._replaced or (attribute is not None and logical_id in self._modified):
            return Pending(
                (
                    (
                        logical_id if attribute is None else f"{logical_id}.{attribute}",
                        "ResourceReference" if attribute is None else "ResourceAttribute",
                    ),
                )
            )
        return known.made.physical_id if attribute is None else known.made.attributes.get(attribute)

    def changes(self) -> list[dict[str, Any]]:
        """Return the changes in the order in which they will be made, removals last."""
        found = []
        order = self.scope.in_order()
        for logical_id in order:
            raw = self._template["Resources"][logical_id]
            known = self._stack.resources.get(logical_id)
            if known is None:
                self.scope.evaluate(raw.get("Properties", {}))  # an import of nothing, say, is found now, not halfway
                found.append(_change("Add", logical_id, raw["Type"], Scope=[], Details=[]))
                continue
            details = self._details(known, raw)
            if details:
                found.append(self._modify(known, details))
        gone = [logical_id for logical_id in self._stack.resources if logical_id not in order]
        for logical_id in reversed(gone):
            known = self._stack.resources[logical_id]
            found.append(
                _change(
                    "Remove",
                    logical_id,
                    known.type_name,
                    PhysicalResourceId=known.made.physical_id,
                    Scope=[],
                    Details=[],
                    PolicyAction="Retain" if known.raw.get("DeletionPolicy") == "Retain" else "Delete",
                )
            )
        return found

    def _modify(self, known: Resource, details: list[dict[str, Any]]) -> dict[str, Any]:
        replacement = _replacement(details)
        self._modified.add(known.logical_id)
        if replacement != "False":
            self._replaced.add(known.logical_id)
        more = {}
        if replacement != "False":
            retained = known.raw.get("UpdateReplacePolicy") == "Retain"
            more["PolicyAction"] = "ReplaceAndRetain" if retained else "ReplaceAndDelete"
        return _change(
            "Modify",
            known.logical_id,
            known.type_name,
            PhysicalResourceId=known.made.physical_id,
            Replacement=replacement,
            Scope=sorted({detail["Target"]["Attribute"] for detail in details}),
            Details=details,
            **more,
        )

    def _details(self, known: Resource, raw: Mapping[str, Any]) -> list[dict[str, Any]]:
        given = raw.get("Properties", {})
        after = finish(known.type_name, self.scope.evaluate(given), self._tags)
        details: list[dict[str, Any]] = []
        tags = schemas.tags_of(known.type_name)
        for name in sorted(after.keys() | known.properties.keys()):
            old, new = known.properties.get(name), after.get(name)
            pending = find_pending(new)
            if pending is None and old == new:
                continue
            target: dict[str, Any] = {"Attribute": "Properties", "Name": name}
            target["RequiresRecreation"] = schemas.recreation(known.type_name, name, old, new)
            if tags and name == tags[0]:
                target = {"Attribute": "Tags", "RequiresRecreation": "Never"}
            if pending is not None:
                details += [
                    {"Target": target, "Evaluation": "Dynamic", "ChangeSource": source, "CausingEntity": cause}
                    for cause, source in pending.causes
                ]
            else:
                details += self._static(target, known.raw.get("Properties", {}).get(name), given.get(name))
        details += [
            {
                "Target": {"Attribute": name, "RequiresRecreation": "Never"},
                "Evaluation": "Static",
                "ChangeSource": "DirectModification",
            }
            for name in _POLICIES
            if known.raw.get(name) != raw.get(name)
        ]
        return details

    def _static(self, target: dict[str, Any], old: Any, new: Any) -> list[dict[str, Any]]:
        if old != new:
            return [{"Target": target, "Evaluation": "Static", "ChangeSource": "DirectModification"}]
        changed = [
            name
            for name in sorted(references(new))
            if name in self._resolved and self._resolved[name] != self._stack.resolved.get(name)
        ]
        return [
            {"Target": target, "Evaluation": "Static", "ChangeSource": "ParameterReference", "CausingEntity": name}
            for name in changed
        ] or [{"Target": target, "Evaluation": "Static", "ChangeSource": "DirectModification"}]


def _replacement(details: list[dict[str, Any]]) -> str:
    def weight(detail: dict[str, Any]) -> tuple[int, bool]:
        return _IMPACT[detail["Target"].get("RequiresRecreation", "Never")], detail["Evaluation"] == "Static"

    impact, static = max(map(weight, details))
    if impact == 0:
        return "False"
    return "True" if impact == _IMPACT["Always"] and static else "Conditional"


def _change(action: str, logical_id: str, type_name: str, **more: Any) -> dict[str, Any]:
    detail = {"Action": action, "LogicalResourceId": logical_id, "ResourceType": type_name, **more}
    return {"Type": "Resource", "ResourceChange": detail}
