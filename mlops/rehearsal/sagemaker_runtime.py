"""InvokeEndpoint of the emulated SageMaker: the request goes to the process of a variant, and its answer comes back.

Gap of moto that is closed here: it answers the word "body" to every request.
"""

from __future__ import annotations

import time
from typing import Any

from mlops.rehearsal import sagemaker_canary, sagemaker_capture, sagemaker_endpoints, sagemaker_measured
from mlops.rehearsal.sagemaker_capture import Capture
from mlops.rehearsal.sagemaker_fleets import Fleet, Server
from mlops.rehearsal.sagemaker_serving import Answer, NoAnswerError
from mlops.rehearsal.sagemaker_traffic import TRAFFIC

TARGET_VARIANT = "x-amzn-sagemaker-target-variant"
TARGET_MODEL = "x-amzn-sagemaker-target-model"
INFERENCE_ID = "x-amzn-sagemaker-inference-id"
_MESSAGE_LIMIT = 1024
_FIRST_ERROR = 400
_SERVER_ERROR = 500
_OK = 200
_NO_ANSWER = 0
_STATUS = {"ValidationError": 400, "ModelError": 424, "ThrottlingException": 429, "ServiceUnavailable": 503}


class RuntimeRefusal(Exception):  # noqa: N818 - it is an answer, not a defect
    """An error answer of InvokeEndpoint."""

    def __init__(self, code: str, message: str, **details: Any) -> None:
        """Take the error code, the text, and further members of the error."""
        super().__init__(message)
        self.code = code
        self.status = _STATUS[code]
        self.document = {"Message": message, **details}


def invoke(backend: Any, endpoint_name: str, body: bytes, headers: dict[str, str]) -> tuple[Answer, str]:
    """Send one request to an endpoint, and return the answer and the variant that gave it.

    `headers` are those of the HTTP request, X-Amzn-SageMaker-Target-Variant among them. The metrics, the copy for a
    shadow variant and the captured data come from here.

    Raises:
        RuntimeRefusal: there is no such endpoint or variant, or its model failed.

    """
    began = time.perf_counter()
    given = {name.lower(): value for name, value in headers.items()}
    serving = sagemaker_endpoints.serving_of(backend, endpoint_name)
    if serving is None:
        message = f"Endpoint {endpoint_name} of account {backend.account_id} not found."
        raise refused(message)
    target = given.get(TARGET_VARIANT)
    fleet = serving.enter(target)
    try:
        server = fleet.choose(target)
        if server is None:
            which = "All variants" if target is None else f"Variant {target}"
            what = "have weight 0" if target is None else "not found"
            message = f"{which} of endpoint {endpoint_name} {what}."
            raise refused(message)
        if TARGET_MODEL in given and not server.container.many_models:
            what = "is not a multi-model endpoint and does not support target model header."
            message = f"Endpoint {endpoint_name} {what}"
            raise refused(message)
        return _ask(fleet, server, body, given, began=began), server.variant
    finally:
        fleet.leave()


def refused(message: str) -> RuntimeRefusal:
    """Return the refusal of a request that cannot be right."""
    return RuntimeRefusal("ValidationError", message)


def _ask(fleet: Fleet, server: Server, body: bytes, headers: dict[str, str], *, began: float) -> Answer:
    capture = sagemaker_capture.begin(fleet, headers.get(INFERENCE_ID))
    shadow = fleet.shadow() if fleet.shadows else None
    if shadow is not None:
        fleet.copy(lambda: _ask_shadow(fleet, shadow, body, headers, capture))
    asked = time.perf_counter()
    status, outcome = _outcome(fleet, server, body, headers)
    ended = time.perf_counter()
    seen = outcome.status if isinstance(outcome, RuntimeRefusal) else _OK
    latency_ms = 1000 * (ended - began)
    sagemaker_measured.publish(fleet, server, status=status, model=ended - asked, overhead=asked - began)
    TRAFFIC.invoked(fleet.endpoint_name, fleet.name, server.variant, shadow=False, status=seen, latency_ms=latency_ms)
    if isinstance(outcome, RuntimeRefusal):
        raise outcome
    if capture is not None:
        kind = headers.get("content-type", "application/octet-stream")
        sagemaker_capture.keep(capture, fleet, server, body=body, content_type=kind, answer=outcome)
    return outcome


def _outcome(fleet: Fleet, server: Server, body: bytes, headers: dict[str, str]) -> tuple[int, Answer | RuntimeRefusal]:
    """Return the status of the container, 0 for no answer, and what the client gets."""
    try:
        answer = sagemaker_canary.ask(fleet, server, body, headers)
    except NoAnswerError as error:
        return _NO_ANSWER, _model_error(fleet, server, _NO_ANSWER, str(error))
    except RuntimeRefusal as refusal:  # a server that is more than the process of a container refuses for itself
        return refusal.status, refusal
    if answer.status >= _FIRST_ERROR:
        text = answer.body.decode(errors="replace")
        return answer.status, _model_error(fleet, server, answer.status, text, container=answer.container)
    return answer.status, answer


def _ask_shadow(fleet: Fleet, server: Server, body: bytes, headers: dict[str, str], capture: Capture | None) -> None:
    began, status = time.perf_counter(), _NO_ANSWER
    try:
        answer = server.invoke(body, headers)
    except NoAnswerError as error:
        server.log.write(f"the shadow variant did not answer: {error}")
    else:
        status = answer.status
        if capture is not None and status < _FIRST_ERROR:
            kind = headers.get("content-type", "application/octet-stream")
            sagemaker_capture.keep(capture, fleet, server, body=body, content_type=kind, answer=answer)
    model = time.perf_counter() - began
    sagemaker_measured.publish(fleet, server, status=status, model=model, overhead=0.0)
    TRAFFIC.invoked(
        fleet.endpoint_name, fleet.name, server.variant, shadow=True, status=status, latency_ms=1000 * model
    )


def _model_error(fleet: Fleet, server: Server, status: int, text: str, *, container: str = "primary") -> RuntimeRefusal:
    side = "client" if _FIRST_ERROR <= status < _SERVER_ERROR else "server"
    text = text[:_MESSAGE_LIMIT]
    region, account = fleet.backend.region_name, fleet.backend.account_id
    message = (
        f'Received {side} error ({status}) from {container} with message "{text}". See '
        f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#logEventViewer:"
        f"group=/aws/sagemaker/Endpoints/{fleet.endpoint_name} in account {account} for more information."
    )
    return RuntimeRefusal(
        "ModelError",
        message,
        OriginalStatusCode=status,
        OriginalMessage=text,
        LogStreamArn=f"arn:aws:logs:{region}:{account}:log-group:{server.log.group}",
    )
