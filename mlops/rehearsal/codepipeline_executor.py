"""The walk through a pipeline: stage by stage, the actions of one run order at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from mlops.rehearsal import codepipeline_approvals, codepipeline_deploy, codepipeline_invoke, codepipeline_sources
from mlops.rehearsal.codepipeline_actions import Task
from mlops.rehearsal.codepipeline_definition import provider
from mlops.rehearsal.codepipeline_events import action_changed, pipeline_changed, stage_changed
from mlops.rehearsal.codepipeline_runs import Abandoned, ActionError, ActionRun, PipelineRun, State, now
from mlops.rehearsal.timeline import Phase

HANDLERS: Mapping[str, Callable[[Task], dict[str, str]]] = {
    "Source/S3": codepipeline_sources.s3,
    "Source/CodeStarSourceConnection": codepipeline_sources.connection,
    "Approval/Manual": codepipeline_approvals.manual,
    "Deploy/CloudFormation": codepipeline_deploy.cloud_formation,
    **codepipeline_invoke.HANDLERS,
}


class Turnstiles:
    """QUEUED mode: one execution in a stage, and executions leave a queue in the order in which they started."""

    def __init__(self) -> None:
        """Begin with empty stages."""
        self._changed = threading.Condition()
        self._inside: dict[tuple[str, str], str] = {}
        self._queues: dict[str, list[str]] = {}

    def join(self, run: PipelineRun) -> None:
        """Take a place behind every execution that started before; a rollback goes straight to its stage."""
        if run.rolled_back:
            return
        with self._changed:
            self._queues.setdefault(run.name, []).append(run.id)

    def enter(self, run: PipelineRun, stage: str) -> bool:
        """Wait until the stage is free and no earlier execution is still to enter it; False when stopped meanwhile."""
        with self._changed:
            while not self._may_enter(run, stage):
                run.waiting_for = stage
                if run.stopping.is_set():
                    run.waiting_for = None
                    return False
                self._changed.wait(0.2)
            run.waiting_for = None
            self._inside[run.name, stage] = run.id
            return True

    def _may_enter(self, run: PipelineRun, stage: str) -> bool:
        if self._inside.get((run.name, stage)) is not None:
            return False
        if run.rolled_back:
            return True
        ahead = self._queues[run.name][: self._queues[run.name].index(run.id)]
        order = [one["name"] for one in run.pipeline["stages"]]
        place = order.index(stage)
        holders = {holder: name for (pipeline, name), holder in self._inside.items() if pipeline == run.name}
        # An execution ahead that is in an earlier stage, or between stages, has the right of way.
        return all(other in holders and order.index(holders[other]) > place for other in ahead)

    def leave(self, run: PipelineRun, stage: str) -> None:
        """Free the stage."""
        with self._changed:
            self._inside.pop((run.name, stage), None)
            self._changed.notify_all()

    def quit(self, run: PipelineRun) -> None:
        """Give up the place in the queue: the execution has ended."""
        with self._changed:
            if run.id in self._queues.get(run.name, []):
                self._queues[run.name].remove(run.id)
            self._changed.notify_all()

    def clear(self) -> None:
        """Forget everything."""
        with self._changed:
            self._inside.clear()
            self._queues.clear()
            self._changed.notify_all()


TURNSTILES = Turnstiles()


Reaction = Callable[[PipelineRun, str], None]
"""What happens when an execution has failed in a stage, before anybody learns that it has ended."""


def start(run: PipelineRun, failed: Reaction, *, first: str | None = None, only_failed: bool = False) -> None:
    """Walk through the pipeline in a thread of its own; from stage `first` on when a stage is tried again."""
    TURNSTILES.join(run)
    thread = threading.Thread(
        target=_walk, args=(run, failed, first, only_failed), name=f"pipeline {run.name} {run.id}", daemon=True
    )
    thread.start()


def _walk(run: PipelineRun, failed: Reaction, first: str | None, only_failed: bool) -> None:  # noqa: FBT001 - private
    pipeline_changed(run, "RESUMED" if first else "STARTED")
    names = [run.rolled_back] if run.rolled_back else [stage["name"] for stage in run.pipeline["stages"]]
    end, lost = State.SUCCEEDED, None
    try:
        for name in names[names.index(first) if first else 0 :]:
            if run.stopping.is_set() or not TURNSTILES.enter(run, name):
                end = State.STOPPED
                break
            try:
                end = _stage(run, name, resumed=name == first, only_failed=only_failed and name == first)
                if end is State.FAILED and (mode := _retry_mode(run, name)):
                    run.retries.setdefault(name, []).append("AutomatedStageRetry")
                    end = _stage(run, name, resumed=True, only_failed=mode == "FAILED_ACTIONS")
            finally:
                TURNSTILES.leave(run, name)
            if end is not State.SUCCEEDED:
                lost = name if end is State.FAILED else None
                break
    except Exception as error:  # noqa: BLE001 - a defect of the rehearsal must not look like a pipeline that runs
        end = State.FAILED
        run.summary = f"the rehearsal cannot go on: {type(error).__name__}: {error}"
    finally:
        TURNSTILES.quit(run)
        with run.lock:
            run.state, run.updated = end, now()
        pipeline_changed(run, end.upper())
        if lost:
            failed(run, lost)
        run.finished.set()


def _retry_mode(run: PipelineRun, stage: str) -> str | None:
    """Return how the stage tries itself again, which it does once; None when it does not."""
    reaction = run.stage(stage).get("onFailure") or {}
    if reaction.get("result") != "RETRY" or "AutomatedStageRetry" in run.retries.get(stage, []):
        return None
    return str((reaction.get("retryConfiguration") or {}).get("retryMode", "FAILED_ACTIONS"))


def _stage(run: PipelineRun, name: str, *, resumed: bool, only_failed: bool) -> State:
    run.enter(name)
    stage_changed(run, name, "RESUMED" if resumed else "STARTED", Phase.STARTED)
    actions = run.stage(name)["actions"]
    end, cause = State.SUCCEEDED, None
    for order in sorted({action.get("runOrder", 1) for action in actions}):
        if run.stopping.is_set():
            end, cause = State.STOPPED, run.stop_reason
            break
        together = [action for action in actions if action.get("runOrder", 1) == order]
        if only_failed:
            together = [action for action in together if not _succeeded(run, name, action)]
        attempts = _together(run, name, together)
        failed = [attempt for attempt in attempts if attempt.state is not State.SUCCEEDED]
        if failed:
            stopped = any(attempt.state is State.ABANDONED for attempt in failed)
            end = State.STOPPED if stopped else State.FAILED
            cause = next((attempt.error.message for attempt in failed if attempt.error), run.stop_reason)
            break
    with run.lock:
        run.stages[name] = end
    phase = Phase.SUCCEEDED if end is State.SUCCEEDED else Phase.FAILED
    stage_changed(run, name, end.upper(), phase, cause=cause)
    return end


def _succeeded(run: PipelineRun, stage: str, action: Mapping[str, Any]) -> bool:
    last = run.last(stage, action["name"])
    return last is not None and last.state is State.SUCCEEDED


def _together(run: PipelineRun, stage: str, actions: list[Mapping[str, Any]]) -> list[ActionRun]:
    role = run.pipeline["roleArn"].rsplit("/", 1)[-1]
    by = f"arn:aws:sts::{run.account}:assumed-role/{role}/{run.id}"
    attempts = [ActionRun(stage=stage, action=action, updated_by=by) for action in actions]
    with run.lock:
        run.actions.extend(attempts)
    threads = [threading.Thread(target=_attempt, args=(run, attempt), daemon=True) for attempt in attempts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return attempts


def _attempt(run: PipelineRun, attempt: ActionRun) -> None:
    task = Task(run, attempt)
    error: ActionError | None = None
    state = State.SUCCEEDED
    variables: dict[str, str] = {}
    try:
        attempt.inputs = task.inputs()
        attempt.outputs = task.outputs()
        action_changed(run, attempt)
        task.resolve()
        variables = HANDLERS[provider(attempt.action)](task)
    except ActionError as failed:
        error, state = failed, State.FAILED
    except Abandoned:
        state = State.ABANDONED
    except Exception as defect:  # noqa: BLE001 - a defect of the rehearsal must not look like an action that runs
        error, state = (
            ActionError(f"the rehearsal cannot run this action: {type(defect).__name__}: {defect}"),
            State.FAILED,
        )
    with run.lock:
        attempt.state, attempt.error, attempt.updated = state, error, now()
        if state is State.SUCCEEDED:
            attempt.variables = {key: str(value) for key, value in variables.items()}
            run.artifacts.update({artifact["name"]: artifact for artifact in attempt.outputs})
        else:
            attempt.outputs = []
        run.updated = now()
    action_changed(run, attempt)
