"""Entry point: a CodePipeline action before the deployment to another region."""

from __future__ import annotations

from typing import Any

from lambdas.replicate_model.adapter import Copier
from lambdas.replicate_model.logic import ReplicateParameters, replicate
from lambdas.shared.access import Access
from lambdas.shared.clients import client
from lambdas.shared.jobs import answer
from lambdas.shared.logs import logged, logger

LOG = logger("replicate_model")


@logged(LOG)
def handle(event: object, context: Any) -> dict[str, str]:
    """Answer the job in `event` with the address of the copy."""
    return answer(
        event,
        parameters=ReplicateParameters,
        work=_replicate,
        codepipeline=client("codepipeline"),
        request_id=context.aws_request_id,
        log=LOG,
    )


def _replicate(parameters: ReplicateParameters) -> dict[str, str]:
    there = Access(role_arn="", region=parameters.region)
    return replicate(parameters, Copier(client("s3"), client("s3", access=there)))
