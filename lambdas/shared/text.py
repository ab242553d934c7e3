"""Texts that people read: one line, and never longer than the place that shows them."""

from __future__ import annotations

SUMMARY_LENGTH = 900
"""Longest summary: a pipeline action shows about a thousand characters of it."""


def clip(text: str, *, length: int = SUMMARY_LENGTH) -> str:
    """Return `text` on one line, cut to `length` characters with an ellipsis as the last one."""
    # Far more than is kept, so that a huge text is not split into words first.
    line = " ".join(text[: length * 4].split())
    shortened = len(line) > length or len(text) > length * 4
    return line[: length - 1].rstrip() + "…" if shortened else line


def count(number: int, noun: str, *, plural: str | None = None) -> str:
    """Return "1 row" or "12,000 rows"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
