"""What CodePipeline says on the event bus, and on the timeline of the rehearsal."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mlops.rehearsal.codepipeline_runs import ActionRun, PipelineRun, State
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase

_PHASES = {
    State.IN_PROGRESS: Phase.STARTED,
    State.SUCCEEDED: Phase.SUCCEEDED,
    State.FAILED: Phase.FAILED,
    State.ABANDONED: Phase.FAILED,
    State.STOPPED: Phase.FAILED,
    State.CANCELLED: Phase.FAILED,
}


def pipeline_changed(run: PipelineRun, state: str) -> None:
    """Tell that an execution is STARTED, SUCCEEDED, FAILED, STOPPING, STOPPED or RESUMED."""
    trigger = {"trigger-type": run.trigger["triggerType"], "trigger-detail": run.trigger["triggerDetail"]}
    _send(run, "Pipeline", {"state": state, "execution-trigger": trigger})


def stage_changed(run: PipelineRun, stage: str, state: str, phase: Phase, *, cause: str | None = None) -> None:
    """Tell that a stage is STARTED, SUCCEEDED, FAILED, STOPPED or RESUMED."""
    facts = {"cause": cause} if cause else {}
    TIMELINE.emit(Kind.STAGE, stage, phase, pipeline=run.name, execution=run.id, **facts)
    _send(run, "Stage", {"stage": stage, "state": state})


def action_changed(run: PipelineRun, attempt: ActionRun) -> None:
    """Tell that an action is STARTED, SUCCEEDED, FAILED or ABANDONED, with what it was given and what came out."""
    kind = attempt.action["actionTypeId"]
    facts: dict[str, Any] = {"cause": attempt.error.message} if attempt.error else {}
    TIMELINE.emit(
        Kind.ACTION,
        attempt.name,
        _PHASES[attempt.state],
        stage=attempt.stage,
        pipeline=run.name,
        execution=run.id,
        provider=kind["provider"],
        external_id=attempt.external_id,
        summary=attempt.summary,
        **facts,
    )
    detail: dict[str, Any] = {
        "stage": attempt.stage,
        "action": attempt.name,
        "action-execution-id": attempt.id,
        "state": "STARTED" if attempt.state is State.IN_PROGRESS else attempt.state.upper(),
        "region": attempt.action.get("region") or run.region,
        "type": {key: kind[key] for key in ("owner", "provider", "category", "version")},
    }
    if attempt.inputs:
        detail["input-artifacts"] = attempt.inputs
    if attempt.outputs and attempt.state is State.SUCCEEDED:
        detail["output-artifacts"] = attempt.outputs
    if attempt.state is not State.IN_PROGRESS:
        result = {
            "external-execution-id": attempt.external_id,
            "external-execution-url": attempt.external_url,
            "external-execution-summary": attempt.error.message if attempt.error else attempt.summary,
            "error-code": attempt.error.code if attempt.error else None,
        }
        detail["execution-result"] = {key: value for key, value in result.items() if value}
    _send(run, "Action", detail)


def _send(run: PipelineRun, what: str, detail: dict[str, Any]) -> None:
    from mlops.rehearsal import events  # noqa: PLC0415 - needs moto, which is imported when the server starts

    common = {
        "pipeline": run.name,
        "execution-id": run.id,
        "start-time": _stamp(run.started),
        "version": float(run.version),
        "pipeline-execution-attempt": float(run.attempt),
    }
    kind = f"CodePipeline {what} Execution State Change"
    events.emit("aws.codepipeline", kind, {**common, **detail}, [run.arn], account=run.account, region=run.region)


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
