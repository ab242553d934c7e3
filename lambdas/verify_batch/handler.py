"""Entry point: the states before and after the transform job of a verification."""

from __future__ import annotations

from typing import Any

from lambdas.shared.clients import client
from lambdas.shared.events import read
from lambdas.shared.logs import logged, logger
from lambdas.shared.storage import Storage
from lambdas.verify_batch.events import VerifyBatchEvent
from lambdas.verify_batch.verification import judge, sample

LOG = logger("verify_batch")


@logged(LOG)
def handle(event: object, _context: Any) -> dict[str, Any]:
    """Write the rows that the version in `event` has to answer, or judge its answers."""
    asked = read(VerifyBatchEvent, event)
    s3 = client("s3")
    result = sample(asked, Storage(s3), s3) if asked.phase == "sample" else judge(asked, Storage(s3))
    LOG.info("batch serving looked at", run=asked.run, environment=asked.environment, result=result)
    return result
