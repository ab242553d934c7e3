"""An HTTP request to the emulated AWS as an API call: who signed it, which operation it is, with which parameters.

The operation and its parameters are found with botocore's service models, as moto's router and parsers read them.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from mlops.rehearsal.iam_needs import ApiCall
from mlops.rehearsal.iam_resources import UnknownCallError

Environ = MutableMapping[str, Any]
_SCOPE = re.compile(r"Credential=([^/,\s]+)/[^/]*/([^/]*)/([^/]*)/aws4_request")
_MODELS = {"states": "stepfunctions", "monitoring": "cloudwatch"}
_PREFIXES = {"monitoring": "cloudwatch"}


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signed a request, for which service and region."""

    access_key_id: str
    session_token: str | None
    service: str
    region: str


def signature(environ: Environ) -> Signature | None:
    """Return who signed a request, None for one without a signature."""
    header = environ.get("HTTP_AUTHORIZATION", "")
    token = environ.get("HTTP_X_AMZ_SECURITY_TOKEN")
    found = _SCOPE.search(header)
    if found is None:
        query = parse_qs(environ.get("QUERY_STRING", ""))
        credential = query.get("X-Amz-Credential", [""])[0]
        found = _SCOPE.search(f"Credential={credential}")
        token = query.get("X-Amz-Security-Token", [None])[0]
    if found is None:
        return None
    return Signature(found.group(1), token, found.group(3).lower(), found.group(2))


def _body(environ: Environ) -> bytes:
    """Read the body and put it back for whoever comes next."""
    if environ.get("wsgi.input_terminated"):
        body = environ["wsgi.input"].read()
    else:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return bytes(body)


def model_name(environ: Environ, signed: Signature) -> str:
    """Return the name of the service model that describes a request."""
    path = environ.get("PATH_INFO", "")
    if signed.service == "sagemaker" and path.startswith("/endpoints/"):
        return "sagemaker-runtime"
    if signed.service == "apigateway" and path.startswith("/v2/"):
        return "apigatewayv2"
    if signed.service == "sagemaker" and path.endswith("BatchPutMetrics"):
        return "sagemaker-metrics"
    if signed.service == "sagemaker" and path.startswith("/FeatureGroup"):
        return "sagemaker-featurestore-runtime"
    return _MODELS.get(signed.service, signed.service)


def api_call(environ: Environ, signed: Signature, *, account: str) -> ApiCall:
    """Return the API call that a request makes.

    Raises:
        UnknownCallError: no service model describes the request.

    """
    prefix = _PREFIXES.get(signed.service, signed.service)
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        body = _body(environ)
        try:
            params = json.loads(body or b"{}")
        except ValueError:
            params = {}
        return ApiCall(prefix, target.rsplit(".", 1)[-1], params, account, signed.region)
    operation, params = _matched(environ, signed)
    return ApiCall(prefix, operation, params, account, signed.region)


def _matched(environ: Environ, signed: Signature) -> tuple[str, dict[str, Any]]:
    from moto.core.parse import PROTOCOL_PARSERS  # noqa: PLC0415 - moto is imported when the server starts, not before
    from moto.core.request import Request, determine_request_protocol  # noqa: PLC0415 - moto is imported when the server starts, not before
    from moto.core.routing import get_service_router  # noqa: PLC0415 - moto is imported when the server starts, not before
    from moto.core.utils import get_service_model  # noqa: PLC0415 - moto is imported when the server starts, not before

    name = model_name(environ, signed)
    # The content of an object says nothing about permissions, and may be large.
    with_body = signed.service != "s3" or "delete" in environ.get("QUERY_STRING", "").split("&")
    body = _body(environ) if with_body else b""
    copy = {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    copy.pop("HTTP_TRANSFER_ENCODING", None)
    try:
        request = Request(copy)
        operation, uri_params = get_service_router(name).match(request)
        model = get_service_model(name)
        parser = PROTOCOL_PARSERS[determine_request_protocol(model, request.content_type)]
        params = parser(operation).parse(
            {
                "method": request.method,
                "values": request.values,
                "headers": request.headers,
                "body": request.get_data(),
                "url_path": request.path,
                "url_params": uri_params,
            }
        )
    except Exception as error:
        msg = (
            f"the rehearsal's IAM evaluator does not know the {signed.service} call "
            f"{environ.get('REQUEST_METHOD')} {environ.get('PATH_INFO')} ({type(error).__name__}: {error})"
        )
        raise UnknownCallError(msg) from error
    return str(operation.name), dict(params)
