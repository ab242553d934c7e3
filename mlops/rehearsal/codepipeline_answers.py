"""The answers that an execution waits for: results of Lambda jobs, and approvals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mlops.rehearsal.codepipeline_approvals import APPROVALS
from mlops.rehearsal.codepipeline_invoke import JOBS, Job
from mlops.rehearsal.codepipeline_requests import caller, parameter, pipeline_of, refusal
from mlops.rehearsal.codepipeline_runs import now


def _job(request: Any) -> Job:
    identifier = parameter(request, "jobId")
    if identifier not in JOBS:
        raise refusal(code="JobNotFoundException", message=f"Job {identifier} does not exist")
    return JOBS[identifier]


def _open_job(request: Any) -> Job:
    job = _job(request)
    if not job.open or job.answered.is_set():
        message = f"Job {job.id} has been answered or has timed out: it takes no further result"
        raise refusal(code="InvalidJobStateException", message=message)
    return job


def _job_details(request: Any) -> dict[str, Any]:
    job = _job(request)
    return {"jobDetails": {"id": job.id, "accountId": job.details["accountId"], "data": job.details["data"]}}


def _job_succeeded(request: Any) -> dict[str, Any]:
    job = _open_job(request)
    if parameter(request, "continuationToken"):
        raise refusal(code="ValidationException", message="continuation tokens are not rehearsed")
    details = parameter(request, "executionDetails") or {}
    job.variables = parameter(request, "outputVariables") or {}
    job.summary, job.external_id = details.get("summary", ""), details.get("externalExecutionId")
    job.answered.set()
    return {}


def _job_failed(request: Any) -> dict[str, Any]:
    job = _open_job(request)
    job.failure = parameter(request, "failureDetails")
    job.answered.set()
    return {}


def _approve(request: Any) -> dict[str, Any]:
    pipeline = pipeline_of(request, "pipelineName")
    approval = APPROVALS.get(parameter(request, "token"))
    asked = (pipeline["name"], parameter(request, "stageName"), parameter(request, "actionName"))
    if approval is None or asked != (approval.pipeline, approval.stage, approval.action):
        message = f"The token is not that of an open approval of stage {asked[1]}, action {asked[2]}"
        raise refusal(code="InvalidApprovalTokenException", message=message)
    if approval.answered.is_set():
        raise refusal(code="ApprovalAlreadyCompletedException", message=f"Approval {asked[2]} has been answered")
    result = parameter(request, "result")
    approval.status, approval.summary, approval.by = result["status"], result.get("summary", ""), caller(request)
    approval.answered.set()
    return {"approvedAt": now()}


APIS: Mapping[str, Callable[[Any], Mapping[str, Any]]] = {
    "get_job_details": _job_details,
    "put_job_success_result": _job_succeeded,
    "put_job_failure_result": _job_failed,
    "put_approval_result": _approve,
}
