"""One cell of a table: what counts as a number, the same in training and in serving."""

from __future__ import annotations

import json
import re

LARGEST = 3.4028234663852886e38
"""The largest number that scikit-learn's trees can compare (float32)."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_SHOWN = 40


def number(text: str) -> float:
    """Return the number in a cell.

    Raises:
        ValueError: there is none; the message continues "the cell ...".

    """
    found = text.strip(" \t")
    if not found:
        msg = "is empty"
        raise ValueError(msg)
    if not _NUMBER.fullmatch(found):
        msg = f"is {shown(found)}, which is no number"
        raise ValueError(msg)
    value = float(found)
    if abs(value) > LARGEST:
        msg = f"is {shown(found)}, which is too large (the limit is 3.4e38)"
        raise ValueError(msg)
    return value


def shown(value: object) -> str:
    """Return a value of somebody else's for a message: short, on one line, in ASCII."""
    try:
        text = json.dumps(value, ensure_ascii=True, default=str)
    except (ValueError, RecursionError):
        text = type(value).__name__
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
