"""Entry point: a CodePipeline action after the training; its output variables name the model to deploy."""

from __future__ import annotations

from typing import Any

from lambdas.shared.clients import client
from lambdas.shared.jobs import answer
from lambdas.shared.logs import logged, logger
from lambdas.training_outcome.logic import OutcomeParameters, outcome

LOG = logger("training_outcome")


@logged(LOG)
def handle(event: object, context: Any) -> dict[str, str]:
    """Answer the job in `event` with the outcome of the training execution that it names."""
    return answer(
        event,
        parameters=OutcomeParameters,
        work=_outcome,
        codepipeline=client("codepipeline"),
        request_id=context.aws_request_id,
        log=LOG,
    )


def _outcome(parameters: OutcomeParameters) -> dict[str, str]:
    execution = client("stepfunctions").describe_execution(executionArn=parameters.execution_arn)
    return {"Run": parameters.run, **outcome(execution)}
