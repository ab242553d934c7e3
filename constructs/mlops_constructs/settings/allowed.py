"""Say in words what the settings allow at a place, from the same JSON Schema that editors use."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from mlops_constructs.settings.problems import listed
from mlops_constructs.settings.section import PATTERNS
from mlops_constructs.settings.xgboost_hyperparameters import Interval

if TYPE_CHECKING:
    from mlops_constructs.settings.problems import Path
    from mlops_constructs.settings.section import Section

_INFINITY = float("inf")


@cache
def schema_of(section: type[Section]) -> dict[str, Any]:
    """Build the JSON Schema of a section."""
    return section.model_json_schema()


def node_at(section: type[Section], path: Path, data: Any) -> dict[str, Any]:
    """Find the part of the schema that describes `path`; empty where the schema has no such place."""
    root = schema_of(section)
    node = _resolve(root, root, data)
    for step in path:
        data = _step(data, step)
        if isinstance(step, int):
            following = node.get("items", {})
        else:
            patterns = list(node.get("patternProperties", {}).values())
            others = patterns[0] if patterns else node.get("additionalProperties") or {}
            following = node.get("properties", {}).get(step, others)
        node = _resolve(root, following, data)
    return node


def allowed_at(section: type[Section], path: Path, data: Any) -> str:
    """Say what is allowed at `path`."""
    node = node_at(section, path, data)
    return _describe(schema_of(section), node) or "nothing"


def keys_at(section: type[Section], path: Path, data: Any) -> list[str]:
    """List the keys that the mapping at `path` may have; empty where the keys are free."""
    return list(node_at(section, path, data).get("properties", {}))


def names_at(section: type[Section], path: Path, data: Any) -> list[str]:
    """List the words that the keys of the mapping at `path` are taken from; empty where they are free."""
    names = node_at(section, path, data).get("propertyNames", {})
    return [str(word) for word in _resolve(schema_of(section), names, None).get("enum", ())]


def _step(data: Any, step: str | int) -> Any:
    try:
        return data[step]
    except (KeyError, IndexError, TypeError):
        return None


def _resolve(root: dict[str, Any], node: dict[str, Any], data: Any) -> dict[str, Any]:
    """Follow references and choose the branch of a union that the data means."""
    while True:
        if "$ref" in node:
            node = root["$defs"][node["$ref"].rpartition("/")[2]]
        elif "discriminator" in node and isinstance(data, dict):
            mapping, default = node["discriminator"]["mapping"], node["discriminator"].get("defaultMapping")
            kind = data.get("type")
            meant = default if "type" not in data else mapping.get(kind) if isinstance(kind, str) else None
            if meant is None:
                return node
            node = {"$ref": meant}
        elif "anyOf" in node and isinstance(data, dict) and any("$ref" in each for each in node["anyOf"]):
            node = next(each for each in node["anyOf"] if "$ref" in each)
        else:
            return node


def _describe(root: dict[str, Any], node: dict[str, Any]) -> str:
    node = _resolve(root, node, None)
    if "const" in node:
        return str(node["const"])
    if "enum" in node:
        return f"one of {listed([str(word) for word in node['enum']])}"
    if "pattern" in node:
        return PATTERNS[node["pattern"]]
    if "anyOf" in node or "oneOf" in node:
        return _describe_union(root, node)
    return _describe_type(root, node)


def _describe_type(root: dict[str, Any], node: dict[str, Any]) -> str:
    kind = node.get("type")
    if kind in ("integer", "number"):
        bounds = _bounds(node)
        return " ".join(filter(None, ("a whole number" if kind == "integer" else "a number", bounds)))
    if kind == "array":
        count = _count(node, "value")
        return f"a list of {count}, each {_describe(root, node.get('items', {}))}"
    if kind == "object":
        return _describe_object(root, node)
    if kind == "string":
        length = _count(node, "character", low="minLength", high="maxLength")
        return f"text of {length}" if length else "text"
    return {"boolean": "true or false", "null": "nothing"}.get(kind or "", "")


def _describe_union(root: dict[str, Any], node: dict[str, Any]) -> str:
    if "discriminator" in node:
        return f"a mapping with 'type', one of {', '.join(node['discriminator']['mapping'])}"
    parts = [_describe(root, each) for each in node["anyOf"]]
    return " or ".join(part for part in parts if part != "nothing")


def _describe_object(root: dict[str, Any], node: dict[str, Any]) -> str:
    properties = node.get("properties")
    if properties is not None:
        required = [key for key in properties if key in node.get("required", ())]
        optional = [key for key in properties if key not in required]
        needs = f"the keys {', '.join(required)}" if required else ""
        may = f"{'optionally' if required else 'the keys'} {', '.join(optional)}" if optional else ""
        return f"a mapping with {' and '.join(filter(None, (needs, may)))}"
    count = _count(node, "key", low="minProperties", high="maxProperties")
    names = node.get("propertyNames", {})
    words = f": {_describe(root, names)}" if names else ""
    return f"a mapping{' with ' + count if count else ''}{words}"


def _bounds(node: dict[str, Any]) -> str:
    above, below = "exclusiveMinimum" in node, "exclusiveMaximum" in node
    low = node.get("exclusiveMinimum", node.get("minimum", -_INFINITY))
    high = node.get("exclusiveMaximum", node.get("maximum", _INFINITY))
    return str(Interval(minimum=low, maximum=high, above=above, below=below))


def _count(node: dict[str, Any], thing: str, *, low: str = "minItems", high: str = "maxItems") -> str:
    least, most = node.get(low), node.get(high)
    if least is None and most is None:
        return "" if thing != "value" else "values"
    if least and most:
        return f"{least} to {most} {thing}s"
    return f"at least {least} {thing}s" if least else f"at most {most} {thing}s"
