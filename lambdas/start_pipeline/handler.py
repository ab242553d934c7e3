"""Entry point: an S3 object was created (EventBridge). Events arrive at least once; each starts at most one run."""

from __future__ import annotations

import json
import os
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)

from lambdas.shared.clients import client
from lambdas.shared.errors import EventError
from lambdas.shared.events import read
from lambdas.shared.logs import logged, logger
from lambdas.shared.object_created import ObjectCreated
from lambdas.shared.versions import S3Versions
from lambdas.start_pipeline.adapter import CodePipeline
from lambdas.start_pipeline.logic import S3Source, Sources, start

LOG = logger("start_pipeline")
REMEMBERED_SECONDS = 7 * 24 * 3600
"""Far longer than EventBridge and Lambda try again, and a redrive from the dead-letter queue comes within days."""


@logged(LOG)
def handle(event: object, context: Any) -> Any:
    """Start the pipeline for the object in `event`, once for each of its versions."""
    identity = read(ObjectCreated, event).identity
    config = IdempotencyConfig(expires_after_seconds=REMEMBERED_SECONDS, hash_function="sha256")
    config.register_lambda_context(context)
    once = idempotent_function(_start, data_keyword_argument="identity", persistence_store=_store(), config=config)
    answer = once(identity=identity)
    LOG.info("source object arrived", identity=identity, answer=answer)
    return answer


def _start(*, identity: dict[str, str]) -> Any:
    pipeline = CodePipeline(client("codepipeline"), name=os.environ["PIPELINE_NAME"])
    return start(identity, _sources(), versions=S3Versions(client("s3")), pipeline=pipeline)


def _sources() -> list[S3Source]:
    try:
        listed = json.loads(os.environ["SOURCES"])
    except ValueError as error:
        msg = f"the environment variable SOURCES is not JSON: {error}"
        raise EventError(msg) from error
    return read(Sources, {"sources": listed}, what="the environment variable SOURCES").sources


@cache
def _store() -> DynamoDBPersistenceLayer:
    return DynamoDBPersistenceLayer(table_name=os.environ["IDEMPOTENCY_TABLE"], boto3_client=client("dynamodb"))
