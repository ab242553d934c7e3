"""What both programs share: the error that ends a job with a reason, the nearest name, and JSON files."""

from __future__ import annotations

import difflib
import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


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
