"""CodePipeline: the deployed pipeline, executed.

Gaps of moto that are closed here: an execution runs nothing and is Succeeded as soon as it is started; a pipeline may
contain anything; GetPipelineState, ListActionExecutions, GetJobDetails, PutJobSuccessResult, PutJobFailureResult,
PutApprovalResult, StopPipelineExecution and RetryStageExecution are missing; StartPipelineExecution knows neither
client request tokens nor source revisions.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping
from typing import Any

from mlops.rehearsal import codepipeline_executor as executor
from mlops.rehearsal.codepipeline_approvals import APPROVALS
from mlops.rehearsal.codepipeline_definition import problems
from mlops.rehearsal.codepipeline_events import pipeline_changed
from mlops.rehearsal.codepipeline_invoke import JOBS, Job
from mlops.rehearsal.codepipeline_runs import PipelineRun, State, now, pipeline_state
from mlops.rehearsal.codepipeline_sources import forget_repositories
from mlops.rehearsal.credentials import OPERATOR

NOT_REHEARSED: tuple[tuple[str, str], ...] = (
    ("connections to source repositories", "the rehearsal gives a zip of the working tree in the place of a clone"),
    ("the execution that CodePipeline starts when it creates a pipeline", "it would fail for want of source objects"),
    ("polling for source changes, and triggers of connections", "executions are started by events and by API calls"),
    ("transitions that are switched off, and retention of executions", "no command of this project uses them"),
    ("the scope of artifact credentials in a Lambda job", "they are those of the action's role, not narrowed down"),
)

_runs: list[PipelineRun] = []
_tokens: dict[tuple[str, str], PipelineRun] = {}
_lock = threading.RLock()


def install() -> None:
    """Put the executor in the place of moto's bookkeeping."""
    from moto.codepipeline.responses import CodePipelineResponse  # noqa: PLC0415 - after the environment is set

    for name, answer in APIS.items():
        setattr(CodePipelineResponse, name, _api(answer))
    for name in ("create_pipeline", "update_pipeline"):
        setattr(CodePipelineResponse, name, _checked(getattr(CodePipelineResponse, name)))


def reset() -> None:
    """Forget all executions."""
    with _lock:
        _runs.clear()
        _tokens.clear()
    JOBS.clear()
    APPROVALS.clear()
    forget_repositories()
    executor.TURNSTILES.clear()


def shutdown() -> None:
    """Stop every execution; none of its threads waits any longer."""
    for run in runs():
        run.stopping.set()
        run.abandoning.set()
    for run in runs():
        run.finished.wait(2)


def runs(name: str | None = None) -> list[PipelineRun]:
    """Return the executions so far, oldest first."""
    with _lock:
        return [run for run in _runs if name in (None, run.name)]


def _api(answer: Callable[[Any], Mapping[str, Any]]) -> Callable[[Any], Any]:
    def respond(self: Any) -> Any:
        from moto.core.responses import ActionResult  # noqa: PLC0415 - moto is imported late

        return ActionResult(answer(self))

    return respond


def _checked(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def respond(self: Any) -> Any:
        found = problems(self._get_param("pipeline"), region=self.region)
        if found:
            raise _error(code="InvalidStructureException", message="; ".join(found))
        return original(self)

    return respond


def _error(*, code: str, message: str) -> Exception:
    from moto.core.exceptions import JsonRESTError  # noqa: PLC0415 - moto is imported late

    error: Exception = JsonRESTError(code, message)
    error.code = 400  # type: ignore[attr-defined]
    return error


def _caller(request: Any) -> str:
    from moto.sts.models import sts_backends  # noqa: PLC0415 - moto is imported late

    if request.access_key == OPERATOR.access_key_id:
        return f"arn:aws:iam::{request.current_account}:user/operator"
    backend = sts_backends[request.current_account]["aws"]
    return str(backend.get_caller_identity(request.access_key, request.region)[1])


def _pipeline(request: Any, parameter: str) -> dict[str, Any]:
    pipeline: dict[str, Any] = request.codepipeline_backend.get_pipeline(request._get_param(parameter))[0]  # noqa: SLF001
    return pipeline


def _run(request: Any) -> PipelineRun:
    name = _pipeline(request, "pipelineName")["name"]
    identifier = request._get_param("pipelineExecutionId")  # noqa: SLF001 - moto's own accessor
    for run in runs(name):
        if run.id == identifier:
            return run
    message = f"Pipeline Execution {identifier} does not exist for pipeline {name}"
    raise _error(code="PipelineExecutionNotFoundException", message=message)


# Executions


def _start(request: Any) -> dict[str, Any]:
    pipeline = _pipeline(request, "name")
    token = request._get_param("clientRequestToken")  # noqa: SLF001 - moto's own accessor
    name = pipeline["name"]
    with _lock:
        if token and (name, token) in _tokens:
            return {"pipelineExecutionId": _tokens[name, token].id}
        run = PipelineRun(
            name=name,
            version=pipeline["version"],
            region=request.region,
            account=request.current_account,
            pipeline=_frozen(pipeline),
            trigger={"triggerType": "StartPipelineExecution", "triggerDetail": _caller(request)},
            variables=_variables(pipeline, request._get_param("variables") or []),  # noqa: SLF001 - moto's own accessor
            overrides=_overrides(pipeline, request._get_param("sourceRevisions") or []),  # noqa: SLF001 - as above
        )
        _runs.append(run)
        if token:
            _tokens[name, token] = run
        executor.start(run)
    return {"pipelineExecutionId": run.id}


def _frozen(pipeline: Mapping[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(dict(pipeline))


def _variables(pipeline: Mapping[str, Any], given: list[dict[str, str]]) -> dict[str, str]:
    values = {one["name"]: one.get("defaultValue") for one in pipeline.get("variables") or []}
    unknown = [one["name"] for one in given if one["name"] not in values]
    values |= {one["name"]: one["value"] for one in given}
    missing = [name for name, value in values.items() if value is None]
    if unknown or missing:
        message = f"Pipeline variables that do not exist: {unknown}; that have no value: {missing}"
        raise _error(code="ValidationException", message=message)
    return {name: str(value) for name, value in values.items()}


def _overrides(pipeline: Mapping[str, Any], given: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    sources = {
        action["name"]: action
        for stage in pipeline["stages"]
        for action in stage["actions"]
        if action["actionTypeId"]["category"] == "Source"
    }
    overrides: dict[str, dict[str, str]] = {}
    for one in given:
        name, kind = one["actionName"], one["revisionType"]
        if name not in sources:
            message = f"Source revision override for unknown source action {name}; there are {', '.join(sources)}"
            raise _error(code="ValidationException", message=message)
        allowed = {"S3": ("S3_OBJECT_VERSION_ID", "S3_OBJECT_KEY")}.get(sources[name]["actionTypeId"]["provider"], ())
        free = str(sources[name]["configuration"].get("AllowOverrideForS3ObjectKey", "false")).lower() == "true"
        if kind not in allowed or (kind == "S3_OBJECT_KEY" and not free):
            message = f"Source revision override of type {kind} is not allowed for source action {name}"
            raise _error(code="ValidationException", message=message)
        overrides.setdefault(name, {})[kind] = one["revisionValue"]
    return overrides


def _get_execution(request: Any) -> dict[str, Any]:
    return {"pipelineExecution": _run(request).describe()}


def _list_executions(request: Any) -> dict[str, Any]:
    newest = list(reversed(runs(_pipeline(request, "pipelineName")["name"])))
    most = request._get_param("maxResults")  # noqa: SLF001 - moto's own accessor
    return {"pipelineExecutionSummaries": [run.summarize() for run in newest[: most or 100]]}


def _get_state(request: Any) -> dict[str, Any]:
    pipeline = _pipeline(request, "name")
    return {
        "pipelineName": pipeline["name"],
        "pipelineVersion": pipeline["version"],
        "stageStates": pipeline_state(pipeline, runs(pipeline["name"])),
    }


def _list_actions(request: Any) -> dict[str, Any]:
    name = _pipeline(request, "pipelineName")["name"]
    wanted = request._get_param("filter") or {}  # noqa: SLF001 - moto's own accessor
    identifier = wanted.get("pipelineExecutionId") or wanted.get("latestInPipelineExecution", {}).get(
        "pipelineExecutionId"
    )
    details = []
    for run in reversed(runs(name)):
        if identifier in (None, run.id):
            with run.lock:
                details += [attempt.detail(run) for attempt in reversed(run.actions)]
    return {"actionExecutionDetails": details[: request._get_param("maxResults") or 100]}  # noqa: SLF001 - as above


def _stop(request: Any) -> dict[str, Any]:
    run = _run(request)
    with run.lock:
        if run.finished.is_set():
            message = f"Pipeline execution {run.id} is {run.state} and cannot be stopped"
            raise _error(code="PipelineExecutionNotStoppableException", message=message)
        abandon = bool(request._get_param("abandon"))  # noqa: SLF001 - moto's own accessor
        if run.stopping.is_set() and not abandon:
            message = f"Pipeline execution {run.id} is already stopping"
            raise _error(code="DuplicatedStopRequestException", message=message)
        run.stop_reason = request._get_param("reason")  # noqa: SLF001 - moto's own accessor
        run.state, run.updated = State.STOPPING, now()
    pipeline_changed(run, "STOPPING")
    run.stopping.set()
    if abandon:
        run.abandoning.set()
    return {"pipelineExecutionId": run.id}


def _retry_stage(request: Any) -> dict[str, Any]:
    run, stage = _run(request), request._get_param("stageName")  # noqa: SLF001 - moto's own accessor
    if stage not in {one["name"] for one in run.pipeline["stages"]}:
        raise _error(code="StageNotFoundException", message=f"Pipeline {run.name} has no stage {stage}")
    if run.stages.get(stage) not in (State.FAILED, State.STOPPED) or not run.finished.is_set():
        message = f"Stage {stage} of execution {run.id} did not fail, or still runs: it cannot be retried"
        raise _error(code="StageNotRetryableException", message=message)
    later = runs(run.name)[runs(run.name).index(run) + 1 :]
    if any(stage in other.stages for other in later):
        message = f"A later execution than {run.id} has entered stage {stage}"
        raise _error(code="NotLatestPipelineExecutionException", message=message)
    with run.lock:
        run.state, run.attempt, run.updated = State.IN_PROGRESS, run.attempt + 1, now()
        run.stopping.clear()
        run.abandoning.clear()
        run.finished.clear()
    only_failed = request._get_param("retryMode") == "FAILED_ACTIONS"  # noqa: SLF001 - moto's own accessor
    executor.start(run, first=stage, only_failed=only_failed)
    return {"pipelineExecutionId": run.id}


# Jobs and approvals


def _job(request: Any) -> Job:
    identifier = request._get_param("jobId")  # noqa: SLF001 - moto's own accessor
    if identifier not in JOBS:
        raise _error(code="JobNotFoundException", message=f"Job {identifier} does not exist")
    return JOBS[identifier]


def _open_job(request: Any) -> Job:
    job = _job(request)
    if not job.open or job.answered.is_set():
        message = f"Job {job.id} has been answered or has timed out: it takes no further result"
        raise _error(code="InvalidJobStateException", message=message)
    return job


def _job_details(request: Any) -> dict[str, Any]:
    job = _job(request)
    return {"jobDetails": {"id": job.id, "accountId": job.details["accountId"], "data": job.details["data"]}}


def _job_succeeded(request: Any) -> dict[str, Any]:
    job = _open_job(request)
    if request._get_param("continuationToken"):  # noqa: SLF001 - moto's own accessor
        raise _error(code="ValidationException", message="continuation tokens are not rehearsed")
    details = request._get_param("executionDetails") or {}  # noqa: SLF001 - moto's own accessor
    job.variables = request._get_param("outputVariables") or {}  # noqa: SLF001 - moto's own accessor
    job.summary, job.external_id = details.get("summary", ""), details.get("externalExecutionId")
    job.answered.set()
    return {}


def _job_failed(request: Any) -> dict[str, Any]:
    job = _open_job(request)
    job.failure = request._get_param("failureDetails")  # noqa: SLF001 - moto's own accessor
    job.answered.set()
    return {}


def _approve(request: Any) -> dict[str, Any]:
    pipeline = _pipeline(request, "pipelineName")
    approval = APPROVALS.get(request._get_param("token"))  # noqa: SLF001 - moto's own accessor
    asked = (pipeline["name"], request._get_param("stageName"), request._get_param("actionName"))  # noqa: SLF001
    if approval is None or asked != (approval.pipeline, approval.stage, approval.action):
        message = f"The token is not that of an open approval of stage {asked[1]}, action {asked[2]}"
        raise _error(code="InvalidApprovalTokenException", message=message)
    if approval.answered.is_set():
        raise _error(code="ApprovalAlreadyCompletedException", message=f"Approval {asked[2]} has been answered")
    result = request._get_param("result")  # noqa: SLF001 - moto's own accessor
    approval.status, approval.summary, approval.by = result["status"], result.get("summary", ""), _caller(request)
    approval.answered.set()
    return {"approvedAt": now()}


APIS: dict[str, Callable[[Any], Mapping[str, Any]]] = {
    "start_pipeline_execution": _start,
    "get_pipeline_execution": _get_execution,
    "list_pipeline_executions": _list_executions,
    "get_pipeline_state": _get_state,
    "list_action_executions": _list_actions,
    "stop_pipeline_execution": _stop,
    "retry_stage_execution": _retry_stage,
    "get_job_details": _job_details,
    "put_job_success_result": _job_succeeded,
    "put_job_failure_result": _job_failed,
    "put_approval_result": _approve,
}
