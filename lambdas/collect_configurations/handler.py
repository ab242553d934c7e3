"""Entry point: once a day (EventBridge). Running it twice, or not for a week, does no harm."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from lambdas.collect_configurations.adapter import Account
from lambdas.collect_configurations.logic import Target, Targets, collect
from lambdas.shared.clients import client
from lambdas.shared.errors import EventError
from lambdas.shared.events import read
from lambdas.shared.logs import logged, logger

LOG = logger("collect_configurations")


@logged(LOG)
def handle(event: object, context: Any) -> dict[str, list[str]]:
    """Delete what nothing refers to; the event says only that it is time."""
    del event, context
    account = Account(client("sagemaker"), client("cloudformation"))
    collected = collect(_targets(), account, now=datetime.now(UTC), days=int(os.environ["KEPT_DAYS"]))
    LOG.info("collected", collected=asdict(collected))
    return asdict(collected)


def _targets() -> list[Target]:
    try:
        listed = json.loads(os.environ["TARGETS"])
    except ValueError as error:
        msg = f"the environment variable TARGETS is not JSON: {error}"
        raise EventError(msg) from error
    return read(Targets, {"targets": listed}, what="the environment variable TARGETS").targets
