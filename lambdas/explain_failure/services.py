"""The causes that services other than Lambda give: their own descriptions of what failed, as JSON.

Each function returns None for a document that it does not know.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from lambdas.shared.text import SUMMARY_LENGTH, clip

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_JOBS = {
    "TrainingJobName": ("TrainingFailed", "training job", "TrainingJobStatus"),
    "ProcessingJobName": ("ProcessingFailed", "processing job", "ProcessingJobStatus"),
    "TransformJobName": ("TransformFailed", "transform job", "TransformJobStatus"),
}
"""Names in the Describe answer that a `.sync` integration gives as the cause."""

_CANCELLED = re.compile(r"resource (creation|update|deletion) cancelled|^the following resource", re.IGNORECASE)
"""What CloudFormation says of resources that failed because another one did."""

_NAME_OF_A_BUILD = 80


class Failure(NamedTuple):
    """What a person is told."""

    error: str
    cause: str


def job_failure(document: Mapping[str, Any]) -> Failure | None:
    """Tell of a SageMaker job by its reasons."""
    for name, (failed, noun, status_field) in _JOBS.items():
        if not document.get(name):
            continue
        status = text(document.get(status_field))
        kind = failed.replace("Failed", "Stopped") if status == "Stopped" else failed
        told = _distinct(text(document.get(field)) for field in ("FailureReason", "ExitMessage"))
        secondary = text(document.get("SecondaryStatus"))
        if not told and secondary not in {"", status}:
            told = [secondary]
        reason = "; ".join(told) or "SageMaker gave no reason"
        return Failure(kind, f"{noun} {text(document[name])} {status.lower() or 'failed'}: {reason}")
    return None


def build_failure(document: Mapping[str, Any]) -> Failure | None:
    """Tell of a CodeBuild build by the messages of its first phase that failed."""
    build = _fields(_fields(document).get("build"))
    if not build:
        return None
    status = text(build.get("buildstatus"))
    kind = {"STOPPED": "BuildStopped", "TIMED_OUT": "TimedOut"}.get(status, "BuildFailed")
    name = clip(text(build.get("id") or build.get("arn")).rsplit("/", 1)[-1], length=_NAME_OF_A_BUILD)
    phases = [_fields(each) for each in _list(build.get("phases"))]
    for phase in phases:
        if text(phase.get("phasestatus")) in {"", "SUCCEEDED"}:
            continue
        contexts = [_fields(each) for each in _list(phase.get("contexts"))]
        told = _distinct(text(each.get("message") or each.get("statuscode")) for each in contexts)
        where = text(phase.get("phasetype")) or "unknown"
        return Failure(kind, f"build {name} failed in phase {where}: {'; '.join(told) or 'CodeBuild gave no reason'}")
    return Failure(kind, f"build {name} {status.lower() or 'failed'}: CodeBuild names no phase that failed")


def stack_failure(document: Mapping[str, Any]) -> Failure | None:
    """Tell of a CloudFormation stack: by its first resource that failed, else by its own status and reason."""
    events = [each for each in _list(document.get("StackEvents")) if isinstance(each, dict)]
    # CloudFormation lists the newest event first.
    for event in reversed(events):
        reason = text(event.get("ResourceStatusReason"))
        if text(event.get("ResourceStatus")).endswith("_FAILED") and not _CANCELLED.search(reason):
            which = f"{text(event.get('LogicalResourceId'))} ({text(event.get('ResourceType'))})"
            told = f"{which} {text(event.get('ResourceStatus'))}: {reason or 'no reason given'}"
            return Failure("StackFailed", f"stack {text(event.get('StackName'))}: {told}")
    stacks = _list(document.get("Stacks")) or [document]
    stack = next((each for each in stacks if isinstance(each, dict) and each.get("StackStatus")), None)
    if stack is None:
        return None
    reason = text(stack.get("StackStatusReason")) or "CloudFormation gave no reason"
    return Failure("StackFailed", f"stack {text(stack.get('StackName'))} is {text(stack['StackStatus'])}: {reason}")


def nested_failure(document: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Return name, error and cause of an execution that another one has waited for."""
    arn = text(document.get("ExecutionArn"))
    if not arn:
        return None
    status = text(document.get("Status"))
    error = text(document.get("Error")) or {"TIMED_OUT": "States.Timeout", "ABORTED": "Aborted"}.get(status, "")
    cause = text(document.get("Cause")) or (
        "" if status == "TIMED_OUT" else f"the execution is {status or 'not known'}"
    )
    return clip(arn.split(":")[-2] if arn.count(":") > 1 else arn, length=100), error, cause


def text(value: object) -> str:
    """Return a value of a document as text."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _fields(value: object) -> dict[str, Any]:
    """Return the fields of an object by their names in lower case: integrations differ in their first letters."""
    return {str(name).lower(): each for name, each in value.items()} if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _distinct(reasons: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(words for words in (clip(each, length=SUMMARY_LENGTH) for each in reasons) if words))
