"""CodePipeline as the logic needs it: what each stage has deployed, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambdas.shared.errors import StageBusy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EXECUTIONS = 300
"""How far back the history is read: executions of the pipeline, the newest first."""
_PAGE = 100
_BUSY = frozenset({"ConflictException", "ConcurrentPipelineExecutionsLimitExceededException"})
_RUNNING = frozenset({"InProgress", "Stopping"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployment:
    """A version that a stage has deployed with success."""

    execution: str
    package_arn: str
    ended: datetime
    is_rollback: bool
    pipeline_version: int


class Pipeline:
    """One pipeline; what is asked of its history is remembered as long as this object lives."""

    def __init__(self, codepipeline: Any, *, name: str, outcome: str) -> None:
        """Use the client `codepipeline`; the action `outcome` tells which package an execution brings."""
        self._codepipeline, self._name, self._outcome = codepipeline, name, outcome
        self._executions: list[Mapping[str, Any]] | None = None
        self._actions: dict[str, list[Mapping[str, Any]]] = {}
        self._state: Mapping[str, Any] | None = None

    @property
    def version(self) -> int:
        """Version of the pipeline's structure; CodePipeline goes back to no execution of an older one."""
        return int(self._read_state()["pipelineVersion"])

    def is_busy(self, stage: str) -> bool:
        """Whether an execution is in the stage, or a rollback is on its way to it."""
        inbound = self._state_of(stage).get("inboundExecutions") or []
        return self._latest(stage).get("status") in _RUNNING or any(one.get("type") == "ROLLBACK" for one in inbound)

    def failed_rollback(self, stage: str) -> Deployment | None:
        """Return what a rollback was to deploy that failed and was the last execution in the stage."""
        latest = self._latest(stage)
        if latest.get("type") != "ROLLBACK" or latest.get("status") != "Failed":
            return None
        for execution in self._history():
            if execution["pipelineExecutionId"] == latest["pipelineExecutionId"]:
                package_arn = self._package(execution)
                if package_arn is not None:
                    return Deployment(
                        execution=execution["pipelineExecutionId"],
                        package_arn=package_arn,
                        ended=execution["lastUpdateTime"],
                        is_rollback=True,
                        pipeline_version=self.version,
                    )
        return None

    def deployments(self, stage: str, last_action: str) -> Iterator[Deployment]:
        """Yield what the stage has deployed with success, which its last action shows, the last one first.

        An execution can overtake another one, which waits for an approval: what counts is when the stage ended. No
        execution ends a stage after its own last change, so that most of the history need not be read.
        """
        found: list[Deployment] = []
        for execution in self._history():
            while found and found[-1].ended >= _changed(execution):
                yield found.pop()
            deployment = self._deployment(execution, stage, last_action)
            if deployment is not None:
                found.append(deployment)
                found.sort(key=lambda one: one.ended)
        yield from reversed(found)

    def roll_back(self, stage: str, *, to: str) -> str:
        """Run the stage again with what the execution `to` brought; return the id of the new execution.

        Raises:
            StageBusy: another execution is in the stage.

        """
        try:
            answer = self._codepipeline.rollback_stage(
                pipelineName=self._name, stageName=stage, targetPipelineExecutionId=to
            )
        except ClientError as error:
            code, text = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
            if code in _BUSY or (code == "UnableToRollbackStageException" and "running" in text):
                msg = f"stage {stage} cannot be rolled back now: {text}"
                raise StageBusy(msg) from error
            raise
        return str(answer["pipelineExecutionId"])

    def _latest(self, stage: str) -> Mapping[str, Any]:
        return self._state_of(stage).get("latestExecution") or {}

    def _state_of(self, stage: str) -> Mapping[str, Any]:
        states = self._read_state()["stageStates"]
        return next((state for state in states if state["stageName"] == stage), {})

    def _read_state(self) -> Mapping[str, Any]:
        if self._state is None:
            self._state = self._codepipeline.get_pipeline_state(name=self._name)
        return self._state

    def _history(self) -> list[Mapping[str, Any]]:
        """The executions, those first that changed last."""
        if self._executions is None:
            pages = self._codepipeline.get_paginator("list_pipeline_executions").paginate(
                pipelineName=self._name, PaginationConfig={"MaxItems": EXECUTIONS, "PageSize": _PAGE}
            )
            known = [one for page in pages for one in page["pipelineExecutionSummaries"]]
            self._executions = sorted(known, key=_changed, reverse=True)
        return self._executions

    def _deployment(self, execution: Mapping[str, Any], stage: str, last_action: str) -> Deployment | None:
        identifier = execution["pipelineExecutionId"]
        last = self._succeeded(identifier, last_action, stage=stage)
        package_arn = self._package(execution) if last else None
        if last is None or package_arn is None:
            return None
        return Deployment(
            execution=identifier,
            package_arn=package_arn,
            ended=last["lastUpdateTime"],
            is_rollback=_target(execution) is not None,
            pipeline_version=int(last["pipelineVersion"]),
        )

    def _package(self, execution: Mapping[str, Any]) -> str | None:
        """The version of an execution; a rollback brings nothing of its own."""
        brought = self._succeeded(_target(execution) or execution["pipelineExecutionId"], self._outcome)
        return brought["output"].get("outputVariables", {}).get("ModelPackageArn") if brought else None

    def _succeeded(self, execution: str, action: str, *, stage: str | None = None) -> Mapping[str, Any] | None:
        """The last attempt at an action of one execution, if it succeeded."""
        for attempt in self._all_actions(execution):
            if attempt["actionName"] == action and stage in {None, attempt["stageName"]}:
                return attempt if attempt["status"] == "Succeeded" else None
        return None

    def _all_actions(self, execution: str) -> list[Mapping[str, Any]]:
        """The actions of one execution, the newest first."""
        if execution not in self._actions:
            pages = self._codepipeline.get_paginator("list_action_executions").paginate(
                pipelineName=self._name, filter={"pipelineExecutionId": execution}
            )
            self._actions[execution] = [one for page in pages for one in page["actionExecutionDetails"]]
        return self._actions[execution]


def _target(execution: Mapping[str, Any]) -> str | None:
    target: str | None = (execution.get("rollbackMetadata") or {}).get("rollbackTargetPipelineExecutionId")
    return target


def _changed(execution: Mapping[str, Any]) -> datetime:
    """When the execution changed last; one that runs may change at any time."""
    if execution["status"] in _RUNNING:
        return datetime.max.replace(tzinfo=UTC)
    changed: datetime = execution["lastUpdateTime"]
    return changed
