"""Requests as an HTTP API hands them to a function (payload format 2.0), and what it makes of the answer.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

_TEXT = ("text/", "application/json", "application/javascript", "application/xml", "application/x-www-form-urlencoded")
_DROPPED = frozenset({"connection", "content-length", "transfer-encoding", "date", "server"})


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as it came in."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    """With names in small letters."""
    body: bytes
    source_ip: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What the caller gets."""

    status: int
    body: bytes
    headers: list[tuple[str, str]] = field(default_factory=list)


def refusal(status: int, message: str) -> HttpAnswer:
    """Return an answer of the gateway itself, which an HTTP API lets nobody change."""
    return HttpAnswer(status, json.dumps({"message": message}).encode(), [("content-type", "application/json")])


def match(route_keys: Iterable[str], method: str, path: str) -> tuple[str, dict[str, str]] | None:
    """Return the route of a request and its path parameters: the most specific one, None where there is none.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
    """
    found: list[tuple[tuple[int, int], str, dict[str, str]]] = []
    for key in route_keys:
        if key == "$default":
            found.append(((3, 0), key, {}))
            continue
        verb, _, pattern = key.partition(" ")
        parameters = _parameters(pattern, path)
        if verb in (method, "ANY") and parameters is not None:
            greedy = "+}" in pattern
            found.append(((2 if greedy else int(bool(parameters)), int(verb == "ANY")), key, parameters))
    if not found:
        return None
    _, key, parameters = min(found, key=lambda one: one[0])
    return key, parameters


def _parameters(pattern: str, path: str) -> dict[str, str] | None:
    wanted, given = pattern.strip("/").split("/"), path.strip("/").split("/")
    found: dict[str, str] = {}
    for place, part in enumerate(wanted):
        if part.endswith("+}"):
            found[part[1:-2]] = unquote("/".join(given[place:]))
            return found if len(given) > place else None
        if place >= len(given):
            return None
        if part.startswith("{"):
            found[part[1:-1]] = unquote(given[place])
        elif part != given[place]:
            return None
    return found if len(wanted) == len(given) else None


def event_of(
    request: HttpRequest,
    *,
    api_id: str,
    account: str,
    route_key: str,
    parameters: Mapping[str, str],
    authorizer: Mapping[str, Any] | None,
    request_id: str,
    domain: str,
) -> dict[str, Any]:
    """Return a request in payload format 2.0."""
    now = time.time()
    query: dict[str, str] = {}
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        query[name] = f"{query[name]},{value}" if name in query else value
    text = request.headers.get("content-type", "").startswith(_TEXT) or "+json" in request.headers.get(
        "content-type", ""
    )
    plain = _decoded(request.body) if text else None
    context: dict[str, Any] = {
        "accountId": account,
        "apiId": api_id,
        "domainName": domain,
        "domainPrefix": api_id,
        "http": {
            "method": request.method,
            "path": unquote(request.path),
            "protocol": "HTTP/1.1",
            "sourceIp": request.source_ip,
            "userAgent": request.headers.get("user-agent", ""),
        },
        "requestId": request_id,
        "routeKey": route_key,
        "stage": "$default",
        "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "timeEpoch": int(now * 1000),
        **({"authorizer": dict(authorizer)} if authorizer else {}),
    }
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": unquote(request.path),
        "rawQueryString": request.query,
        "headers": {name: value for name, value in request.headers.items() if name != "cookie"},
        "requestContext": context,
        "isBase64Encoded": plain is None and bool(request.body),
    }
    optional = {
        "queryStringParameters": query,
        "pathParameters": dict(parameters),
        "cookies": [one.strip() for one in request.headers.get("cookie", "").split(";") if one.strip()],
        "body": plain if plain is not None else base64.b64encode(request.body).decode(),
    }
    return event | {name: value for name, value in optional.items() if value}


def _decoded(body: bytes) -> str | None:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def answer_of(payload: bytes) -> HttpAnswer:
    """Return what the caller gets for the answer of a function; without a status, the answer itself with 200."""
    document = json.loads(payload)
    if not isinstance(document, dict) or "statusCode" not in document:
        return HttpAnswer(200, payload, [("content-type", "application/json")])
    body = document.get("body") or ""
    content = base64.b64decode(body) if document.get("isBase64Encoded") else str(body).encode()
    given = {str(name).lower(): str(value) for name, value in (document.get("headers") or {}).items()}
    headers = [(name, value) for name, value in given.items() if name not in _DROPPED]
    if "content-type" not in given:
        headers.append(("content-type", "text/plain;charset=UTF-8"))
    headers += [("set-cookie", str(cookie)) for cookie in document.get("cookies") or []]
    return HttpAnswer(int(document["statusCode"]), content, headers)
