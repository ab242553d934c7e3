"""Requests to SageMaker checked as the service checks them, against botocore's own model of its API.

Gap of moto that is closed here: it accepts any name, any instance type, a missing role and numbers as hyperparameters.
"""

from __future__ import annotations

import functools
import json
import re
from typing import Any, NoReturn

import botocore.session

_SERIALIZATION = "SerializationException"
_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "blob": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
}
_JSON_TYPES: dict[type, str] = {
    bool: "BOOLEAN_VALUE",
    int: "NUMBER_VALUE",
    float: "NUMBER_VALUE",
    str: "STRING_VALUE",
    dict: "START_OBJECT",
    list: "START_ARRAY",
}


class SageMakerError(Exception):
    """An error answer of SageMaker, with status 400."""

    def __init__(self, code: str, message: str) -> None:
        """Take the error code, ValidationException for example, and the text that the caller sees."""
        super().__init__(message)
        self.code = code
        self.message = message


def invalid(message: str) -> SageMakerError:
    """Return the error by which SageMaker refuses a request."""
    return SageMakerError("ValidationException", message)


def refuse(message: str) -> NoReturn:
    """Refuse a request.

    Raises:
        SageMakerError: always, a ValidationException.

    """
    raise invalid(message)


@functools.cache
def service_model() -> Any:
    """Return botocore's model of SageMaker."""
    return botocore.session.Session(profile=None).get_service_model("sagemaker")


def check(operation: str, body: bytes | str) -> dict[str, Any]:
    """Return the parameters in `body`; raise what SageMaker answers when its API model does not allow them.

    Raises:
        SageMakerError: a type is wrong (SerializationException), or values are (ValidationException, all at once).

    """
    parameters: dict[str, Any] = json.loads(body or "{}")
    problems: list[str] = []
    _check_value(service_model().operation_model(operation).input_shape, parameters, "", problems)
    if problems:
        count = len(problems)
        noun = "error" if count == 1 else "errors"
        refuse(f"{count} validation {noun} detected: {'; '.join(problems)}")
    return parameters


def _check_value(shape: Any, value: Any, path: str, problems: list[str]) -> None:
    allowed = _PYTHON_TYPES.get(shape.type_name)
    if allowed is None:
        return  # a timestamp: clients send numbers, and botocore parsed it
    if type(value) not in allowed:
        kind = _JSON_TYPES.get(type(value), "NULL_VALUE")
        message = f"{kind} can not be converted to a {shape.type_name.capitalize()} at '{path}'"
        raise SageMakerError(_SERIALIZATION, message)
    if shape.type_name == "structure":
        _check_structure(shape, value, path, problems)
    elif shape.type_name == "map":
        for key, item in value.items():
            _check_string(shape.key, key, path, problems)
            _check_value(shape.value, item, f"{path}.{key}", problems)
    elif shape.type_name == "list":
        _check_range(shape, len(value), value, path, problems, what="length")
        for number, item in enumerate(value, start=1):
            _check_value(shape.member, item, f"{path}.{number}.member", problems)
    elif shape.type_name == "string":
        _check_string(shape, value, path, problems)
    elif shape.type_name in {"integer", "long", "float", "double"}:
        _check_range(shape, value, value, path, problems, what="value")


def _check_structure(shape: Any, value: dict[str, Any], path: str, problems: list[str]) -> None:
    for name in shape.required_members:
        if value.get(name) is None:
            where = _member(path, name)
            problems.append(f"Value null at '{where}' failed to satisfy constraint: Member must not be null")
    for name, item in value.items():
        # SageMaker ignores members that it does not know; SDKs refuse them before they send anything.
        if name in shape.members and item is not None:
            _check_value(shape.members[name], item, _member(path, name), problems)


def _member(path: str, name: str) -> str:
    lowered = name[0].lower() + name[1:]
    return f"{path}.{lowered}" if path else lowered


def _check_string(shape: Any, value: str, path: str, problems: list[str]) -> None:
    if getattr(shape, "enum", None) and value not in shape.enum:
        allowed = ", ".join(shape.enum)
        problems.append(
            f"Value '{value}' at '{path}' failed to satisfy constraint: Member must satisfy enum value set: [{allowed}]"
        )
        return
    _check_range(shape, len(value), value, path, problems, what="length")
    pattern = shape.metadata.get("pattern")
    compiled = _compiled(pattern) if pattern else None
    if compiled is not None and not compiled.fullmatch(value):
        problems.append(
            f"Value '{value}' at '{path}' failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: {pattern}"
        )


def _check_range(shape: Any, size: float, value: Any, path: str, problems: list[str], *, what: str) -> None:
    for bound, wrong, words in (("min", size.__lt__, "greater"), ("max", size.__gt__, "less")):
        limit = shape.metadata.get(bound)
        if limit is not None and wrong(limit) is True:
            verb = "have length" if what == "length" else "have value"
            problems.append(
                f"Value '{value}' at '{path}' failed to satisfy constraint: "
                f"Member must {verb} {words} than or equal to {limit}"
            )


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    # The model's patterns are Java's. Its Unicode classes appear in free text only (tags, descriptions).
    if r"\p{" in pattern:
        return None
    try:
        return re.compile(pattern, re.DOTALL)
    except re.error:
        return None
