"""Batches that run at the same time would answer the same files twice."""

from __future__ import annotations

from typing import Any


def other_batch(states: Any, machine: str, batch: str) -> str | None:
    """Return the batch that began to run before this one and has not ended; of two at once, the first goes on."""
    pages = states.get_paginator("list_executions").paginate(stateMachineArn=machine, statusFilter="RUNNING")
    running = [(each["startDate"], each["name"]) for page in pages for each in page["executions"]]
    first = min(running, default=None)
    return first[1] if first is not None and first[1] != batch else None
