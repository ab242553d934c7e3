"""What became of the requests of a load: answered, tried again, lost, wrong."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from mlops.rehearsal.load import Request, attempts_of

TOLERANCE = 1e-4
"""How far a number may lie from the one that a version answers, as for the verification of a deployment."""


class Versions:
    """What each version answers to each row, so that an answer tells who gave it."""

    def __init__(self, answers: Mapping[str, Sequence[str]]) -> None:
        """Take the answers of each version, by its name, in the order of the rows."""
        self._answers = dict(answers)
        self._same = cache(_same)

    def who(self, request: Request) -> str | None:
        """Return the version that gave the answer; None for an answer that no version gives, and for none at all."""
        if request.answer is None:
            return None
        for name, answers in self._answers.items():
            if self._same(answers[request.row], request.answer):
                return name
        return None

    def wrong(self, request: Request) -> bool:
        """Whether the answer is one that no version gives."""
        return request.answer is not None and self.who(request) is None


def _same(one: str, other: str) -> bool:
    pairs = (re.split(r"[,\s]+", text.strip()) for text in (one, other))
    mine, theirs = pairs
    return len(mine) == len(theirs) and all(_close(a, b) for a, b in zip(mine, theirs, strict=True))


def _close(one: str, other: str) -> bool:
    try:
        return math.isclose(float(one), float(other), rel_tol=0.0, abs_tol=TOLERANCE)
    except ValueError:
        return one == other


@dataclass(frozen=True, kw_only=True)
class Tally:
    """The requests of a load, counted.

    Attributes:
        sent: requests, each counted once.
        lost: those without a good answer, after every try.
        wrong: those with an answer that no version gives.
        retried: those that were answered, but not at the first try.
        attempts: every try.
        failed_attempts: those of them without a good answer: what a client that never tries again would have lost.
        p50_ms: median of what a client waited, tries included.
        p99_ms: the same for the 99th percentile.

    """

    sent: int
    lost: int
    wrong: int
    retried: int
    attempts: int
    failed_attempts: int
    p50_ms: float
    p99_ms: float


def tally(requests: Sequence[Request], versions: Versions) -> Tally:
    """Count `requests`."""
    attempts, waited = attempts_of(requests), [request.milliseconds for request in requests]
    return Tally(
        sent=len(requests),
        lost=sum(request.answer is None for request in requests),
        wrong=sum(versions.wrong(request) for request in requests),
        retried=sum(request.answer is not None and len(request.attempts) > 1 for request in requests),
        attempts=len(attempts),
        failed_attempts=sum(one.failed for one in attempts),
        p50_ms=round(percentile(waited, 0.5), 1),
        p99_ms=round(percentile(waited, 0.99), 1),
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` of `values` do not exceed; not a number for no values."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
