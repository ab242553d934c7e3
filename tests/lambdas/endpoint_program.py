"""An endpoint as a program on loopback, the test set of its model, and what SageMaker says of it."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.lambdas.conftest import Aws, Json

NAME = "mlops-churn-prod"
ARN = "arn:aws:sagemaker:eu-west-1:111122223333"
NOW = "2026-11-12T00:00:00Z"
ROWS = 60
Probabilities = dict[str, float]


def make_test_set() -> tuple[str, str, Probabilities]:
    """Return test.csv, predictions.csv and what the model predicts for the features of each row."""
    test, predictions, model = [], ["row,label,probability"], {}
    for row in range(1, ROWS + 1):
        label = int(row % 4 == 0)
        probability = round(0.15 + 0.6 * label + (row % 7) / 100, 6)
        features = f"{row},{row / 10},0"
        test.append(f"{label},{features}")
        predictions.append(f"{row},{label},{probability}")
        model[features] = probability
    return "\n".join(test) + "\n", "\n".join(predictions) + "\n", model


TEST, PREDICTIONS, MODEL = make_test_set()


def lines(values: list[float]) -> str:
    return "\n".join(map(str, values)) + "\n"


@dataclass
class Serving:
    """An endpoint as a program on loopback: how it answers can be changed."""

    requests: list[str] = field(default_factory=list)
    signed_for: list[str] = field(default_factory=list)
    targets: list[tuple[str | None, str | None]] = field(default_factory=list)
    """The variant and the model that each request names."""
    status: int = 200
    content_type: str = "text/csv; charset=utf-8"
    delay: float = 0.0
    answer: Callable[[list[float]], str] = lines
    single: Callable[[list[float]], str] | None = None
    broken_off: bool = False
    model: dict[str, str] | None = None
    """Instead of the numbers above: the line that is answered to each row."""
    write: Callable[[list[str]], str] = "\n".join

    def respond(self, body: str) -> bytes:
        self.requests.append(body)
        if self.model is not None:
            return self.write([self.model[line] for line in body.split("\n")]).encode()
        values = [MODEL[line] for line in body.split("\n")]
        write = self.single if self.single and len(values) == 1 else self.answer
        return write(values).encode()


def serve(serving: Serving) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            assert self.path == f"/endpoints/{NAME}/invocations"
            assert self.headers["Content-Type"] == self.headers["Accept"] == "text/csv"
            serving.signed_for.append(self.headers["Authorization"])
            named = ("X-Amzn-SageMaker-Target-Variant", "X-Amzn-SageMaker-Target-Model")
            serving.targets.append((self.headers[named[0]], self.headers[named[1]]))
            content = serving.respond(self.rfile.read(int(self.headers["Content-Length"])).decode())
            time.sleep(serving.delay)
            if serving.status != 200:
                content = json.dumps({"message": "the model is broken"}).encode()
            self.send_response(serving.status)
            self.send_header("Content-Type", serving.content_type)
            self.send_header("Content-Length", str(len(content) + 10 * serving.broken_off))
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the caller has given up
                self.end_headers()
                self.wfile.write(content)
            self.close_connection = serving.broken_off

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server


def deployed(
    aws: Aws,
    event: Json,
    *,
    status: str = "InService",
    config: str | None = None,
    model_data: str | None = None,
    image: str | None = None,
    reason: str | None = None,
    variants: tuple[str, ...] = ("main",),
) -> None:
    """What SageMaker says is in service; None is what was asked for, of the last of several variants."""
    expected, stub = event["expected"], aws.stub("sagemaker")
    endpoint = {
        "EndpointName": NAME,
        "EndpointArn": f"{ARN}:endpoint/{NAME}",
        "EndpointConfigName": config or expected["endpointConfigName"],
        "EndpointStatus": status,
        "CreationTime": NOW,
        "LastModifiedTime": NOW,
    }
    stub.add_response("describe_endpoint", endpoint | ({"FailureReason": reason} if reason else {}))
    if status != "InService" or config:
        return
    stub.add_response(
        "describe_endpoint_config",
        {
            "EndpointConfigName": endpoint["EndpointConfigName"],
            "EndpointConfigArn": f"{ARN}:endpoint-config/c",
            "ProductionVariants": [{"VariantName": each, "ModelName": f"model-{each}"} for each in variants],
            "CreationTime": NOW,
        },
    )
    for variant in variants[:-1]:
        old = {"Image": expected["imageUri"], "ModelDataUrl": "s3://mlops-artifacts/churn/runs/run-0/model.tar.gz"}
        named = {"ModelName": f"model-{variant}", "ModelArn": f"{ARN}:model/model-{variant}", "CreationTime": NOW}
        stub.add_response("describe_model", named | {"PrimaryContainer": old})
    container = {"Image": image or expected["imageUri"], "ModelDataUrl": model_data or expected["modelDataUrl"]}
    response = {"ModelName": "model-1", "ModelArn": f"{ARN}:model/model-1", "CreationTime": NOW}
    stub.add_response("describe_model", response | {"PrimaryContainer": container})
