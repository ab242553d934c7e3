"""From the error of a state machine to a short name and a sentence; never fails, whatever it is given."""

from __future__ import annotations

import json
import re
from typing import Any

from lambdas.explain_failure.services import (
    Failure,
    build_failure,
    job_failure,
    nested_failure,
    stack_failure,
    text,
)
from lambdas.shared.text import SUMMARY_LENGTH, clip

UNKNOWN = "UnknownFailure"
_NAME_LENGTH = 80
_PARSED_CAUSE = 300_000
"""Longer than a state can hold (256 KiB)."""

_NESTED = 5
"""How deep executions that wait for one another are looked into."""

_KINDS = (
    ("AccessDenied", r"access ?denied|not authorized"),
    ("Throttled", r"throttl|rate exceeded|too many requests"),
    ("NoCapacity", r"capacityerror|insufficient ?(instance )?capacity|unable to provision"),
    ("QuotaExceeded", r"resourcelimitexceeded|service limit|quota"),
    ("NotFound", r"resourcenotfound|nosuchkey|nosuchbucket|could not find"),
)
"""Failures of AWS APIs whose remedy is known; the first that matches."""

_TIMED_OUT = frozenset({"States.Timeout", "States.HeartbeatTimeout", "Sandbox.Timedout"})
_GENERIC = frozenset({"", "States.TaskFailed", "States.ALL", "Exception", "Error", "Lambda.Unknown", "Unhandled"})


def explain(event: object) -> Failure:
    """Return a short name and the cause of the failure in `event`: `{"step"?, "error": {"Error", "Cause"}}`."""
    given = event if isinstance(event, dict) else {}
    details = given.get("error")
    if not isinstance(details, dict):
        return Failure(UNKNOWN, clip(f"the field 'error' of the event is no object but {_shown(details)}"))
    error, cause = text(details.get("Error")), text(details.get("Cause"))
    failure = _from_cause(error, cause)
    step = clip(text(given.get("step")), length=_NAME_LENGTH)
    return Failure(_short(failure.error), clip(f"{step}: {failure.cause}" if step else failure.cause))


def _from_cause(error: str, cause: str, depth: int = 0) -> Failure:
    document = _parse(cause)
    if document is not None:
        known = job_failure(document) or build_failure(document) or stack_failure(document)
        if known:
            return known
        if "errorMessage" in document or "errorType" in document:
            return _function(error, document)
        nested = nested_failure(document)
        if nested and depth < _NESTED:
            name, error, cause = nested
            inner = _from_cause(error, cause, depth + 1)
            return Failure(inner.error, f"{name}: {inner.cause}")
    if error in _TIMED_OUT:
        return Failure("TimedOut", _words(cause) or "the step took longer than its time limit")
    kind = next((name for name, words in _KINDS if re.search(words, f"{error} {cause}"[:4000], re.IGNORECASE)), None)
    if kind and (error in _GENERIC or "." in error):
        return Failure(kind, _words(cause) or error)
    return Failure(error, _words(cause) or f"no cause was given for {error or 'this failure'}")


def _function(error: str, document: dict[str, Any]) -> Failure:
    """Return what a Lambda function raised, without its stack trace."""
    name = text(document.get("errorType")) or error
    message = _words(text(document.get("errorMessage")))
    if "Task timed out" in message:
        name = "TimedOut"
    return Failure(name, message or f"the function failed with {name} and gave no message")


def _short(name: str) -> str:
    """Return the last word of a dotted name, such as `AmazonSageMakerException`, fit for a Fail state."""
    word = re.sub(r"[^A-Za-z0-9_-]", "", name.rsplit(".", 1)[-1])[:_NAME_LENGTH]
    return UNKNOWN if name in _GENERIC or not word else word


def _parse(cause: str) -> dict[str, Any] | None:
    if len(cause) > _PARSED_CAUSE:
        return None
    try:
        document = json.loads(cause)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _words(message: str) -> str:
    return clip(message, length=SUMMARY_LENGTH)


def _shown(value: object) -> str:
    return "missing" if value is None else clip(repr(value)[:400], length=100)
