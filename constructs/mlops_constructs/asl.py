"""States of the Amazon States Language as plain dictionaries.

Written by hand rather than with the `tasks` of aws-cdk-lib, because those add permissions on `*` and leave out the
timeout, the retries and the catch, which no Task of this product lacks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

State = dict[str, Any]

SERVICE_ERRORS = (
    "ThrottlingException",
    "SageMaker.ThrottlingException",
    "SageMaker.AmazonSageMakerException",
    "SageMaker.SdkClientException",
    "S3.SdkClientException",
    "S3.S3Exception",
    "Lambda.TooManyRequestsException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.Unknown",
    "Runtime.ExitError",
    "CodeBuild.AWSCodeBuildException",
    "CodeBuild.SdkClientException",
    "CloudFormation.CloudFormationException",
    "CloudFormation.SdkClientException",
    "StepFunctions.AWSStepFunctionsException",
    "StepFunctions.SdkClientException",
)
"""Errors after which the same call may succeed: throttling, a lost connection, an internal error, a crashed sandbox."""

EXECUTION_DIGEST = "States.Hash($$.Execution.Id, 'MD5')"
"""32 hexadecimal digits that name this execution in every job it starts, so that a retry meets its own job."""


def retry(*errors: str) -> list[State]:
    """Return the one retry policy: five attempts, exponential, with full jitter."""
    return [
        {
            "ErrorEquals": list(errors or SERVICE_ERRORS),
            "IntervalSeconds": 2,
            "MaxAttempts": 5,
            "BackoffRate": 2.0,
            "MaxDelaySeconds": 60,
            "JitterStrategy": "FULL",
        }
    ]


def wait_for(error: str, *, interval_seconds: int, limit_seconds: int) -> State:
    """Return the retrier of an `error` that means "not yet": the same call again and again, for about the limit."""
    return {
        "ErrorEquals": [error],
        "IntervalSeconds": interval_seconds,
        # With full jitter, a pause has half its length on average.
        "MaxAttempts": 2 * limit_seconds // interval_seconds,
        "BackoffRate": 1.1,
        "MaxDelaySeconds": interval_seconds + 1,  # SFN requires it to be longer than the interval
        "JitterStrategy": "FULL",
    }


def task(
    resource: str,
    parameters: Mapping[str, Any],
    *,
    timeout_seconds: int,
    catch: Sequence[State],
    next_state: str | None,
    result_path: str,
    result_selector: Mapping[str, Any] | None = None,
    waits: Sequence[State] = (),
) -> State:
    """Return a Task with a timeout, the retry policy and a catch.

    Args:
        resource: service integration, `arn:PARTITION:states:::...`.
        parameters: request; keys that end in `.$` are paths or intrinsic functions.
        timeout_seconds: after which the state fails with States.Timeout.
        catch: catchers, see `catch_all`.
        next_state: None ends the machine.
        result_path: where the result goes. Never discarded: a null does not survive the way into the template.
        result_selector: what is kept of the result; keep it small, a state holds at most 256 KiB.
        waits: retriers of errors that say "not yet", see `wait_for`.

    """
    state: State = {
        "Type": "Task",
        "Resource": resource,
        "Parameters": dict(parameters),
        "TimeoutSeconds": timeout_seconds,
        "Retry": [*waits, *retry()],
        "Catch": list(catch),
        "ResultPath": result_path,
    }
    if result_selector is not None:
        state["ResultSelector"] = dict(result_selector)
    return _with_next(state, next_state)


def catch_all(next_state: str, *, result_path: str = "$.failure") -> list[State]:
    """Return the catcher of every error; the error goes to `result_path`."""
    return [{"ErrorEquals": ["States.ALL"], "ResultPath": result_path, "Next": next_state}]


def invoke(partition: str, function_arn: str, payload: Mapping[str, Any], **options: Any) -> State:
    """Return a Task that invokes a Lambda function and keeps its answer."""
    return task(
        f"arn:{partition}:states:::lambda:invoke",
        {"FunctionName": function_arn, "Payload": dict(payload)},
        result_selector={"Payload.$": "$.Payload"},
        **options,
    )


def choice(rules: Sequence[State], *, default: str) -> State:
    """Return a Choice; whatever no rule names goes to `default`, so an unknown value fails closed there."""
    return {"Type": "Choice", "Choices": list(rules), "Default": default}


def assign(parameters: Mapping[str, Any], *, result_path: str, next_state: str) -> State:
    """Return a Pass that puts `parameters` at `result_path`."""
    return {"Type": "Pass", "Parameters": dict(parameters), "ResultPath": result_path, "Next": next_state}


def wait(seconds: int, *, next_state: str) -> State:
    """Return a Wait of `seconds`."""
    return {"Type": "Wait", "Seconds": seconds, "Next": next_state}


def _with_next(state: State, next_state: str | None) -> State:
    return {**state, "End": True} if next_state is None else {**state, "Next": next_state}


def with_named_failures(states: Mapping[str, State]) -> dict[str, State]:
    """Return `states` with a Pass on each way to `ExplainFailure` that notes which step failed.

    A catcher gives only the error, and that of a crashed function, for example, does not say which function it was.
    """
    named: dict[str, State] = {}
    for name, state in states.items():
        note = f"{name}Broke"
        changed = dict(state)
        if "Catch" in state:
            changed["Catch"] = [
                {**one, "Next": note} if one["Next"] == "ExplainFailure" else one for one in state["Catch"]
            ]
        for way in ("Default", "Next"):
            if state.get(way) == "ExplainFailure":
                changed[way] = note
        named[name] = changed
        if changed != state:
            step = re.sub("(Failed|Adopt|Adopted(Status|Result|Failure))$", "", name)
            named[note] = assign({"step": step}, result_path="$.broke", next_state="ExplainFailure")
    return named


def explained_failure(partition: str, explain_function_arn: str) -> dict[str, State]:
    """Return the one way out of a failing workflow: make the cause readable, then fail with it.

    Every catcher leads to `ExplainFailure`. If even that function cannot be called, the machine fails with the raw
    error: a failure is never lost.
    """
    return {
        "ExplainFailure": invoke(
            partition,
            explain_function_arn,
            {"step.$": "$.broke.step", "error.$": "$.failure"},
            timeout_seconds=120,
            catch=catch_all("FailedUnexplained", result_path="$.explainFailure"),
            result_path="$.explained",
            next_state="Failed",
        ),
        "Failed": {
            "Type": "Fail",
            "ErrorPath": "$.explained.Payload.error",
            "CausePath": "$.explained.Payload.cause",
        },
        # Not under its own name: a Fail state may not use those that begin with "States.", and a timeout has no cause.
        "FailedUnexplained": {
            "Type": "Fail",
            "Error": "FailedUnexplained",
            "CausePath": "States.JsonToString($.failure)",
        },
    }
