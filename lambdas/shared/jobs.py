"""Jobs of CodePipeline: every job gets exactly one answer, success or failure, through one exit.

A job without an answer keeps its pipeline waiting for 20 minutes and then fails without a reason.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError, ParamValidationError
from pydantic import BaseModel, Field

from lambdas.shared.errors import EventError, FunctionError
from lambdas.shared.events import Document, Text, read
from lambdas.shared.text import clip

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_lambda_powertools.logging import Logger

_MESSAGE_LENGTH = 2000
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_BAD_VARIABLES = frozenset({"OutputVariablesSizeExceededException", "ValidationException"})


class _Job(Document):
    id: Text


class _JobEvent(Document):
    """Only the id: the event also holds credentials, which nothing here needs."""

    job: _Job = Field(alias="CodePipeline.job")


class _Configuration(Document):
    parameters: str = Field(alias="UserParameters")


class _ActionConfiguration(Document):
    configuration: _Configuration


class _JobData(Document):
    action_configuration: _ActionConfiguration = Field(alias="actionConfiguration")


class _ConfiguredJob(Document):
    data: _JobData


class _ConfiguredJobEvent(Document):
    job: _ConfiguredJob = Field(alias="CodePipeline.job")


P = TypeVar("P", bound=BaseModel)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What the pipeline is told: a failure when there is a `failure_type`, otherwise a success."""

    message: str
    variables: Mapping[str, str]
    failure_type: str | None = None


def answer(
    event: object,
    *,
    parameters: type[P],
    work: Callable[[P], Mapping[str, str]],
    codepipeline: Any,
    request_id: str,
    log: Logger,
) -> dict[str, str]:
    """Do `work` with the user parameters of the job in `event`, and tell CodePipeline how it ended.

    Args:
        event: as CodePipeline sends it.
        parameters: model of the user parameters (a JSON text).
        work: returns the output variables of the action; any exception is a failure of the job.
        codepipeline: client that gives the answer.
        request_id: of this invocation; leads from the pipeline's page to the log.
        log: gets the reason of a failure.

    Raises:
        EventError: the event has no job id, so there is nobody to answer.
    """
    job_id = read(_JobEvent, event).job.id
    outcome = _attempt(event, parameters=parameters, work=work, log=log)
    try:
        outcome = _put(codepipeline, job_id, outcome, request_id)
    except ClientError as error:
        if error.response["Error"]["Code"] != "InvalidJobStateException":
            raise
        log.warning("the job was answered before", job_id=job_id)
    ended = "Failed" if outcome.failure_type else "Succeeded"
    log.info("job answered", job_id=job_id, answer=ended, summary=outcome.message)
    return {"jobId": job_id, "answer": ended, "message": outcome.message}


def _attempt(event: object, *, parameters: type[P], work: Callable[[P], Mapping[str, str]], log: Logger) -> Outcome:
    try:
        return Outcome(message="done", variables=dict(work(_user_parameters(event, parameters))))
    except EventError as error:
        return _failure("ConfigurationError", str(error))
    except FunctionError as error:
        return _failure("JobFailed", str(error))
    except ClientError as error:
        denied = error.response["Error"].get("Code") in _DENIED
        return _failure("PermissionError" if denied else "JobFailed", str(error))
    except Exception as error:  # whatever happens, the pipeline gets an answer
        log.exception("the job ended in an unforeseen error")
        return _failure("JobFailed", f"{type(error).__name__}: {error}")


def _user_parameters(event: object, parameters: type[P]) -> P:
    text = read(_ConfiguredJobEvent, event).job.data.action_configuration.configuration.parameters
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        msg = f"the action's UserParameters must be JSON, got {clip(text, length=120)!r}"
        raise EventError(msg) from None
    return read(parameters, values, what="the action's UserParameters")


def _failure(kind: str, message: str) -> Outcome:
    return Outcome(message=clip(message or kind, length=_MESSAGE_LENGTH), variables={}, failure_type=kind)


def _put(codepipeline: Any, job_id: str, outcome: Outcome, request_id: str) -> Outcome:
    """Give the answer; a success that CodePipeline cannot take becomes a failure that says so."""
    if outcome.failure_type is None:
        try:
            codepipeline.put_job_success_result(jobId=job_id, outputVariables=dict(outcome.variables))
        except (ParamValidationError, ClientError) as error:
            refused = isinstance(error, ParamValidationError) or error.response["Error"]["Code"] in _BAD_VARIABLES
            if not refused:
                raise
            outcome = _failure("JobFailed", f"the action's output variables were refused: {error}")
        else:
            return outcome
    details = {"type": outcome.failure_type, "message": outcome.message, "externalExecutionId": request_id}
    codepipeline.put_job_failure_result(jobId=job_id, failureDetails=details)
    return outcome
