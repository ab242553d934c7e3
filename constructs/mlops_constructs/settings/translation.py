"""Turn what pydantic finds into problems that say where, what, what is allowed and what to do."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mlops_constructs.settings.allowed import allowed_at, keys_at, names_at, node_at
from mlops_constructs.settings.problems import NOT_SET, Problem, listed, show_value
from mlops_constructs.settings.section import PATTERNS
from mlops_constructs.settings.serving import REAL_TIME
from mlops_constructs.settings.xgboost_hyperparameters import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic_core import ErrorDetails

    from mlops_constructs.settings.problems import Path
    from mlops_constructs.settings.section import Section
    from mlops_constructs.settings.yaml_document import Document

_KEY: Final = "[key]"
_EXTRA: Final = "extra_forbidden"
_MISSING: Final = ("missing", "union_tag_not_found")

_MESSAGES: Final = {
    "missing": "is missing",
    "union_tag_not_found": "is missing",
    "greater_than": "is too small",
    "greater_than_equal": "is too small",
    "less_than": "is too large",
    "less_than_equal": "is too large",
    "string_too_short": "is too short",
    "string_too_long": "is too long",
    "finite_number": "is not a finite number",
    "literal_error": "is not a word that may stand here",
    "enum": "is not a word that may stand here",
    "union_tag_invalid": "is not a word that may stand here",
}


_KINDS: Final = {
    bool: "true or false",
    int: "a whole number",
    float: "a number with a fraction",
    str: "text",
    list: "a list",
    dict: "a mapping",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One finding of pydantic: where it is, in terms of the file."""

    path: Path
    kind: str
    key: bool
    """Whether the key is wrong, not its value."""
    context: dict[str, Any]


def mistakes_of(errors: Sequence[ErrorDetails], data: Any) -> list[Mistake]:
    """Read the errors that pydantic found in `data`."""
    return [_mistake(error, data) for error in errors]


def _mistake(error: ErrorDetails, data: Any) -> Mistake:
    path = _without_tags(tuple(error["loc"]), data)
    kind = error["type"]
    if kind.startswith("union_tag_"):
        path = (*path, "type")
    around = value_at(data, path[:-1])
    key = path[-1:] == (_KEY,) and not (isinstance(around, dict) and _KEY in around)
    return Mistake(path=path[:-1] if key else path, kind=kind, key=key, context=error.get("ctx", {}))


def _without_tags(location: Path, data: Any) -> Path:
    """Drop the names of branches, which pydantic puts into the location of what is wrong inside a union."""
    path: Path = ()
    for step in location:
        if isinstance(data, dict) and step not in data and step == data.get("type", REAL_TIME):
            continue
        if step != _KEY and not isinstance(data, dict | list):  # inside a single value: the branch that was tried
            continue
        path = (*path, step)
        data = value_at(data, (step,))
    return path


def translate(mistakes: Sequence[Mistake], section: type[Section], document: Document) -> list[Problem]:
    """Say each mistake in words; a missing key that was only misspelt is one mistake, not two."""
    missing = {mistake.path for mistake in mistakes if mistake.kind in _MISSING}
    problems, misspelt = [], set()
    for mistake in mistakes:
        if mistake.kind == _EXTRA:
            problem, meant = _translate_extra(mistake.path, section, document, missing)
            problems.append(problem)
            misspelt.add(meant)
    problems += [
        _translate_one(mistake, section, document)
        for mistake in mistakes
        if mistake.kind != _EXTRA and not (mistake.kind in _MISSING and mistake.path in misspelt)
    ]
    return problems


def _translate_extra(
    path: Path, section: type[Section], document: Document, missing: set[Path]
) -> tuple[Problem, Path | None]:
    around, word = path[:-1], str(path[-1])
    keys = keys_at(section, around, document.data)
    present = value_at(document.data, around)
    absent = [key for key in keys if key not in present] if isinstance(present, dict) else keys
    near = nearest(word, absent) or nearest(word, keys)
    meant = (*around, near) if near else None
    remedy = f"did you mean {near}?" if near else "remove the line"
    problem = _problem(path, "is not a setting", document, allowed=f"one of {listed(keys)}", remedy=remedy)
    return problem, meant if meant in missing else None


def _translate_one(mistake: Mistake, section: type[Section], document: Document) -> Problem:
    path, data = mistake.path, document.data
    value = value_at(data, path)
    if mistake.key:
        names = names_at(section, path[:-1], data)
        allowed = PATTERNS.get(mistake.context.get("pattern", "")) or f"one of {listed(names)}"
        near = nearest(str(path[-1]), names)
        remedy = f"did you mean {near}?" if near else "rename the key"
        return _problem(path, "is not a name that may stand here", document, allowed=allowed, remedy=remedy)
    allowed = allowed_at(section, path, data)
    union = node_at(section, path[:-1], data) if path[-1:] == ("type",) else {}
    if "discriminator" in union:
        allowed = f"one of {', '.join(union['discriminator']['mapping'])}"
    if mistake.kind in _MISSING:
        remedy = f"add the line '{path[-1]}: ...'"
    else:
        remedy = _remedy(value, mistake, node_at(section, path, data), document)
    return _problem(path, _message(mistake, value), document, allowed=allowed, remedy=remedy)


def _message(mistake: Mistake, value: object) -> str:
    if mistake.kind in _MESSAGES:
        return _MESSAGES[mistake.kind]
    if mistake.kind in ("too_short", "too_long"):
        return f"has {'too few' if mistake.kind == 'too_short' else 'too many'} entries"
    if mistake.kind == "string_pattern_mismatch":
        return "is not of the right form"
    return f"is {_kind_of(value)}, which cannot stand here"


def _remedy(value: object, mistake: Mistake, node: dict[str, Any], document: Document) -> str:
    words = _words(node) or _words_of_tag(mistake)
    if isinstance(value, str):
        near = nearest(value, words)
        if near:
            return f"did you mean {near}?"
        return _remedy_for_text(value, node)
    if mistake.kind == "string_type" and mistake.path in document.texts:
        return f"put quotes around it: {json.dumps(document.texts[mistake.path])}"
    if isinstance(value, list) and node.get("type") != "array" and all(isinstance(each, str) for each in value):
        return f"write one text, such as {show_value(','.join(value))}"
    if node.get("type") == "array" and not isinstance(value, list):
        return "write it as a list: [..., ...]"
    return "change the value"


def _remedy_for_text(value: str, node: dict[str, Any]) -> str:
    kinds = [node.get("type"), *(each.get("type") for each in node.get("anyOf", ()))]
    if "boolean" in kinds:
        return "write true or false, without quotes"
    if ("integer" in kinds or "number" in kinds) and value.strip().replace(".", "", 1).isdecimal():
        return "remove the quotes"
    return "write it as a list: [..., ...]" if "array" in kinds else "change the value"


def _words_of_tag(mistake: Mistake) -> list[str]:
    return [word.strip(" '") for word in mistake.context.get("expected_tags", "").split(",") if word]


def _words(node: dict[str, Any]) -> list[str]:
    words = node.get("enum") or [node[key] for key in ("const",) if key in node]
    return [str(word) for word in words]


def _kind_of(value: object) -> str:
    return _KINDS.get(type(value), "empty")


def value_at(data: Any, path: Path) -> Any:
    """Find the value at a path; None where there is none."""
    for step in path:
        if isinstance(data, dict):
            data = data.get(step)
        elif isinstance(data, list) and isinstance(step, int):
            data = data[step]
        else:
            return None
    return data


def show_at(document: Document, path: Path) -> str:
    """Write the value at a path as the file has it."""
    around = value_at(document.data, path[:-1])
    last = path[-1] if path else None
    present = not path or (isinstance(around, dict) and last in around) or isinstance(around, list)
    return document.show(path, value_at(document.data, path)) if present else NOT_SET


def _problem(path: Path, message: str, document: Document, *, allowed: str, remedy: str) -> Problem:
    return Problem(
        file=document.file,
        line=document.line(path),
        path=path,
        message=message,
        value=show_at(document, path),
        allowed=allowed,
        remedy=remedy,
    )
