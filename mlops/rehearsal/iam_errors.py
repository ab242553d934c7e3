"""A refused call in the words and the shape of its service, so that Catch and except clauses see what AWS gives."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from xml.sax.saxutils import escape

from mlops.rehearsal.iam_requests import Environ

_QUERY_CODES = {"sns": "AuthorizationError"}
_REST_JSON = ("lambda", "sagemaker-runtime", "sagemaker-metrics", "sagemaker-featurestore-runtime")


def refuse(
    environ: Environ,
    start_response: Callable[..., object],
    *,
    model: str,
    message: str,
    code: str = "AccessDenied",
) -> Iterable[bytes]:
    """Answer a call with status 400 or 403, as its protocol does."""
    if model == "s3":
        status, kind = "403 Forbidden", "application/xml"
        body = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    elif environ.get("HTTP_X_AMZ_TARGET"):
        status, kind, code = "400 Bad Request", "application/x-amz-json-1.1", _exception(code)
        body = json.dumps({"__type": code, "message": message, "Message": message})
    elif model in _REST_JSON:
        status, kind, code = "403 Forbidden", "application/json", _exception(code)
        body = json.dumps({"Message": message, "message": message})
    else:
        status, kind = "403 Forbidden", "text/xml"
        code = _QUERY_CODES.get(model, code) if code == "AccessDenied" else code
        inner = f"<Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message>"
        body = f"<ErrorResponse><Error>{inner}</Error><RequestId>rehearsal</RequestId></ErrorResponse>"
    content = b"" if environ.get("REQUEST_METHOD") == "HEAD" else body.encode()
    headers = [("Content-Type", kind), ("Content-Length", str(len(content))), ("x-amzn-errortype", code)]
    if model == "sqs":
        headers.append(("x-amzn-query-error", f"{code};Sender"))
    _drain(environ)
    start_response(status, headers, sys.exc_info() if sys.exc_info()[0] else None)
    return [content]


def _exception(code: str) -> str:
    return {"AccessDenied": "AccessDeniedException", "InvalidClientTokenId": "UnrecognizedClientException"}.get(
        code, code
    )


def _drain(environ: Environ) -> None:
    # A client that still sends while the answer is on its way would see a broken connection instead of the answer.
    stream = environ.get("wsgi.input")
    if stream is None:
        return
    if environ.get("wsgi.input_terminated"):
        stream.read()
    else:
        stream.read(int(environ.get("CONTENT_LENGTH") or 0))
