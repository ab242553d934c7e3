"""CodePipeline: the deployed pipeline, executed.

Gaps of moto that are closed here: an execution runs nothing and is Succeeded as soon as it is started; a pipeline may
contain anything; GetPipelineState, ListActionExecutions, GetJobDetails, PutJobSuccessResult, PutJobFailureResult,
PutApprovalResult, StopPipelineExecution, RetryStageExecution and RollbackStage are missing; StartPipelineExecution
knows neither client request tokens nor source revisions; stages that fail neither try again nor roll back.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping
from typing import Any

from mlops.rehearsal import codepipeline_answers
from mlops.rehearsal import codepipeline_executor as executor
from mlops.rehearsal.codepipeline_approvals import APPROVALS
from mlops.rehearsal.codepipeline_definition import problems
from mlops.rehearsal.codepipeline_events import pipeline_changed
from mlops.rehearsal.codepipeline_invoke import JOBS
from mlops.rehearsal.codepipeline_requests import caller, page, parameter, pipeline_of, refusal
from mlops.rehearsal.codepipeline_rollback import newest_target, problem, rollback
from mlops.rehearsal.codepipeline_runs import PipelineRun, State, now, pipeline_state
from mlops.rehearsal.codepipeline_sources import forget_repositories

NOT_REHEARSED: tuple[tuple[str, str], ...] = (
    ("connections to source repositories", "the rehearsal gives a zip of the working tree in the place of a clone"),
    ("the execution that CodePipeline starts when it creates a pipeline", "it would fail for want of source objects"),
    ("polling for source changes, and triggers of connections", "executions are started by events and by API calls"),
    ("transitions that are switched off, and retention of executions", "no command of this project uses them"),
    ("conditions of stages, and SKIP on failure", "no pipeline of this project has them"),
    ("a rollback that fails and rolls back in turn", "not documented; here it fails and that is all"),
    ("the trigger detail of an automated rollback", "not documented; here it is the execution that failed"),
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


def _begin(run: PipelineRun) -> PipelineRun:
    with _lock:
        _runs.append(run)
        executor.start(run, _failed)
    return run


def _failed(run: PipelineRun, stage: str) -> None:
    """Roll a stage back by itself where that is declared and there is something to go back to."""
    result = (run.stage(stage).get("onFailure") or {}).get("result")
    target = newest_target(run, stage, runs(run.name)) if result == "ROLLBACK" else None
    if target is not None:
        trigger = {"triggerType": "AutomatedRollback", "triggerDetail": run.id}
        _begin(rollback(target, stage, trigger=trigger))


def _api(answer: Callable[[Any], Mapping[str, Any]]) -> Callable[[Any], Any]:
    def respond(self: Any) -> Any:
        from moto.core.responses import ActionResult  # noqa: PLC0415 - moto is imported late

        return ActionResult(answer(self))

    return respond


def _checked(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def respond(self: Any) -> Any:
        found = problems(parameter(self, "pipeline"), region=self.region)
        if found:
            raise refusal(code="InvalidStructureException", message="; ".join(found))
        return original(self)

    return respond


def _run(request: Any, name: str = "pipelineExecutionId") -> PipelineRun:
    pipeline, identifier = pipeline_of(request, "pipelineName")["name"], parameter(request, name)
    for run in runs(pipeline):
        if run.id == identifier:
            return run
    message = f"Pipeline Execution {identifier} does not exist for pipeline {pipeline}"
    raise refusal(code="PipelineExecutionNotFoundException", message=message)


# Executions


def _start(request: Any) -> dict[str, Any]:
    pipeline = pipeline_of(request, "name")
    token = parameter(request, "clientRequestToken")
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
            trigger={"triggerType": "StartPipelineExecution", "triggerDetail": caller(request)},
            variables=_variables(pipeline, parameter(request, "variables") or []),
            overrides=_overrides(pipeline, parameter(request, "sourceRevisions") or []),
        )
        if token:
            _tokens[name, token] = run
        _begin(run)
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
        raise refusal(code="ValidationException", message=message)
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
            raise refusal(code="ValidationException", message=message)
        allowed = {"S3": ("S3_OBJECT_VERSION_ID", "S3_OBJECT_KEY")}.get(sources[name]["actionTypeId"]["provider"], ())
        free = str(sources[name]["configuration"].get("AllowOverrideForS3ObjectKey", "false")).lower() == "true"
        if kind not in allowed or (kind == "S3_OBJECT_KEY" and not free):
            message = f"Source revision override of type {kind} is not allowed for source action {name}"
            raise refusal(code="ValidationException", message=message)
        overrides.setdefault(name, {})[kind] = one["revisionValue"]
    return overrides


def _get_execution(request: Any) -> dict[str, Any]:
    return {"pipelineExecution": _run(request).describe()}


def _list_executions(request: Any) -> dict[str, Any]:
    pipeline = pipeline_of(request, "pipelineName")
    wanted = parameter(request, "filter") or {}
    found = list(reversed(runs(pipeline["name"])))
    if stage := wanted.get("succeededInStage", {}).get("stageName"):
        found = [
            run for run in found if run.version == pipeline["version"] and run.stages.get(stage) is State.SUCCEEDED
        ]
    return page(request, "pipelineExecutionSummaries", [run.summarize() for run in found])


def _get_state(request: Any) -> dict[str, Any]:
    pipeline = pipeline_of(request, "name")
    return {
        "pipelineName": pipeline["name"],
        "pipelineVersion": pipeline["version"],
        "stageStates": pipeline_state(pipeline, runs(pipeline["name"])),
    }


def _list_actions(request: Any) -> dict[str, Any]:
    name = pipeline_of(request, "pipelineName")["name"]
    wanted = parameter(request, "filter") or {}
    identifier = wanted.get("pipelineExecutionId") or wanted.get("latestInPipelineExecution", {}).get(
        "pipelineExecutionId"
    )
    details = []
    for run in reversed(runs(name)):
        if identifier in (None, run.id):
            with run.lock:
                details += [attempt.detail(run) for attempt in reversed(run.actions)]
    return page(request, "actionExecutionDetails", details)


def _stop(request: Any) -> dict[str, Any]:
    run = _run(request)
    with run.lock:
        if run.finished.is_set():
            message = f"Pipeline execution {run.id} is {run.state} and cannot be stopped"
            raise refusal(code="PipelineExecutionNotStoppableException", message=message)
        abandon = bool(parameter(request, "abandon"))
        if run.stopping.is_set() and not abandon:
            message = f"Pipeline execution {run.id} is already stopping"
            raise refusal(code="DuplicatedStopRequestException", message=message)
        run.stop_reason = parameter(request, "reason")
        run.state, run.updated = State.STOPPING, now()
    pipeline_changed(run, "STOPPING")
    run.stopping.set()
    if abandon:
        run.abandoning.set()
    return {"pipelineExecutionId": run.id}


def _retry_stage(request: Any) -> dict[str, Any]:
    run, stage = _run(request), parameter(request, "stageName")
    if stage not in {one["name"] for one in run.pipeline["stages"]}:
        raise refusal(code="StageNotFoundException", message=f"Pipeline {run.name} has no stage {stage}")
    if run.stages.get(stage) not in (State.FAILED, State.STOPPED) or not run.finished.is_set():
        message = f"Stage {stage} of execution {run.id} did not fail, or still runs: it cannot be retried"
        raise refusal(code="StageNotRetryableException", message=message)
    later = runs(run.name)[runs(run.name).index(run) + 1 :]
    if any(stage in other.stages for other in later):
        message = f"A later execution than {run.id} has entered stage {stage}"
        raise refusal(code="NotLatestPipelineExecutionException", message=message)
    with run.lock:
        run.state, run.attempt, run.updated = State.IN_PROGRESS, run.attempt + 1, now()
        run.stopping.clear()
        run.abandoning.clear()
        run.finished.clear()
        run.retries.setdefault(stage, []).append("ManualStageRetry")
    only_failed = parameter(request, "retryMode") == "FAILED_ACTIONS"
    executor.start(run, _failed, first=stage, only_failed=only_failed)
    return {"pipelineExecutionId": run.id}


def _rollback_stage(request: Any) -> dict[str, Any]:
    pipeline, stage = pipeline_of(request, "pipelineName"), parameter(request, "stageName")
    if stage not in {one["name"] for one in pipeline["stages"]}:
        raise refusal(code="StageNotFoundException", message=f"Pipeline {pipeline['name']} has no stage {stage}")
    target = _run(request, "targetPipelineExecutionId")
    with _lock:
        if refused := problem(target, stage, pipeline, runs(target.name)):
            raise refusal(code=refused[0], message=refused[1])
        trigger = {"triggerType": "ManualRollback", "triggerDetail": caller(request)}
        return {"pipelineExecutionId": _begin(rollback(target, stage, trigger=trigger)).id}


APIS: dict[str, Callable[[Any], Mapping[str, Any]]] = {
    "start_pipeline_execution": _start,
    "get_pipeline_execution": _get_execution,
    "list_pipeline_executions": _list_executions,
    "get_pipeline_state": _get_state,
    "list_action_executions": _list_actions,
    "stop_pipeline_execution": _stop,
    "retry_stage_execution": _retry_stage,
    "rollback_stage": _rollback_stage,
    **codepipeline_answers.APIS,
}
