"""Requests as the gateway hands them on (payload format 2.0): who asks, and is the body JSON?"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any

from lambdas.api import problems
from lambdas.api.problems import ProblemError
from lambdas.api.service import Request

TAKING_A_BODY = ("/predictions", "/feedback")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:=+/-]{1,128}")
_JSON = re.compile(r"application/(?:[\w.-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)


def read(event: dict[str, Any], context: Any) -> Request:
    """Return who asks in `event`, under which id, and how long he waits."""
    given = event.get("headers", {}).get("x-request-id", "")
    around = event["requestContext"]
    return Request(
        request_id=given if _REQUEST_ID.fullmatch(given) else around["requestId"],
        caller=_caller(around.get("authorizer") or {}),
        remaining=lambda: context.get_remaining_time_in_millis() / 1000,
    )


def _caller(authorizer: dict[str, Any]) -> str:
    """Return who asks: the role or user, whatever its session is called, or the subject of the token."""
    if "iam" in authorizer:
        arn = str(authorizer["iam"].get("userArn", ""))
        return arn.rsplit("/", 1)[0] if ":assumed-role/" in arn else arn
    claims = (authorizer.get("jwt") or {}).get("claims") or {}
    return f"{claims.get('iss', '')} {claims.get('sub') or claims.get('client_id', '')}"


def check_body(event: dict[str, Any]) -> None:
    """Refuse a body that is not JSON, before anything reads it; put it into the event as text.

    Raises:
        ProblemError: it is announced as something else (415), or is something else (400).
    """
    if event["requestContext"]["http"]["method"] != "POST" or not event["rawPath"].endswith(TAKING_A_BODY):
        return
    if not _JSON.fullmatch(event.get("headers", {}).get("content-type", "")):
        raise ProblemError(415, "send the body as JSON, with the header content-type: application/json")
    body = event.get("body") or ""
    try:
        if event.get("isBase64Encoded"):
            body = base64.b64decode(body, validate=True).decode()
        json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError, binascii.Error) as error:
        # Not the error's own words: they may quote the body.
        raise ProblemError(400, f"the body is not JSON ({type(error).__name__})") from None
    event["body"], event["isBase64Encoded"] = body, False
    event["headers"]["content-type"] = "application/json"


def _refuse_constant(name: str) -> None:
    msg = f"{name} is not JSON"
    raise ValueError(msg)


def refusal(error: ProblemError, request: Request) -> dict[str, Any]:
    """Return the answer to a request that no route gets to see."""
    return {
        "statusCode": error.status,
        "headers": {"content-type": problems.CONTENT_TYPE, **error.headers},
        "body": error.body(request.request_id),
        "isBase64Encoded": False,
    }
