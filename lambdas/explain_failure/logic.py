"""From the error of a state machine to a short name and a sentence; never fails, whatever it is given."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from lambdas.shared.text import SUMMARY_LENGTH, clip

UNKNOWN = "UnknownFailure"
_NAME_LENGTH = 80
_PARSED_CAUSE = 300_000
"""Longer than a state can hold (256 KiB)."""

_JOBS = {
    "TrainingJobName": ("TrainingFailed", "training job", "TrainingJobStatus"),
    "ProcessingJobName": ("ProcessingFailed", "processing job", "ProcessingJobStatus"),
    "TransformJobName": ("TransformFailed", "transform job", "TransformJobStatus"),
}
"""Names in the Describe answer that a `.sync` integration gives as the cause."""

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


class Failure(NamedTuple):
    """What a person is told."""

    error: str
    cause: str


def explain(event: object) -> Failure:
    """Return a short name and the cause of the failure in `event`: `{"step"?, "error": {"Error", "Cause"}}`."""
    given = event if isinstance(event, dict) else {}
    details = given.get("error")
    if not isinstance(details, dict):
        return Failure(UNKNOWN, clip(f"the field 'error' of the event is no object but {_shown(details)}"))
    error, cause = _text(details.get("Error")), _text(details.get("Cause"))
    failure = _from_cause(error, cause)
    step = clip(_text(given.get("step")), length=_NAME_LENGTH)
    return Failure(_short(failure.error), clip(f"{step}: {failure.cause}" if step else failure.cause))


def _from_cause(error: str, cause: str) -> Failure:
    document = _parse(cause)
    if document is not None:
        for name, (kind, noun, status) in _JOBS.items():
            if document.get(name):
                return _job(kind, f"{noun} {_text(document[name])}", _text(document.get(status)), document)
        if "errorMessage" in document or "errorType" in document:
            return _function(error, document)
    if error in _TIMED_OUT:
        return Failure("TimedOut", _words(cause) or "the step took longer than its time limit")
    known = next((name for name, words in _KINDS if re.search(words, f"{error} {cause}"[:4000], re.IGNORECASE)), None)
    if known and (error in _GENERIC or "." in error):
        return Failure(known, _words(cause) or error)
    return Failure(error, _words(cause) or f"no cause was given for {error or 'this failure'}")


def _job(kind: str, job: str, status: str, document: dict[str, Any]) -> Failure:
    if status == "Stopped":
        kind = kind.replace("Failed", "Stopped")
    reasons = [_words(_text(document.get(name))) for name in ("FailureReason", "ExitMessage")]
    told = list(dict.fromkeys(reason for reason in reasons if reason))
    secondary = _text(document.get("SecondaryStatus"))
    if not told and secondary not in {"", status}:
        told = [secondary]
    return Failure(kind, f"{job} {status.lower() or 'failed'}: {'; '.join(told) or 'SageMaker gave no reason'}")


def _function(error: str, document: dict[str, Any]) -> Failure:
    """Return what a Lambda function raised, without its stack trace."""
    name = _text(document.get("errorType")) or error
    message = _words(_text(document.get("errorMessage")))
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


def _words(text: str) -> str:
    return clip(text, length=SUMMARY_LENGTH)


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _shown(value: object) -> str:
    return "missing" if value is None else clip(repr(value)[:400], length=100)
