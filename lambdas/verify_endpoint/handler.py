"""Entry point: the deciding state of the verification workflow. The record of all checks goes to S3."""

from __future__ import annotations

from typing import Any

from lambdas.shared.clients import client
from lambdas.shared.events import read
from lambdas.shared.logs import logged, logger
from lambdas.shared.storage import Storage
from lambdas.verify_endpoint.events import VerifyEvent
from lambdas.verify_endpoint.logic import conclude
from lambdas.verify_endpoint.trying import try_out

LOG = logger("verify_endpoint")


@logged(LOG)
def handle(event: object, _context: Any) -> dict[str, Any]:
    """Verify the endpoint in `event`; a wrong, slow or missing answer is a result, an unfinished update an error."""
    asked = read(VerifyEvent, event)
    storage = Storage(client("s3"))
    result = conclude(asked.endpoint_name, try_out(asked, storage), asked.gates.metrics)
    record = {
        "version": 1,
        **asked.model_dump(mode="json", by_alias=True, include={"run", "environment", "endpoint_name", "expected"}),
        "passed": result.passed,
        "summary": result.summary,
        "checks": [check.document() for check in result.checks],
    }
    storage.write_json(asked.record_uri, record)
    LOG.info("endpoint verified", run=asked.run, environment=asked.environment, summary=result.summary)
    return {"passed": result.passed, "summary": result.summary, "recordUri": asked.record_uri}
