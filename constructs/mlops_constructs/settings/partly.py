"""Build settings of which parts are unknown, so that rules can look at the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args

from mlops_constructs.settings.section import Section
from mlops_constructs.settings.xgboost_hyperparameters import nearest

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from mlops_constructs.settings.problems import Path

SectionT = TypeVar("SectionT", bound=Section)


def partly(section: type[SectionT], data: dict[str, Any], wrong: AbstractSet[Path], path: Path = ()) -> SectionT:
    """Build a section from what is right in `data`; whoever asks for the rest meets `UnknownSettingError`.

    The rest is what is wrong or missing, and what the file seems to have under a misspelt name.
    """
    values: dict[str, Any] = {}
    absent = [name for name in section.model_fields if name not in data]
    unknown = {name for word in data.keys() - section.model_fields.keys() if (name := nearest(str(word), absent))}
    for name, field in section.model_fields.items():
        at = (*path, name)
        if name in data and at not in wrong:
            values[name] = _value(field.annotation, data[name], wrong, at)
        elif name in data or field.is_required():
            unknown.add(name)
        if values.get(name) is _UNKNOWN:
            del values[name]
            unknown.add(name)
    result = cast("SectionT", section.model_construct(**values))
    for name in unknown:  # where the value was wrong, model_construct has filled in the default
        result.__dict__.pop(name, None)
    return result


_UNKNOWN = object()


def _value(annotation: Any, data: Any, wrong: AbstractSet[Path], path: Path) -> Any:
    inner = any(other[: len(path)] == path for other in wrong)
    sections = [each for each in (annotation, *_arguments(annotation)) if _is_section(each)]
    if isinstance(data, dict):
        if _is_mapping(annotation):
            return _entries(sections[0] if sections else None, data, wrong, path)
        section = _choose(sections, data)
        return partly(section, data, wrong, path) if section else _UNKNOWN
    if isinstance(data, list) and sections and all(isinstance(each, dict) for each in data):
        return tuple(_value(sections[0], each, wrong, (*path, index)) for index, each in enumerate(data))
    if inner:
        return _UNKNOWN
    return tuple(data) if isinstance(data, list) else data


def _entries(
    section: type[Section] | None, data: dict[str, Any], wrong: AbstractSet[Path], path: Path
) -> dict[str, Any]:
    """Build the entries of a mapping; of a wrong one, only its name is known."""
    entries = {}
    for key, each in data.items():
        at = (*path, key)
        value = _UNKNOWN if at in wrong else _value(section, each, wrong, at)
        if value is _UNKNOWN and section is not None:
            value = section.model_construct()
            value.__dict__.clear()
        if value is not _UNKNOWN:
            entries[key] = value
    return entries


def _choose(sections: list[type[Section]], data: dict[str, Any]) -> type[Section] | None:
    """Find the section of a union whose `type` the data names."""
    if len(sections) == 1:
        return sections[0]
    for section in sections:
        kind = section.model_fields.get("type")
        if kind is not None and data.get("type", kind.default) in get_args(kind.annotation):
            return section
    return None


def _arguments(annotation: Any) -> tuple[Any, ...]:
    found: tuple[Any, ...] = ()
    for each in get_args(annotation):
        found += (each, *_arguments(each))
    return found


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Section)


def _is_mapping(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) is dict
