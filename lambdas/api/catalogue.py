"""The models that this environment serves, and their columns: `models.json`, which the stack packs beside the code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = Path(__file__).resolve().parents[2] / "models.json"


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of the rows, as the settings of the model have it."""

    name: str
    type: str
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] = ()
    missing: bool = False


@dataclass(frozen=True, kw_only=True)
class Model:
    """One model of the environment."""

    name: str
    description: str
    endpoint: str
    serving: str
    at_once: bool
    """Whether a caller can wait for the answer."""
    task: str
    label: str
    classes: tuple[str, ...]
    columns: tuple[Column, ...]
    """Every column but the label, in the declared order."""
    raw: bool = False
    """Whether the endpoint takes rows as they are, because it encodes them itself."""
    current: str | None = None
    """The parameter that names the current version, where several models share the endpoint."""

    @property
    def features(self) -> tuple[Column, ...]:
        """The columns that the model learned from."""
        return tuple(column for column in self.columns if column.type != "ignore")


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """All models of one environment."""

    environment: str
    models: tuple[Model, ...]

    def find(self, name: str) -> Model | None:
        """Return the model `name`; None where there is no such model."""
        return next((model for model in self.models if model.name == name), None)


def read(document: Mapping[str, Any]) -> Catalogue:
    """Return the catalogue in `document`."""
    return TypeAdapter(Catalogue).validate_python(document)


def load(path: Path = FILE) -> Catalogue:
    """Return the catalogue of this deployment."""
    return read(json.loads(path.read_text()))
