"""The function of the API in a process of its own, from an asset as Lambda gets it.

python -m benchmarks.api_function ASSET cold | requests COUNT | serve
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

ROW = {
    "region": "south", "plan": "plus", "contract": "monthly", "payment": "card", "international": "no",
    "tenure_months": 12, "monthly_charges": 49.9, "day_minutes": 310.5, "evening_minutes": 90, "night_minutes": 12.25,
    "data_gb": 4, "support_calls": 1, "satisfaction": None,
}  # fmt: skip
WARM_UP = 50


class Context:
    """What Lambda tells a function."""

    function_name, function_version, memory_limit_in_mb = "api", "$LATEST", "1769"
    invoked_function_arn = "arn:aws:lambda:eu-west-1:111122223333:function:api"
    aws_request_id = "0a1b2c3d"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """Return the milliseconds that are left."""
        return 29_000


def event_of(body: dict[str, Any]) -> dict[str, Any]:
    """Return a request for a prediction as the gateway hands it on."""
    path = "/models/churn/predictions"
    http = {"method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "benchmark"}
    authorizer = {"iam": {"userArn": "arn:aws:sts::111122223333:assumed-role/webshop/one"}}
    return {
        "version": "2.0",
        "routeKey": f"POST {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "requestContext": {"http": http, "requestId": "a", "stage": "$default", "authorizer": authorizer},
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }


def cold() -> dict[str, float]:
    """Return the milliseconds of the import, and of the first request after it."""
    began = time.perf_counter()
    handle = _handler()
    imported = time.perf_counter()
    _once(handle, event_of({"instances": [ROW]}))
    return {"import": (imported - began) * 1000, "first": (time.perf_counter() - imported) * 1000}


def requests(count: int) -> dict[str, list[float]]:
    """Return the milliseconds of `count` requests, and those of as many bare calls of the endpoint."""
    handle, event = _handler(), event_of({"instances": [ROW]})
    for _ in range(WARM_UP):
        _once(handle, event)
    processor = time.process_time()
    taken = [_once(handle, event) for _ in range(count)]
    processor = time.process_time() - processor
    return {"handler": taken, "bare": _bare(count), "processor": [processor * 1000 / count]}


def serve() -> None:
    """Serve the function behind an emulated gateway; print the port, and at the end the statuses."""
    from werkzeug.serving import WSGIRequestHandler, make_server  # noqa: PLC0415 - not a part of what is measured

    from mlops.rehearsal.apigateway import wsgi  # noqa: PLC0415 - as above
    from mlops.rehearsal.apigateway_events import HttpAnswer, HttpRequest, answer_of, event_of  # noqa: PLC0415 - as above

    handle, statuses = _handler(), Counter[int]()

    def answer(request: HttpRequest) -> HttpAnswer:
        event = event_of(
            request,
            api_id="a",
            account="111122223333",
            route_key="$default",
            parameters={},
            authorizer={"iam": {"userArn": "arn:aws:iam::111122223333:user/u"}},
            request_id="b",
            domain="localhost",
        )
        with contextlib.redirect_stdout(io.StringIO()):
            found = answer_of(json.dumps(handle(event, Context())).encode())
        statuses[found.status] += 1
        return found

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log(self, *_: object) -> None:
            pass

    server = make_server("127.0.0.1", 0, lambda *given: wsgi(answer, *given), request_handler=Quiet)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
    sys.stdout.write(json.dumps(statuses) + "\n")


def _handler() -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    # By its name, as Lambda finds it: nothing else of the project imports the functions.
    handle: Callable[[dict[str, Any], Any], dict[str, Any]] = importlib.import_module("lambdas.api.handler").handle
    return handle


def _once(handle: Callable[[dict[str, Any], Any], dict[str, Any]], event: dict[str, Any]) -> float:
    with contextlib.redirect_stdout(io.StringIO()):
        began = time.perf_counter()
        answer = handle(dict(event), Context())
        took = time.perf_counter() - began
    if answer["statusCode"] != 200:  # noqa: PLR2004 - HTTP
        raise RuntimeError(answer["body"])
    return took * 1000


def _bare(count: int) -> list[float]:
    """Return the milliseconds of calls of the endpoint without SDK and signature."""
    import http.client  # noqa: PLC0415 - not a part of what is measured

    address = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
    connection, found = http.client.HTTPConnection(address), []
    for _ in range(count):
        began = time.perf_counter()
        connection.request("POST", "/endpoints/mlops-churn-prod/invocations", "0,1", {"Content-Type": "text/csv"})
        connection.getresponse().read()
        found.append((time.perf_counter() - began) * 1000)
    connection.close()
    return found


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    if sys.argv[2] == "serve":
        serve()
    else:
        result: Any = cold() if sys.argv[2] == "cold" else requests(int(sys.argv[3]))
        sys.stdout.write(json.dumps(result) + "\n")
