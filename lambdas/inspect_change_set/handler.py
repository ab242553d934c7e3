"""Entry point: a CodePipeline action between making a change set and executing it."""

from __future__ import annotations

from typing import Any

from lambdas.inspect_change_set.logic import ChangeSetParameters, inspect
from lambdas.shared.clients import client
from lambdas.shared.jobs import answer
from lambdas.shared.logs import logged, logger

LOG = logger("inspect_change_set")


@logged(LOG)
def handle(event: object, context: Any) -> dict[str, str]:
    """Answer the job in `event`: a success when the change set that it names loses nothing stateful."""
    return answer(
        event,
        parameters=ChangeSetParameters,
        work=_inspect,
        codepipeline=client("codepipeline"),
        request_id=context.aws_request_id,
        log=LOG,
    )


def _inspect(parameters: ChangeSetParameters) -> dict[str, str]:
    pages = client("cloudformation", access=parameters.access).get_paginator("describe_change_set")
    found = pages.paginate(StackName=parameters.stack_name, ChangeSetName=parameters.change_set_name)
    return {"Changes": str(inspect(list(found), removable=parameters.removable))}
