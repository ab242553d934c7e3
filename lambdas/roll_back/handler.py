"""Entry point: a version was rejected, or a stage has ended (EventBridge). Each rejected deployment is left once."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig, idempotent_function

from lambdas.roll_back.adapter import Deployment, Pipeline
from lambdas.roll_back.events import Trigger, stages
from lambdas.roll_back.logic import Stage, look, told, way_back
from lambdas.shared.clients import client
from lambdas.shared.errors import StageBusy
from lambdas.shared.events import read
from lambdas.shared.logs import logged, logger
from lambdas.shared.registry import ApprovalStatuses

LOG = logger("roll_back")
REMEMBERED_SECONDS = 30 * 24 * 3600
"""A rollback that failed is not tried again by itself: its failed action is told, and people decide."""


@logged(LOG)
def handle(event: object, context: Any) -> dict[str, Any]:
    """Look at each stage that `event` may concern; what counts is what is true now: events come late and twice."""
    concerned = stages(read(Trigger, event))
    config = IdempotencyConfig(expires_after_seconds=REMEMBERED_SECONDS, hash_function="sha256")
    config.register_lambda_context(context)
    leave = idempotent_function(_leave, data_keyword_argument="deployment", persistence_store=_store(), config=config)
    pipeline = Pipeline(client("codepipeline"), name=os.environ["PIPELINE_NAME"], outcome=os.environ["OUTCOME_ACTION"])
    approvals, answers = ApprovalStatuses(client("sagemaker")), {}
    for stage in concerned:
        leaving, answers[stage.name] = look(stage, pipeline, approvals)
        if leaving is not None:
            key = {"stage": stage.name, "execution": leaving.execution}
            try:
                answers[stage.name] = leave(deployment=key, parts=(stage, leaving, pipeline, approvals))
            except StageBusy as error:
                answers[stage.name] = str(error)
    LOG.info("looked at the stages", answers=answers)
    return answers


def _leave(*, deployment: dict[str, str], parts: tuple[Stage, Deployment, Pipeline, ApprovalStatuses]) -> str:
    del deployment  # the key
    stage, leaving, pipeline, approvals = parts
    way = way_back(stage, leaving, pipeline, approvals)
    execution = pipeline.roll_back(stage.name, to=way.target.execution) if way.target else None
    subject, text = told(way, stage, model=os.environ["MODEL"], execution=execution)
    client("sns").publish(TopicArn=os.environ["TOPIC_ARN"], Subject=subject[:100], Message=text)
    return text


@cache
def _store() -> DynamoDBPersistenceLayer:
    return DynamoDBPersistenceLayer(table_name=os.environ["IDEMPOTENCY_TABLE"], boto3_client=client("dynamodb"))
