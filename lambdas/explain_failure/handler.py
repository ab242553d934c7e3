"""Entry point: explain why a state machine failed. Imports no client: it has to work when nothing else does."""

from __future__ import annotations

from typing import Any

from lambdas.explain_failure.logic import explain
from lambdas.shared.logs import logged, logger

LOG = logger("explain_failure")


@logged(LOG)
def handle(event: object, _context: Any) -> dict[str, str]:
    """Return the short name and the readable cause of the failure in `event`."""
    failure = explain(event)
    LOG.error("workflow failed", error=failure.error, cause=failure.cause)
    return failure._asdict()
