"""The executions of a pipeline, as the API tells them: pipeline, stages, actions."""

from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """Where an execution, a stage or an action stands."""

    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    CANCELLED = "Cancelled"
    ABANDONED = "Abandoned"


class ActionError(Exception):
    """An action failed: the code and message of its error details."""

    def __init__(self, message: str, *, code: str = "JobFailed") -> None:
        """Take the message and the code ("JobFailed", "PermissionError", "ConfigurationError")."""
        super().__init__(message)
        self.code = code
        self.message = message


class Abandoned(Exception):  # noqa: N818 - not an error: somebody stopped the execution
    """Somebody stopped the execution and did not want to wait for this action."""


_entrances = itertools.count(1)


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


@dataclass
class ActionRun:
    """One attempt at an action."""

    stage: str
    action: Mapping[str, Any]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    state: State = State.IN_PROGRESS
    started: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)
    updated_by: str = ""
    configuration: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    token: str | None = None
    external_id: str | None = None
    external_url: str | None = None
    log_stream: str | None = None
    error: ActionError | None = None
    revision: dict[str, str] | None = None
    variables: dict[str, str] = field(default_factory=dict)
    inputs: list[dict[str, Any]] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Return the action's name."""
        return str(self.action["name"])

    def latest(self) -> dict[str, Any]:
        """Return it as GetPipelineState does."""
        open_token = self.token if self.state is State.IN_PROGRESS else None
        return _present(
            actionExecutionId=self.id,
            status=self.state.value,
            summary=self.summary,
            lastStatusChange=self.updated,
            token=open_token,
            lastUpdatedBy=self.updated_by,
            externalExecutionId=self.external_id,
            externalExecutionUrl=self.external_url,
            logStreamARN=self.log_stream,
            errorDetails=self.error and {"code": self.error.code, "message": self.error.message},
        )

    def detail(self, run: PipelineRun) -> dict[str, Any]:
        """Return it as ListActionExecutions does."""
        kind = self.action["actionTypeId"]
        return {
            "pipelineExecutionId": run.id,
            "actionExecutionId": self.id,
            "pipelineVersion": run.version,
            "stageName": self.stage,
            "actionName": self.name,
            "startTime": self.started,
            "lastUpdateTime": self.updated,
            "updatedBy": self.updated_by,
            "status": self.state.value,
            "input": _present(
                actionTypeId=dict(kind),
                configuration=dict(self.action.get("configuration") or {}),
                resolvedConfiguration=self.configuration,
                roleArn=self.action.get("roleArn"),
                region=self.action.get("region") or run.region,
                inputArtifacts=self.inputs,
                namespace=self.action.get("namespace"),
            ),
            "output": {
                "outputArtifacts": self.outputs,
                "executionResult": _present(
                    externalExecutionId=self.external_id,
                    externalExecutionSummary=self.error.message if self.error else self.summary,
                    externalExecutionUrl=self.external_url,
                    errorDetails=self.error and {"code": self.error.code, "message": self.error.message},
                    logStreamARN=self.log_stream,
                ),
                "outputVariables": self.variables,
            },
        }


@dataclass
class PipelineRun:
    """One execution of a pipeline; the declaration is that of the time when it started."""

    name: str
    version: int
    region: str
    account: str
    pipeline: Mapping[str, Any]
    trigger: dict[str, str]
    variables: dict[str, str] = field(default_factory=dict)
    overrides: dict[str, dict[str, str]] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    state: State = State.IN_PROGRESS
    summary: str | None = None
    started: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)
    attempt: int = 1
    stop_reason: str | None = None
    stages: dict[str, State] = field(default_factory=dict)
    entered: dict[str, int] = field(default_factory=dict)
    """The stages that it was in, with the place of its last entrance among all entrances of all executions."""
    retries: dict[str, list[str]] = field(default_factory=dict)
    """What tried a stage again, by stage: "AutomatedStageRetry" or "ManualStageRetry", oldest first."""
    rolled_back: str | None = None
    """The one stage of an execution that is a rollback; None in a standard execution."""
    target: PipelineRun | None = None
    """The execution that a rollback goes back to."""
    waiting_for: str | None = None
    actions: list[ActionRun] = field(default_factory=list)
    artifacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    copies: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    """Artifacts in the stores of other regions than that of the action which made them, by name and bucket."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    stopping: threading.Event = field(default_factory=threading.Event)
    abandoning: threading.Event = field(default_factory=threading.Event)
    finished: threading.Event = field(default_factory=threading.Event)

    @property
    def arn(self) -> str:
        """Return the ARN of the pipeline."""
        return f"arn:aws:codepipeline:{self.region}:{self.account}:{self.name}"

    @property
    def kind(self) -> str:
        """Return the type of the execution."""
        return "ROLLBACK" if self.target else "STANDARD"

    def enter(self, stage: str) -> None:
        """Put on record that the execution is in a stage now."""
        with self.lock:
            self.stages[stage] = State.IN_PROGRESS
            self.entered[stage] = next(_entrances)

    def known(self) -> list[ActionRun]:
        """Return the attempts whose output the actions can use: a rollback has those of its target before its own."""
        before = self.target.known() if self.target else []
        with self.lock:
            return [*before, *self.actions]

    def stage(self, name: str) -> Mapping[str, Any]:
        """Return the declaration of a stage."""
        return next(stage for stage in self.pipeline["stages"] if stage["name"] == name)

    def last(self, stage: str, action: str) -> ActionRun | None:
        """Return the newest attempt at an action."""
        return next((one for one in reversed(self.actions) if (one.stage, one.name) == (stage, action)), None)

    def describe(self) -> dict[str, Any]:
        """Return it as GetPipelineExecution does."""
        return _present(
            pipelineName=self.name,
            pipelineVersion=self.version,
            pipelineExecutionId=self.id,
            status=self.state.value,
            statusSummary=self.summary,
            artifactRevisions=[
                {"name": one.outputs[0]["name"], "revisionId": one.revision["revisionId"], "created": one.updated}
                for one in self.known()
                if one.revision and one.outputs
            ],
            variables=[{"name": name, "resolvedValue": value} for name, value in self.variables.items()],
            trigger=self.trigger,
            executionMode="QUEUED",
            **self._rollback(),
        )

    def _rollback(self) -> dict[str, Any]:
        metadata = {"rollbackTargetPipelineExecutionId": self.target.id} if self.target else None
        return {"executionType": self.kind, "rollbackMetadata": metadata}

    def summarize(self) -> dict[str, Any]:
        """Return it as ListPipelineExecutions does."""
        return _present(
            pipelineExecutionId=self.id,
            status=self.state.value,
            statusSummary=self.summary,
            startTime=self.started,
            lastUpdateTime=self.updated,
            sourceRevisions=[{"actionName": one.name, **one.revision} for one in self.known() if one.revision],
            trigger=self.trigger,
            stopTrigger={"reason": self.stop_reason} if self.stop_reason else None,
            executionMode="QUEUED",
            **self._rollback(),
        )


def pipeline_state(pipeline: Mapping[str, Any], runs: list[PipelineRun]) -> list[dict[str, Any]]:
    """Return the stage states of GetPipelineState: for each stage the execution that entered it last."""
    states = []
    for stage in pipeline["stages"]:
        name = stage["name"]
        # A rollback overtakes the executions that wait for something before the stage.
        latest = max((run for run in runs if name in run.entered), key=lambda run: run.entered[name], default=None)
        inbound = [
            {"pipelineExecutionId": run.id, "status": run.state.value, "type": run.kind}
            for run in runs
            if run.waiting_for == name
        ]
        actions = []
        for action in stage["actions"]:
            attempt = latest.last(name, action["name"]) if latest else None
            current = {"revisionId": attempt.revision["revisionId"]} if attempt and attempt.revision else None
            actions.append(
                _present(
                    actionName=action["name"],
                    latestExecution=attempt.latest() if attempt else None,
                    currentRevision=current,
                )
            )
        states.append(
            _present(
                stageName=name,
                inboundTransitionState={"enabled": True},
                inboundExecutions=inbound,
                inboundExecution=inbound[0] if inbound else None,
                actionStates=actions,
                latestExecution=latest
                and {"pipelineExecutionId": latest.id, "status": latest.stages[name].value, "type": latest.kind},
                retryStageMetadata=_retries(latest.retries[name]) if latest and name in latest.retries else None,
            )
        )
    return states


def _retries(triggers: list[str]) -> dict[str, Any]:
    automated = triggers.count("AutomatedStageRetry")
    return _present(
        autoStageRetryAttempt=automated or None,
        manualStageRetryAttempt=len(triggers) - automated or None,
        latestRetryTrigger=triggers[-1],
    )


def _present(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "")}
