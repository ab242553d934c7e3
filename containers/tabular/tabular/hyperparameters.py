"""The hyperparameters: SageMaker hands them over as text, and all mistakes are told at once."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from tabular.cells import shown
from tabular.contract import TrainingError

_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


class Task(StrEnum):
    """What is predicted: one of some classes, or a number."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


class Estimator(StrEnum):
    """The kinds of model: all of them are trees."""

    DECISION_TREE = "decision_tree"
    RANDOM_FOREST = "random_forest"
    EXTRA_TREES = "extra_trees"
    GRADIENT_BOOSTING = "gradient_boosting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameters:
    """What a training job was told; the names and the meaning are those of scikit-learn."""

    task: Task
    estimator: Estimator = Estimator.RANDOM_FOREST
    n_estimators: int = 100
    max_depth: int | None = None
    max_leaf_nodes: int | None = None
    min_samples_leaf: int = 1
    max_features: str | float | None = None
    """None: what scikit-learn takes for the estimator."""
    class_weight: str | None = None
    learning_rate: float = 0.1
    subsample: float = 1.0
    seed: int = 0


def parse(given: Mapping[str, Any]) -> Hyperparameters:
    """Read the hyperparameters of a job.

    Raises:
        TrainingError: some of them are wrong; the message names every one.

    """
    values: dict[str, Any] = {}
    mistakes: list[str] = []
    for name, text in given.items():
        if name.startswith(("sagemaker_", "_")):
            continue  # SageMaker's own: script mode and tuning jobs add some
        if name not in _READERS:
            near = difflib.get_close_matches(name, _READERS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(_READERS)}"
            mistakes.append(f"{shown(name)} is unknown; {hint}")
            continue
        try:
            values[name] = _READERS[name](_text(text))
        except ValueError as error:
            mistakes.append(f"{name} is {shown(text)}; expected {error}")
    if "task" not in given:
        mistakes.append(f"task is missing; expected {_one_of(Task)}")
    mistakes += _together(values)
    if mistakes:
        what = "a hyperparameter is" if len(mistakes) == 1 else f"{len(mistakes)} hyperparameters are"
        msg = f"{what} wrong: {'; '.join(mistakes)}"
        raise TrainingError(msg)
    return Hyperparameters(**values)


def read(path: Path) -> Hyperparameters:
    """Read hyperparameters.json.

    Raises:
        TrainingError: it is no JSON object of texts, or the hyperparameters are wrong.

    """
    if not path.exists():
        return parse({})
    try:
        given = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        msg = f"{path} is no JSON: {error}"
        raise TrainingError(msg) from None
    if not isinstance(given, dict):
        msg = f"{path} holds {shown(given)}; expected an object of names and texts"
        raise TrainingError(msg)
    return parse(given)


def _together(values: Mapping[str, Any]) -> list[str]:
    """Return what does not go together."""
    estimator = values.get("estimator", Estimator.RANDOM_FOREST)
    mistakes = [
        f"{name} means nothing for the estimator {estimator}; remove it or write estimator={' or '.join(allowed)}"
        for name, allowed in _ONLY_FOR.items()
        if name in values and estimator not in allowed
    ]
    if values.get("class_weight") and values.get("task") is Task.REGRESSION:
        mistakes.append("class_weight means nothing for the task regression; remove it")
    return mistakes


def _text(value: object) -> str:
    """Return the value as SageMaker gives it; numbers written by hand are taken too."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = "a text"
        raise ValueError(msg)  # noqa: TRY004 - every mistake is a ValueError, so that all are told
    return repr(value)


def _one_of(kind: type[StrEnum]) -> str:
    return " or ".join(kind)


def _choice(kind: type[StrEnum]) -> Callable[[str], StrEnum]:
    def reader(text: str) -> StrEnum:
        if text not in list(kind):
            raise ValueError(_one_of(kind))
        return kind(text)

    return reader


def _whole(low: int, high: int) -> Callable[[str], int]:
    def reader(text: str) -> int:
        if not _WHOLE.fullmatch(text) or not low <= int(text) <= high:
            msg = f"a whole number from {low} to {high}"
            raise ValueError(msg)
        return int(text)

    return reader


def _optional(reader: Callable[[str], int]) -> Callable[[str], int | None]:
    def optional(text: str) -> int | None:
        if text == "none":
            return None
        try:
            return reader(text)
        except ValueError as error:
            msg = f"{error}, or none"
            raise ValueError(msg) from None

    return optional


def _share(text: str) -> float:
    if not _NUMBER.fullmatch(text) or not 0 < float(text) <= 1:
        msg = "a number above 0 and up to 1"
        raise ValueError(msg)
    return float(text)


def _features(text: str) -> str | float | None:
    if text in {"sqrt", "log2"}:
        return text
    try:
        return 1.0 if text == "all" else _share(text)
    except ValueError as error:
        msg = f"sqrt, log2, all, or {error} (a share of the columns)"
        raise ValueError(msg) from None


def _balanced(text: str) -> str | None:
    if text not in {"balanced", "none"}:
        msg = "balanced or none"
        raise ValueError(msg)
    return None if text == "none" else text


_READERS: dict[str, Callable[[str], Any]] = {
    "task": _choice(Task),
    "estimator": _choice(Estimator),
    "n_estimators": _whole(1, 5000),
    "max_depth": _optional(_whole(1, 64)),
    "max_leaf_nodes": _optional(_whole(2, 1_000_000)),
    "min_samples_leaf": _whole(1, 1_000_000),
    "max_features": _features,
    "class_weight": _balanced,
    "learning_rate": _share,
    "subsample": _share,
    "seed": _whole(0, 2**32 - 1),
}
_ENSEMBLES = (Estimator.RANDOM_FOREST, Estimator.EXTRA_TREES, Estimator.GRADIENT_BOOSTING)
_ONLY_FOR = {
    "n_estimators": _ENSEMBLES,
    "learning_rate": (Estimator.GRADIENT_BOOSTING,),
    "subsample": (Estimator.GRADIENT_BOOSTING,),
    "class_weight": (Estimator.DECISION_TREE, Estimator.RANDOM_FOREST, Estimator.EXTRA_TREES),
}
assert set(_READERS) == {field.name for field in fields(Hyperparameters)}  # noqa: S101 - a mistake of ours
