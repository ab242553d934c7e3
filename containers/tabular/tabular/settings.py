"""What the environment of the container says about serving."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tabular.contract import base

MEGABYTE = 1024 * 1024
_PORT = 8080
_REAL_TIME_MEGABYTES = 6
_BATCH_MEGABYTES = 100
_MOST_WORKERS = 256


class SettingsError(Exception):
    """A variable of the environment is wrong; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to serve."""

    port: int
    workers: int
    largest_body: int
    """In bytes."""
    batch: bool
    multi_model: bool
    folder: Path
    """Of the model; without meaning when several models are served."""


def read(environment: Mapping[str, str]) -> Settings:
    """Read the settings.

    Raises:
        SettingsError: some are wrong; the message names all of them.

    """
    mistakes: list[str] = []
    port = _whole(environment, "SAGEMAKER_BIND_TO_PORT", _PORT, (1, 65535), mistakes)
    if environment.get("SAGEMAKER_BIND_TO_PORT") and (allowed := environment.get("SAGEMAKER_SAFE_PORT_RANGE")):
        found = re.fullmatch(r"(\d{1,5})-(\d{1,5})", allowed)
        if found is None or not int(found[1]) <= port <= int(found[2]):
            mistakes.append(f"SAGEMAKER_BIND_TO_PORT={port} lies outside of SAGEMAKER_SAFE_PORT_RANGE={allowed}")
    workers = _whole(
        environment, "SAGEMAKER_MODEL_SERVER_WORKERS", len(os.sched_getaffinity(0)), (1, _MOST_WORKERS), mistakes
    )
    batch = _flag(environment, "SAGEMAKER_BATCH", mistakes)
    # A batch transform job says how large its bodies are; SageMaker's own XGBoost image knows MAX_CONTENT_LENGTH too.
    megabytes = _whole(
        environment, "SAGEMAKER_MAX_PAYLOAD_IN_MB", _REAL_TIME_MEGABYTES, (0, _BATCH_MEGABYTES), mistakes
    )
    largest = (1, _BATCH_MEGABYTES * MEGABYTE)
    largest_body = _whole(
        environment, "MAX_CONTENT_LENGTH", (megabytes or _BATCH_MEGABYTES) * MEGABYTE, largest, mistakes
    )
    multi_model = _flag(environment, "SAGEMAKER_MULTI_MODEL", mistakes)
    if mistakes:
        raise SettingsError("; ".join(mistakes))
    return Settings(
        port=port,
        workers=workers,
        largest_body=largest_body,
        batch=batch,
        multi_model=multi_model,
        folder=base() / "model",
    )


def _whole(
    environment: Mapping[str, str], name: str, default: int, allowed: tuple[int, int], mistakes: list[str]
) -> int:
    text = environment.get(name, "").strip()
    if not text:
        return default
    low, high = allowed
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not low <= int(text) <= high:
        mistakes.append(f"{name} is {text!r}; expected a whole number from {low} to {high}")
        return default
    return int(text)


def _flag(environment: Mapping[str, str], name: str, mistakes: list[str]) -> bool:
    text = environment.get(name, "").strip().lower()
    if text not in {"", "true", "false", "1", "0"}:
        mistakes.append(f"{name} is {text!r}; expected true or false")
    return text in {"true", "1"}
