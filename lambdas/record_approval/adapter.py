"""Approvals as CodePipeline tells them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambdas.record_approval.logic import Approval
from lambdas.shared.errors import JobRefused

if TYPE_CHECKING:
    from collections.abc import Mapping


class PipelineApprovals:
    """Approvals of one pipeline."""

    def __init__(self, codepipeline: Any, *, pipeline: str) -> None:
        """Use the client `codepipeline`."""
        self._codepipeline, self._pipeline = codepipeline, pipeline

    def find(self, *, execution_id: str, stage: str, action: str) -> Approval:
        """Return the approval of `action` in one execution.

        The list of action executions belongs to one execution; the state of the pipeline shows the latest one only,
        so it counts just when that is the one asked for.
        """
        found = self._latest_execution(execution_id, stage, action)
        if found is None or found.get("status") != "Succeeded":
            status = found.get("status") if found else "not there"
            msg = f"action {action} of stage {stage} has not been approved in execution {execution_id}: it is {status}"
            raise JobRefused(msg)
        state = self._state(execution_id, stage, action)
        result = (found.get("output") or {}).get("executionResult") or {}
        by = found.get("updatedBy") or state.get("lastUpdatedBy")
        if not by:
            msg = f"CodePipeline does not tell who approved action {action} in execution {execution_id}"
            raise JobRefused(msg)
        at = found.get("lastUpdateTime")
        return Approval(
            by=by,
            summary=result.get("externalExecutionSummary") or state.get("summary") or "",
            at=at.isoformat() if at else "",
        )

    def _latest_execution(self, execution_id: str, stage: str, action: str) -> Mapping[str, Any] | None:
        pages = self._codepipeline.get_paginator("list_action_executions").paginate(
            pipelineName=self._pipeline, filter={"pipelineExecutionId": execution_id}
        )
        for page in pages:
            # The newest comes first; a stage that was tried again has several.
            for detail in page["actionExecutionDetails"]:
                known: Mapping[str, Any] = detail
                if (known.get("stageName"), known.get("actionName")) == (stage, action):
                    return known
        return None

    def _state(self, execution_id: str, stage: str, action: str) -> Mapping[str, Any]:
        state = self._codepipeline.get_pipeline_state(name=self._pipeline)
        for known in state["stageStates"]:
            latest = known.get("latestExecution") or {}
            if known.get("stageName") == stage and latest.get("pipelineExecutionId") == execution_id:
                actions = {each.get("actionName"): each for each in known.get("actionStates", [])}
                return (actions.get(action) or {}).get("latestExecution") or {}
        return {}
