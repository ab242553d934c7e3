"""What the programs share: words, the error that ends a job with a reason, the nearest name, and JSON files."""

from __future__ import annotations

import difflib
import json
import math
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Words(str, Enum):  # noqa: UP042 - SageMaker's XGBoost image 3.0-5 has Python 3.10, StrEnum came with 3.11
    """Words with a meaning: what enum.StrEnum is."""

    def __str__(self) -> str:
        """Return the word."""
        return str(self.value)

    def __format__(self, format_spec: str) -> str:
        """Format the word."""
        return format(str(self), format_spec)


class JobError(Exception):
    """The reason why a job cannot do its work, written for the person who reads its status."""


def nearest(word: str, words: Iterable[str]) -> str | None:
    """Name the word that `word` is most likely a misspelling of, or None where nothing is near."""
    by_lower = {each.strip().lower(): each for each in words}
    matches = difflib.get_close_matches(word[:60].strip().lower(), by_lower, n=1)
    return by_lower[matches[0]] if matches else None


def read_json(path: Path) -> Any:
    """Read a JSON document."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror}"
        raise JobError(msg) from error
    except ValueError as error:
        msg = f"{path.name} is not JSON: {error}"
        raise JobError(msg) from error


def write_json(path: Path, document: Any) -> None:
    """Write a JSON document; NaN and infinity, which JSON does not have, become null."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_finite(document), indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
