"""Entry point: the integration of the HTTP API (payload format 2.0)."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from lambdas.api import catalogue, requests
from lambdas.api.invocation import RUNTIME, Invoker
from lambdas.api.problems import ProblemError
from lambdas.api.routes import APP
from lambdas.api.service import Service
from lambdas.api.serving import Endpoints
from lambdas.api.store import Table
from lambdas.shared.clients import client
from lambdas.shared.logs import logged, logger

LOG = logger("api")


@cache
def service() -> Service:
    """Return the service of this function, made at the first request."""
    quota = os.environ.get("DAILY_QUOTA")
    return Service(
        catalogue.load(),
        endpoints=Endpoints(client("sagemaker"), parameters=lambda: client("ssm")),
        invoker=Invoker(client("sagemaker-runtime", RUNTIME)),
        table=Table(client("dynamodb"), os.environ["TABLE"]),
        daily_quota=int(quota) if quota else None,
        log=LOG,
    )


@logged(LOG)
def handle(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer the request in `event`; nothing of its body is logged."""
    request = requests.read(event, context)
    LOG.append_keys(x_request_id=request.request_id)
    try:
        requests.check_body(event)
        APP.context.update(service=service(), request=request)
        answer: dict[str, Any] = APP.resolve(event, context)
    except ProblemError as error:
        answer = requests.refusal(error, request)
    except Exception:
        LOG.exception("unforeseen error")
        answer = requests.refusal(ProblemError(500, "the API failed; its log says why"), request)
    answer.setdefault("headers", {})["x-request-id"] = request.request_id
    return answer
