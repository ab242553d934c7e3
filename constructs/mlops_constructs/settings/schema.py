"""Write the JSON Schemas that editors check the settings with: `python -m mlops_constructs.settings.schema`."""

from __future__ import annotations

import json
import pathlib
import sys
from typing import TYPE_CHECKING, Any, Final

from mlops_constructs.settings.environments import Environments
from mlops_constructs.settings.manual import LATER
from mlops_constructs.settings.model import ModelSettings, Stage
from mlops_constructs.settings.network_rules import EXISTING
from mlops_constructs.settings.xgboost_hyperparameters import ALIASES, HYPERPARAMETERS, Kind
from mlops_constructs.settings.xgboost_images import ACCOUNTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_constructs.settings.section import Section
    from mlops_constructs.settings.xgboost_hyperparameters import Hyperparameter, Interval

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_SECTIONS: Final[Mapping[str, type[Section]]] = {"environments": Environments, "model": ModelSettings}


def schemas() -> dict[str, str]:
    """Build the text of each schema file, by the name of the file."""
    return {f"{name}.json": _text(_schema(name, section)) for name, section in _SECTIONS.items()}


def write(folder: pathlib.Path) -> list[pathlib.Path]:
    """Write the schema files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in schemas().items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in schemas()]


def _schema(name: str, section: type[Section]) -> dict[str, Any]:
    schema: dict[str, Any] = {"$schema": DIALECT, **section.model_json_schema()}
    definitions = schema["$defs"]
    if name == "model":
        definitions["Algorithm"]["properties"]["hyperparameters"] |= _hyperparameters()
        definitions["Container"] |= _one_of("path", "image")
        for kind in ("RealTime", "Asynchronous"):
            definitions[kind] |= _one_of("instance_type", "instance_pools")
        _require_by_stage(schema)
        # Nobody writes an empty one, and editors explain it badly.
        for section_name in ("algorithm", "container", "handover"):
            described = schema["properties"][section_name]
            schema["properties"][section_name] = {"description": described["description"], **described["anyOf"][0]}
    else:
        definitions["Environment"]["properties"]["region"]["enum"] = list(ACCOUNTS)
        definitions["Network"]["oneOf"] = [{"required": list(EXISTING)}, {"required": ["cidr"]}]
    return schema


def _require_by_stage(schema: dict[str, Any]) -> None:
    """Ask of a model at stage manual for what this stage needs, of every other one for the rest, too."""
    later = [name for name in schema["required"] if name in LATER]
    schema["required"] = [name for name in schema["required"] if name not in LATER]
    schema["if"] = {"properties": {"stage": {"const": Stage.MANUAL}}}
    schema["then"] = {"not": {"required": ["algorithm", "container"]}}
    schema["else"] = {"required": later, **_one_of("algorithm", "container")}


def _one_of(*names: str) -> dict[str, Any]:
    return {"oneOf": [{"required": [name]} for name in names]}


def _hyperparameters() -> dict[str, Any]:
    properties = {each.name: _hyperparameter(each) for each in HYPERPARAMETERS.values()}
    properties |= {alias: properties[name] for alias, name in ALIASES.items()}
    required = [each.name for each in HYPERPARAMETERS.values() if each.required]
    return {"additionalProperties": False, "properties": properties, "required": [*required, "objective"]}


def _hyperparameter(hyperparameter: Hyperparameter) -> dict[str, Any]:
    described: dict[str, Any] = {"description": hyperparameter.allowed}
    if hyperparameter.kind in (Kind.INTEGER, Kind.NUMBER):
        kind = "integer" if hyperparameter.kind is Kind.INTEGER else "number"
        return described | {"type": [kind, "string"], **_bounds(hyperparameter.interval)}
    if hyperparameter.kind is Kind.WORD:
        truth = [True, False] if "true" in hyperparameter.words else []
        return described | {"enum": [*hyperparameter.words, *truth]}
    return described | {"type": "string"}


def _bounds(interval: Interval) -> dict[str, float]:
    low, high = interval.minimum, interval.maximum
    bounds = {"exclusiveMinimum" if interval.above else "minimum": low}
    bounds |= {"exclusiveMaximum" if interval.below else "maximum": high}
    return {key: value for key, value in bounds.items() if abs(value) != float("inf")}


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for path in write(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "config/schema")):
        sys.stdout.write(f"{path}\n")
