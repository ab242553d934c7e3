"""Entry point: the deciding state of the verification workflow. The record of all checks goes to S3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambdas.shared.clients import IMPATIENT, client
from lambdas.shared.decisions import all_passed
from lambdas.shared.endpoints import Endpoints
from lambdas.shared.events import read
from lambdas.shared.logs import logged, logger
from lambdas.shared.storage import Storage
from lambdas.verify_endpoint.events import VerifyEvent
from lambdas.verify_endpoint.logic import check_answers, check_latency, check_serving, conclude
from lambdas.verify_endpoint.runtime import EndpointCaller
from lambdas.verify_endpoint.sample import read_predictions, read_rows

if TYPE_CHECKING:
    from lambdas.shared.decisions import Check

LOG = logger("verify_endpoint")
PREDICTIONS_LIMIT = 64 * 1024 * 1024
TEST_SET_LIMIT = 1024 * 1024 * 1024
"""Only the rows that are sent are kept of it."""


@logged(LOG)
def handle(event: object, _context: Any) -> dict[str, Any]:
    """Verify the endpoint in `event`; a wrong, slow or missing answer is a result, an unfinished update an error."""
    asked = read(VerifyEvent, event)
    storage = Storage(client("s3"))
    result = conclude(asked.endpoint_name, _checks(asked, storage), asked.gates.metrics)
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


def _checks(asked: VerifyEvent, storage: Storage) -> list[Check]:
    checks = check_serving(asked.endpoint_name, asked.expected, Endpoints(client("sagemaker", access=asked.access)))
    if not all_passed(checks):
        return checks
    gate = asked.gates.verify
    predictions = read_predictions(storage.lines(asked.predictions_uri, limit=PREDICTIONS_LIMIT), asked.task)
    rows = read_rows(storage.lines(asked.test_uri, limit=TEST_SET_LIMIT), predictions, gate.rows)
    runtime = client("sagemaker-runtime", IMPATIENT, access=asked.access)
    caller = EndpointCaller(runtime, endpoint_name=asked.endpoint_name)
    checks += check_answers(caller, rows, predictions, asked.gates)
    if not all_passed(checks):
        return checks
    return [*checks, check_latency(caller, rows, gate.maximum_latency_ms, asked.task)]
