"""What AWS says about its resource types: the provider schemas that cfn-lint ships.

They are read as files, one per type that a template uses (about a millisecond each): importing cfn-lint itself takes
seconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

Path_ = tuple[str, ...]
_SCHEMA_REGION = "us-east-1"


@cache
def _folder() -> Path:
    spec = find_spec("cfnlint")
    if spec is None or not spec.submodule_search_locations:
        msg = "cfn-lint is not installed, its provider schemas decide which changes replace a resource"
        raise RuntimeError(msg)
    return Path(next(iter(spec.submodule_search_locations))) / "data" / "schemas"


@cache
def _index(region: str) -> dict[str, str]:
    path = _folder() / "providers" / f"{region}.json"
    if not path.exists():
        path = _folder() / "providers" / f"{_SCHEMA_REGION}.json"
    index: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return index


@cache
def schema(type_name: str, region: str = _SCHEMA_REGION) -> Mapping[str, Any] | None:
    """Return the provider schema of `type_name`, None for a type that `region` does not have."""
    name = _index(region).get(type_name)
    if name is None:
        return None
    document: dict[str, Any] = json.loads((_folder() / "resources" / f"{name}.json").read_text(encoding="utf-8"))
    return document


def _paths(type_name: str, key: str) -> Iterator[Path_]:
    for pointer in (schema(type_name) or {}).get(key, []):
        yield tuple(part for part in pointer.removeprefix("/properties/").split("/") if part not in {"*", "items"})


@cache
def create_only(type_name: str) -> frozenset[Path_]:
    """Return the paths of the properties whose change always replaces the resource."""
    return frozenset(_paths(type_name, "createOnlyProperties"))


@cache
def conditionally_create_only(type_name: str) -> frozenset[Path_]:
    """Return the paths of the properties whose change replaces the resource in some cases."""
    return frozenset(_paths(type_name, "conditionalCreateOnlyProperties"))


def _at(document: Any, path: Path_) -> Any:
    for depth, part in enumerate(path):
        if isinstance(document, list):
            return [_at(item, path[depth:]) for item in document]
        if not isinstance(document, Mapping):
            return document
        document = document.get(part)
    return document


def recreation(type_name: str, name: str, before: Any, after: Any) -> str:
    """Return RequiresRecreation (Always, Conditionally, Never) of a change of the property `name`."""
    for paths, answer in (
        (create_only(type_name), "Always"),
        (conditionally_create_only(type_name), "Conditionally"),
    ):
        for path in paths:
            if path[0] == name and (len(path) == 1 or _at(before, path[1:]) != _at(after, path[1:])):
                return answer
    return "Never"


def tags_of(type_name: str) -> tuple[str, str] | None:
    """Return the name and the shape (array or object) of the tags of `type_name`, None if it cannot be tagged."""
    document = schema(type_name) or {}
    tagging = document.get("tagging", {})
    name = str(tagging.get("tagProperty", "/properties/Tags")).rsplit("/", 1)[-1]
    definition = document.get("properties", {}).get(name)
    if tagging.get("taggable") is False or definition is None:
        return None
    shape = _resolve(definition, document).get("type", "array")
    return name, "object" if shape == "object" or (isinstance(shape, list) and "object" in shape) else "array"


def longest_name(type_name: str, name_property: str, default: int = 63) -> int:
    """Return how long the property that names the resource may be."""
    document = schema(type_name) or {}
    definition = document.get("properties", {}).get(name_property, {})
    return int(_resolve(definition, document).get("maxLength", default))


def problems(type_name: str, properties: Mapping[str, Any]) -> list[str]:
    """Return what AWS's own validation says first: unknown and missing properties."""
    document = schema(type_name)
    if document is None or "properties" not in document:
        return []
    known = document["properties"]
    found = [f"extraneous key [{name}] is not permitted" for name in properties if name not in known]
    found += [f"required key [{name}] not found" for name in document.get("required", []) if name not in properties]
    return found


def coerce(type_name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return `properties` with the JSON types of the schema: parameters and Fn::Sub only ever give strings."""
    document = schema(type_name) or {}
    return {
        name: _coerce(value, document.get("properties", {}).get(name, {}), document)
        for name, value in properties.items()
    }


def _resolve(definition: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in definition:
        target: Any = document
        for part in str(definition["$ref"]).removeprefix("#/").split("/"):
            target = target[part]
        definition = target
    return definition


def _coerce(value: Any, definition: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    definition = _resolve(definition, document)
    if isinstance(value, dict):
        inner = definition.get("properties", {})
        return {name: _coerce(item, inner.get(name, {}), document) for name, item in value.items()}
    if isinstance(value, list):
        return [_coerce(item, definition.get("items", {}), document) for item in value]
    kinds = definition.get("type", [])
    return _coerce_scalar(value, {kinds} if isinstance(kinds, str) else set(kinds))


def _coerce_scalar(value: Any, kinds: set[str]) -> Any:
    if isinstance(value, str) and kinds and "string" not in kinds:
        if "boolean" in kinds and value.lower() in {"true", "false"}:
            return value.lower() == "true"
        for kind, convert in (("integer", int), ("number", float)):
            if kind in kinds:
                try:
                    return convert(value)
                except ValueError:
                    continue
    if isinstance(value, bool) and kinds == {"string"}:
        return str(value).lower()
    if isinstance(value, int | float) and not isinstance(value, bool) and kinds == {"string"}:
        return str(value)
    return value
