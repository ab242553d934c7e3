"""InvokeEndpoint over HTTP, answered before moto sees it: an endpoint takes hundreds of requests a second.

Gaps of moto that are closed here: each request would be parsed and routed four times, and its body decoded.
"""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from mlops.rehearsal import (
    credentials,
    iam,
    iam_calls,
    iam_errors,
    iam_requests,
    iam_roles,
    sagemaker_endpoints,
    sagemaker_runtime,
)
from mlops.rehearsal.iam_needs import ApiCall
from mlops.rehearsal.iam_requests import Environ
from mlops.rehearsal.sagemaker_runtime import RuntimeRefusal

BODY_LIMIT = 6 * 1024 * 1024
_PATH = re.compile(r"/endpoints/([^/]+)/invocations")
_KEPT_SECONDS = 1.0
"""Real seconds for which an allowed call is not decided again; IAM itself needs longer until a change takes effect."""
_PARAMETERS = {"TargetModel": "x-amzn-sagemaker-target-model", "TargetVariant": sagemaker_runtime.TARGET_VARIANT}
_TOO_LARGE = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class Invocations:
    """Answers InvokeEndpoint; everything else goes to the application behind it."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        """Stand in front of `application`."""
        self._application = application
        self._lock = threading.Lock()
        self._allowed: dict[tuple[object, ...], tuple[float, str]] = {}

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        found = _PATH.fullmatch(environ.get("PATH_INFO", "")) if environ["REQUEST_METHOD"] == "POST" else None
        signed = iam_requests.signature(environ) if found is not None else None
        if found is None or signed is None or signed.service != "sagemaker":
            return self._application(environ, start_response)
        headers = _headers(environ)
        account, refusal = self._decide(signed, found[1], headers)
        if refusal is not None:
            message, code = refusal
            return iam_errors.refuse(environ, start_response, model="sagemaker-runtime", message=message, code=code)
        status, answered, body = _answered(account, signed.region, found[1], _body(environ), headers)
        answered |= {"Content-Length": str(len(body)), "x-amzn-RequestId": str(uuid.uuid4())}
        start_response(f"{status} {_phrase(status)}", list(answered.items()))
        return [body]

    def _decide(
        self, signed: iam_requests.Signature, endpoint: str, headers: dict[str, str]
    ) -> tuple[str, tuple[str, str] | None]:
        """Return the account that answers, and why the call is refused, if it is: message and code."""
        account = credentials.account_of_operator(signed.access_key_id)
        if account is not None:
            return account, None
        parameters = {name: headers[header] for name, header in _PARAMETERS.items() if header in headers}
        key = (signed, endpoint, *parameters.items())
        now = time.monotonic()
        until, account = self._allowed.get(key, (0.0, ""))
        if now < until:
            return account, None
        session = iam_roles.session_of(signed.access_key_id, signed.session_token)
        if session is None:
            message = "The security token included in the request is invalid: not one of this emulated AWS"
            return "", (message, "InvalidClientTokenId")
        call = ApiCall(
            "sagemaker", "InvokeEndpoint", {"EndpointName": endpoint, **parameters}, session.account, signed.region
        )
        for need in iam_calls.needs_of(call):
            decision = iam.decide_for_role(session.role_arn, need, session=session.name, region=signed.region)
            if not decision.allowed:
                return "", (decision.message, "AccessDenied")
        with self._lock:
            self._allowed = {known: entry for known, entry in self._allowed.items() if entry[0] > now}
            self._allowed[key] = (now + _KEPT_SECONDS, session.account)
        return session.account, None


def _answered(
    account: str, region: str, endpoint: str, body: bytes, headers: dict[str, str]
) -> tuple[int, dict[str, str], bytes]:
    from moto.sagemaker.models import sagemaker_backends  # noqa: PLC0415 - moto is imported when the server is there

    if len(body) > BODY_LIMIT:
        return _TOO_LARGE, {}, json.dumps({"Message": f"the body is longer than {BODY_LIMIT} bytes"}).encode()
    backend = sagemaker_backends[account][region]
    serving = sagemaker_endpoints.serving_of(backend, endpoint)
    try:
        if serving is not None and serving.blue.configuration.async_inference_config:
            message = f"Endpoint {endpoint} is asynchronous; use InvokeEndpointAsync."
            raise sagemaker_runtime.refused(message)
        answer, variant = sagemaker_runtime.invoke(backend, endpoint, body, headers)
    except RuntimeRefusal as refusal:
        kind = {"x-amzn-errortype": refusal.code, "Content-Type": "application/json"}
        return refusal.status, kind, json.dumps(refusal.document).encode()
    answered = {"Content-Type": answer.content_type, "x-Amzn-Invoked-Production-Variant": variant}
    if answer.custom_attributes:
        answered["X-Amzn-SageMaker-Custom-Attributes"] = answer.custom_attributes
    return HTTPStatus.OK, answered, answer.body


def _headers(environ: Environ) -> dict[str, str]:
    headers = {
        name[5:].replace("_", "-").lower(): str(value) for name, value in environ.items() if name.startswith("HTTP_")
    }
    if environ.get("CONTENT_TYPE"):
        headers["content-type"] = environ["CONTENT_TYPE"]
    return headers


def _body(environ: Environ) -> bytes:
    stream = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated"):
        return bytes(stream.read())
    return bytes(stream.read(int(environ.get("CONTENT_LENGTH") or 0)))


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase
