"""What is measured, how often and for how long."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from enum import StrEnum


class Format(StrEnum):
    """The format of request and answer."""

    CSV = "csv"
    JSON = "json"

    @property
    def media_type(self) -> str:
        """Return what stands in Content-Type and Accept."""
        return "text/csv" if self is Format.CSV else "application/json"


@dataclass(frozen=True, kw_only=True, order=True)
class Question:
    """One request: so many rows in one format."""

    format: Format
    rows: int

    def __str__(self) -> str:
        """Return it in the words of the table."""
        return f"{self.rows:,} row{'s' * (self.rows > 1)} {self.format.upper()}"


@dataclass(frozen=True, kw_only=True, order=True)
class Case:
    """One question, asked over so many connections at a time."""

    question: Question
    concurrency: int

    def __str__(self) -> str:
        """Return it in the words of the table."""
        return f"{self.question}, {self.concurrency} at a time"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Short measurements in many rounds: what disturbs the machine for a while disturbs all servers alike."""

    rounds: int
    seconds: int
    starts: int
    concurrency: tuple[int, ...]
    rows: tuple[int, ...] = (1, 1000)

    def questions(self) -> list[Question]:
        """Return every question."""
        return [Question(format=one, rows=rows) for one, rows in itertools.product(Format, self.rows)]

    def cases(self) -> list[Case]:
        """Return every case."""
        return [
            Case(question=question, concurrency=concurrency)
            for question, concurrency in itertools.product(self.questions(), self.concurrency)
        ]


FULL = Plan(rounds=4, seconds=1, starts=3, concurrency=(1, 16, 64))
QUICK = Plan(rounds=1, seconds=1, starts=1, concurrency=(16,))


def workers() -> int:
    """Return how many processes every server gets: one for each processor."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
