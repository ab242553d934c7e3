"""The hyperparameters of a training job: strings as SageMaker passes them, checked all at once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from segmentation.job import JobError, nearest

RESERVED = ("sagemaker_", "_")
"""Names that begin so are SageMaker's own: its SDK and its tuner add them to every job."""
AUTO = "auto"


class Backbone(StrEnum):
    """The network below the feature pyramid."""

    RESNET18 = "resnet18"
    RESNET34 = "resnet34"
    RESNET50 = "resnet50"


@dataclass(frozen=True, kw_only=True)
class _Rule:
    read: Callable[[str], Any]
    default: str
    allowed: str


def _whole(default: int | str, low: int, high: int, *, auto: bool = False) -> Any:
    def read(text: str) -> int | None:
        if auto and text == AUTO:
            return None
        value = int(text) if text.isascii() and text.lstrip("-").isdigit() else None
        if value is None or not low <= value <= high:
            raise ValueError
        return value

    allowed = f"{'auto or ' if auto else ''}a whole number from {low} to {high}"
    return _field(_Rule(read=read, default=str(default), allowed=allowed))


def _number(default: float, low: float, high: float, *, above: bool = False, below: bool = False) -> Any:
    def read(text: str) -> float:
        value = float(text)
        if not (math.isfinite(value) and low <= value <= high) or (above and value == low) or (below and value == high):
            raise ValueError
        return value

    allowed = f"a number {'above' if above else 'from'} {low:g} {'and below' if below else 'to'} {high:g}"
    return _field(_Rule(read=read, default=str(default), allowed=allowed))


def _choice(kind: type[StrEnum], default: StrEnum) -> Any:
    return _field(_Rule(read=kind, default=default, allowed=f"one of {', '.join(kind)}"))


def _truth(*, default: bool) -> Any:
    rule = _Rule(
        read=lambda text: bool(("false", "true").index(text)), default=str(default).lower(), allowed="true or false"
    )
    return _field(rule)


def _word(default: str, longest: int) -> Any:
    def read(text: str) -> str:
        if not (0 < len(text) <= longest and text.isprintable()):
            raise ValueError
        return text

    return _field(_Rule(read=read, default=default, allowed=f"1 to {longest} printable characters"))


def _field(rule: _Rule) -> Any:
    return dataclasses.field(metadata={"rule": rule})


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """What a training job can be told. Batch size and workers are those of one process, that is, of one GPU."""

    backbone: Backbone = _choice(Backbone, Backbone.RESNET50)  # noqa: RUF009 - it makes a field
    batch_size: int = _whole(2, 1, 64)
    category: str = _word("object", 64)
    clip_norm: float = _number(10, 0, 1000)
    epochs: int = _whole(10, 1, 1000)
    flip: float = _number(0.5, 0, 1)
    image_size: int = _whole(800, 64, 2048)
    learning_rate: float = _number(0.005, 0, 1, above=True)
    lr_gamma: float = _number(0.1, 0, 1, above=True)
    lr_step: int = _whole(3, 1, 1000)
    max_steps: int = _whole(0, 0, 1_000_000_000)
    maximum_detections: int = _whole(100, 1, 500)
    minimum_score: float = _number(0.05, 0, 1, below=True)
    mixed_precision: bool = _truth(default=False)
    momentum: float = _number(0.9, 0, 1, below=True)
    processes: int | None = _whole(AUTO, 1, 16, auto=True)
    seed: int = _whole(1, 0, 2**31 - 1)
    trainable_layers: int | None = _whole(AUTO, 0, 5, auto=True)
    validation_share: float = _number(0.2, 0.01, 0.5)
    warmup_steps: int = _whole(100, 0, 100_000)
    weight_decay: float = _number(0.0005, 0, 1)
    workers: int = _whole(2, 0, 32)


RULES: Mapping[str, _Rule] = {one.name: one.metadata["rule"] for one in dataclasses.fields(Hyperparameters)}
DEFAULTS: dict[str, Any] = {name: rule.default for name, rule in RULES.items()}


def parse(document: object) -> Hyperparameters:
    """Read hyperparameters.json, naming everything that is wrong with it in one error."""
    if not isinstance(document, dict):
        msg = f"hyperparameters.json must be an object of strings, got {_short(document)}"
        raise JobError(msg)
    values: dict[str, Any] = {}
    errors: list[str] = []
    given = {name: value for name, value in document.items() if not name.startswith(RESERVED)}
    for name, value in (DEFAULTS | given).items():
        if name not in RULES:
            errors.append(_unknown(name))
            continue
        rule = RULES[name]
        try:
            values[name] = rule.read(value)
        except (ValueError, TypeError, AttributeError):
            errors.append(_wrong(name, value, rule))
    if errors:
        count = f"{len(errors)} hyperparameters are wrong" if len(errors) > 1 else "1 hyperparameter is wrong"
        msg = f"{count}: {'; '.join(errors)}"
        raise JobError(msg)
    return Hyperparameters(**values)


def _wrong(name: str, value: object, rule: _Rule) -> str:
    hint = "" if isinstance(value, str) else " (every hyperparameter is a string)"
    return f"{name} is {_short(value)}{hint}, allowed is {rule.allowed}"


def _unknown(name: str) -> str:
    near = nearest(name, RULES)
    return f"{_short(name)} is unknown, {f'did you mean {near}' if near else 'allowed are ' + ', '.join(RULES)}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."  # noqa: PLR2004 - what one line of a status can show
