"""Decides whether an approval of the pipeline may become the approval of a model package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from pydantic import StringConstraints

from lambdas.shared.errors import JobRefused
from lambdas.shared.events import Event, S3Uri, Text
from lambdas.shared.registry import APPROVED, PENDING, REJECTED
from lambdas.shared.text import clip

if TYPE_CHECKING:
    from lambdas.shared.registry import ModelPackage, Registry

_DESCRIPTION_LENGTH = 1024


class ApprovalParameters(Event):
    """User parameters of the action."""

    model_package_arn: Annotated[
        str, StringConstraints(pattern=r"^arn:[^:]+:sagemaker:[^:]+:\d{12}:model-package/.+/\d+$")
    ]
    pipeline: Text
    execution_id: Text
    stage: Text
    action: Text
    approval_uri: S3Uri


@dataclass(frozen=True, kw_only=True, slots=True)
class Approval:
    """A person's yes."""

    by: str
    summary: str
    at: str


class Approvals(Protocol):
    """Approvals that people gave to executions of a pipeline."""

    def find(self, *, execution_id: str, stage: str, action: str) -> Approval:
        """Return the approval of `action` in one execution, or raise JobRefused when there is none."""


def approve(asked: ApprovalParameters, approvals: Approvals, registry: Registry) -> dict[str, Any]:
    """Approve the model package in the name of whoever approved the pipeline's action; return the record.

    Raises:
        JobRefused: nobody approved, the approver registered the model, or it is not the newest pending package.
    """
    approval = approvals.find(execution_id=asked.execution_id, stage=asked.stage, action=asked.action)
    package = registry.describe(asked.model_package_arn)
    if identity(approval.by) == identity(package.created_by):
        msg = f"{approval.by} registered model package {package.arn} and may not approve it as well"
        raise JobRefused(msg)
    mark = f"execution {asked.execution_id} of {asked.pipeline}"
    if package.approval_status == PENDING:
        _require_newest(package, registry)
        description = f"Approved in {mark} by {approval.by}: {approval.summary or 'no comment'}"
        registry.approve(package.arn, description=clip(description, length=_DESCRIPTION_LENGTH))
    elif package.approval_status != APPROVED or f" {mark} " not in package.approval_description:
        status = package.approval_status or "without approval status"
        told = f" ({package.approval_description})" if package.approval_description else ""
        msg = f"model package {package.arn} is {status}{told}, not {PENDING}"
        raise JobRefused(msg)
    return {
        "version": 1,
        "modelPackageArn": package.arn,
        "pipeline": asked.pipeline,
        "executionId": asked.execution_id,
        "approvedBy": approval.by,
        "approvedAt": approval.at,
        "summary": approval.summary,
    }


def identity(arn: str) -> str:
    """Return who is behind `arn`: for a session of a role, the role, whatever the session is called."""
    return arn.rsplit("/", 1)[0] if ":assumed-role/" in arn and arn.count("/") > 1 else arn


def _require_newest(package: ModelPackage, registry: Registry) -> None:
    """Refuse to approve a version when there is a newer one; versions that people rejected do not count."""
    for summary in registry.newest(package.group):
        if summary["ModelPackageArn"] == package.arn:
            return
        if summary.get("ModelApprovalStatus") != REJECTED:
            msg = f"model package {package.arn} is not the newest: {summary['ModelPackageArn']} came after it"
            raise JobRefused(msg)
    msg = f"model package {package.arn} is not among the newest of {package.group}"
    raise JobRefused(msg)
