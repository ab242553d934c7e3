"""Tries an endpoint out: what it serves, what it answers to labelled rows, and how fast."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambdas.shared.answers import check_answers
from lambdas.shared.clients import IMPATIENT, client
from lambdas.shared.decisions import all_passed
from lambdas.shared.endpoint_calls import EndpointCaller
from lambdas.shared.endpoints import Endpoints
from lambdas.shared.labelled_rows import PREDICTIONS_LIMIT, TEST_SET_LIMIT, read_predictions, read_rows
from lambdas.verify_endpoint.asynchronous import AsynchronousCaller
from lambdas.verify_endpoint.logic import check_latency, check_serving

if TYPE_CHECKING:
    from lambdas.shared.answers import Caller
    from lambdas.shared.decisions import Check
    from lambdas.shared.storage import Storage
    from lambdas.verify_endpoint.events import Target, VerifyEvent


def try_out(asked: VerifyEvent, storage: Storage) -> list[Check]:
    """Return the checks of the endpoint in `asked`, up to the first that leaves nothing to check."""
    endpoints = Endpoints(client("sagemaker", access=asked.access))
    target = asked.target.of(asked.expected)
    checks = check_serving(asked.endpoint_name, asked.expected, endpoints, target)
    if not all_passed(checks):
        return checks
    gate = asked.gates.verify
    predictions = read_predictions(storage.lines(asked.predictions_uri, limit=PREDICTIONS_LIMIT), asked.task)
    rows = read_rows(storage.lines(asked.test_uri, limit=TEST_SET_LIMIT), predictions, gate.rows)
    caller = _caller(asked, target)
    checks += check_answers(caller, rows, predictions, asked.gates)
    if not all_passed(checks):
        return checks
    return [*checks, check_latency(caller, rows, gate.maximum_latency_ms, asked.task)]


def _caller(asked: VerifyEvent, target: Target) -> Caller:
    runtime = client("sagemaker-runtime", IMPATIENT, access=asked.access)
    if target.asynchronous is None:
        return EndpointCaller(runtime, endpoint_name=asked.endpoint_name, variant=target.variant, model=target.model)
    folder = f"{target.asynchronous.input_uri}/{asked.run}"
    return AsynchronousCaller(runtime, client("s3"), endpoint_name=asked.endpoint_name, folder=folder)
