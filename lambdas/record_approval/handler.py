"""Entry point: a CodePipeline action after the manual approval."""

from __future__ import annotations

from typing import Any

from lambdas.record_approval.adapter import PipelineApprovals
from lambdas.record_approval.logic import ApprovalParameters, approve
from lambdas.shared.clients import client
from lambdas.shared.jobs import answer
from lambdas.shared.logs import logged, logger
from lambdas.shared.registry import Registry
from lambdas.shared.storage import Storage

LOG = logger("record_approval")


@logged(LOG)
def handle(event: object, context: Any) -> dict[str, str]:
    """Answer the job in `event` after the approval stands on the model package and in the run's folder."""
    return answer(
        event,
        parameters=ApprovalParameters,
        work=_record,
        codepipeline=client("codepipeline"),
        request_id=context.aws_request_id,
        log=LOG,
    )


def _record(parameters: ApprovalParameters) -> dict[str, str]:
    approvals = PipelineApprovals(client("codepipeline"), pipeline=parameters.pipeline)
    record = approve(parameters, approvals, Registry(client("sagemaker")))
    Storage(client("s3")).write_json(parameters.approval_uri, record)
    return {"ApprovedBy": record["approvedBy"]}
