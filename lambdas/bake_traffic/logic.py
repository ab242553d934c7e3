"""What the bake sends, what it takes for a wrong answer, and when it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from lambdas.shared.endpoint_calls import CallError, numbers, values_of
from lambdas.shared.endpoints import EndpointState
from lambdas.shared.labelled_rows import payload

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lambdas.bake_traffic.events import Baseline, Progress
    from lambdas.shared.endpoint_calls import Reply
    from lambdas.shared.endpoints import Endpoint
    from lambdas.shared.labelled_rows import Row
    from lambdas.shared.metrics import Task

PATIENCE = 10
"""After so many looks without an update there is none: CloudFormation found nothing to change."""
_OK = 200


class Caller(Protocol):
    """Sends rows to the endpoint."""

    def call(self, body: bytes) -> Reply:
        """Send `body`, or raise CallError."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """How the requests of one minute ended."""

    sent: int
    failed: int
    wrong: int


def ask(caller: Caller, row: Row, task: Task) -> list[float] | None:
    """Return what the endpoint answers to one row; None where it does not answer."""
    try:
        reply = caller.call(payload([row]))
    except CallError:
        return None
    if reply.status != _OK:
        return None
    values = values_of(reply, task)
    return numbers(values[0]) if len(values) == 1 else []


def tally(answers: Sequence[list[float] | None], rows: Sequence[Row], before: Baseline, tolerance: float) -> Tally:
    """Compare answers with what the new version was evaluated to answer, and with what the old one answered.

    During an update both versions serve, and nothing in an answer says which one gave it. An answer that neither gives
    is wrong. No answer is a failure, which SageMaker itself counts.
    """
    wrong = failed = 0
    for place, (row, values) in enumerate(zip(rows, answers, strict=True)):
        if values is None:
            failed += 1
            continue
        known = [row.answer, *([before.answers[place]] if before.answers else [])]
        wrong += not any(_equal(values, expected, tolerance) for expected in known)
    return Tally(sent=len(rows), failed=failed, wrong=wrong)


def _equal(values: Sequence[float], expected: Sequence[float], tolerance: float) -> bool:
    return len(values) == len(expected) and all(
        abs(a - b) <= tolerance * max(1.0, abs(b)) for a, b in zip(values, expected, strict=True)
    )


def is_over(endpoint: Endpoint | None, before: Baseline, progress: Progress) -> bool:
    """Whether the update has ended, as it should or not; also when there was none to begin with."""
    if endpoint is None or not before.configuration:
        return True  # a first version has nobody to take over from
    if endpoint.state is EndpointState.CHANGING:
        return False
    changed = (endpoint.config_name, endpoint.last_modified) != (before.configuration, before.modified)
    return changed or progress.updating or progress.rounds >= PATIENCE
