"""Entry point: new data (S3 through EventBridge), a schedule (EventBridge), or an empty event (by hand)."""

from __future__ import annotations

import os
from typing import Any

from lambdas.shared.clients import client
from lambdas.shared.events import read
from lambdas.shared.logs import logged, logger
from lambdas.shared.versions import S3Versions
from lambdas.start_workflow.adapter import StateMachine
from lambdas.start_workflow.logic import Sources, occasion, start

LOG = logger("start_workflow")


@logged(LOG)
def handle(event: object, _context: Any) -> dict[str, Any]:
    """Start the workflow, at most once for the same data or the same time of a schedule."""
    names = {"data_bucket": "DATA_BUCKET", "data_key": "DATA_KEY", "code_key": "CODE_KEY"}
    sources = read(Sources, {field: os.environ[name] for field, name in names.items()}, what="the environment")
    why = occasion(event, sources)
    machine = StateMachine(client("stepfunctions"), arn=os.environ["STATE_MACHINE_ARN"])
    answer = start(why, sources, versions=S3Versions(client("s3")), machine=machine)
    LOG.info("workflow asked for", trigger=why.trigger, answer=answer)
    return answer
