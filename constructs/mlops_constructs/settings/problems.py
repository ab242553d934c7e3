"""What is wrong with settings, said so that the reader can repair it without looking anything up."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Path: TypeAlias = tuple[str | int, ...]
"""Where something stands inside a file: the keys and positions that lead to it."""

WHOLE_FILE: Path = ()
NOT_SET = "(not set)"
_LONGEST_VALUE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake in one file."""

    file: str
    line: int
    path: Path
    message: str
    """What is wrong, as the end of a sentence that starts with the path."""
    value: str
    """The value as the file has it, shortened."""
    allowed: str
    """What may stand there."""
    remedy: str
    """What to do next."""

    def __str__(self) -> str:
        """Say it in four lines, whatever characters the file has."""
        lines = (
            f"{self.file}:{self.line}: {show_path(self.path)} {self.message}",
            f"    value:   {self.value}",
            f"    allowed: {self.allowed}",
            f"    to do:   {self.remedy}",
        )
        return "\n".join(map(printable, lines))


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A mistake found by a rule, before it is known where in the file it stands."""

    path: Path
    message: str
    allowed: str
    remedy: str
    key: bool = False
    """Whether the key is wrong, not its value."""


class SettingsError(ValueError):
    """The settings cannot be used; `problems` has every mistake of every file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Sort the problems by file and line."""
        self.problems = sorted(
            set(problems), key=lambda each: (each.file, each.line, show_path(each.path), each.message)
        )
        super().__init__(str(self))

    def __str__(self) -> str:
        """List all problems."""
        count, files = len(self.problems), len({problem.file for problem in self.problems})
        title = f"{count} {'problem' if count == 1 else 'problems'} in the settings"
        title += f" ({files} files)" if files > 1 else ""
        return "\n\n".join([f"{title}:", *map(str, self.problems)])


def show_path(path: Path) -> str:
    """Write a path the way people do: `training.instance_types[0]`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{escape(step)}" if text else escape(step)
    return text or "the file"


def show_value(value: object) -> str:
    """Write a value on one line, shortened."""
    if isinstance(value, dict):
        return escape(f"a mapping with the keys {', '.join(map(str, value))}" if value else "an empty mapping")
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}" if value else "an empty list"
    return escape(json.dumps(value, ensure_ascii=False))


def escape(text: str) -> str:
    """Make text printable on one line of any terminal, and short."""
    text = printable(text[: _LONGEST_VALUE + 1])
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def printable(text: str) -> str:
    """Write characters that would disturb a terminal as escapes."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape", "backslashreplace").decode() for each in text
    )


def listed(words: Sequence[str], *, most: int = 40) -> str:
    """List words, as many as a reader will look through."""
    more = len(words) - most
    return ", ".join(words[:most]) + (f" and {more} more" if more > 0 else "")
