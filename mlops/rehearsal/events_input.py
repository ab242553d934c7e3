"""What a rule's target gets to see: Input, InputPath or InputTransformer applied to an event.

moto's parser leaves text out of its quotes and cannot do plain-text templates, so this one is ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_PLACEHOLDER = re.compile(r"<([\w.-]+)>")
_STEP = re.compile(r"\.([\w-]+)|\[['\"]([^'\"]+)['\"]\]|\[(\d+)\]")
_MISSING = object()


class InputError(ValueError):
    """The template gives something that is not JSON; EventBridge calls it INVALID_JSON."""


def find(document: Any, path: str) -> Any:
    """Return what `path` ($.a.b[0]) finds in `document`, None if there is nothing."""
    found = _find(document, path)
    return None if found is _MISSING else found


def _find(document: Any, path: str) -> Any:
    for match in _STEP.finditer(path.removeprefix("$")):
        name, index = match[1] or match[2], match[3]
        if name is not None and isinstance(document, Mapping) and name in document:
            document = document[name]
        elif index is not None and isinstance(document, list) and int(index) < len(document):
            document = document[int(index)]
        else:
            return _MISSING
    return document


def for_target(target: Mapping[str, Any], event: Mapping[str, Any], *, rule_name: str, rule_arn: str) -> str:
    """Return the body that `target` gets.

    Raises:
        InputError: the transformer's template does not give JSON.

    """
    if "Input" in target:
        return str(target["Input"])
    if "InputPath" in target:
        return json.dumps(find(event, target["InputPath"]))
    if "InputTransformer" in target:
        return _transform(target["InputTransformer"], event, rule_name=rule_name, rule_arn=rule_arn)
    return json.dumps(event)


def _transform(transformer: Mapping[str, Any], event: Mapping[str, Any], *, rule_name: str, rule_arn: str) -> str:
    values: dict[str, Any] = {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_name,
        "aws.events.event.ingestion-time": event["time"],
        "aws.events.event.json": event,
        "aws.events.event": {key: value for key, value in event.items() if key != "detail"},
    }
    for name, path in transformer.get("InputPathsMap", {}).items():
        values[name] = _find(event, path)
    template = transformer["InputTemplate"]
    text = _fill(template, values)
    try:
        return json.dumps(json.loads(text))
    except ValueError as error:
        msg = f"the input transformer of rule {rule_name} does not give JSON: {text}"
        raise InputError(msg) from error


def _fill(template: str, values: Mapping[str, Any]) -> str:
    parts, last, quoted = [], 0, False
    for match in _PLACEHOLDER.finditer(template):
        before = template[last : match.start()]
        quoted ^= len(re.findall(r'(?<!\\)"', before)) % 2 == 1
        parts.append(before)
        parts.append(_render(values.get(match[1], match[0]), quoted=quoted))
        last = match.end()
    parts.append(template[last:])
    return "".join(parts)


def _render(value: Any, *, quoted: bool) -> str:
    if value is _MISSING:
        return "" if quoted else '""'
    if not quoted:
        return json.dumps(value)
    text = value if isinstance(value, str) else json.dumps(value)
    return json.dumps(text)[1:-1]
