"""SageMaker as a program on loopback: it describes endpoints and answers invocations as it is told."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]
NAME = "mlops-churn-prod"
CONFIGURATION = "mlops-churn-prod-v7-0a1b2c3d"


@dataclass(frozen=True)
class Failure:
    """What an invocation gets instead of an answer."""

    status: int
    code: str
    message: str = "it went wrong"
    original_status: int | None = None


def model_error(status: int) -> Failure:
    return Failure(424, "ModelError", "Received server error from primary", status)


@dataclass
class SageMaker:
    """Two endpoints, churn's and iris's, which can be changed while they serve."""

    status: str = "InService"
    configuration: str = CONFIGURATION
    pending: str | None = None
    variants: dict[str, float] = field(default_factory=lambda: {"live": 1.0})
    models: dict[str, str] = field(default_factory=lambda: {"live": CONFIGURATION})
    failures: list[Failure] = field(default_factory=list)
    """For the next invocations, one after the other."""
    describe_failure: Failure | None = None
    answer: str | None = None
    content_type: str = "text/csv; charset=utf-8"
    delay: float = 0.0
    missing: frozenset[str] = frozenset()
    requests: list[Json] = field(default_factory=list)
    described: int = 0

    def invoke(self, name: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        self.requests.append({"endpoint": name, "headers": headers, "body": body.decode()})
        time.sleep(self.delay)
        target = headers.get("x-amzn-sagemaker-target-variant")
        if target is not None and target not in self.variants:
            return refusal(Failure(400, "ValidationError", f"Variant {target} of endpoint {name} not found."))
        if self.failures:
            return refusal(self.failures.pop(0))
        variant = target or next(iter(self.variants))
        text = self.answer if self.answer is not None else self._predict(name, body.decode())
        return 200, {"Content-Type": self.content_type, "x-Amzn-Invoked-Production-Variant": variant}, text.encode()

    @staticmethod
    def _predict(name: str, body: str) -> str:
        several = "iris" in name
        return "".join("0.2,0.3,0.5\n" if several else f"{(len(row) % 10) / 10}\n" for row in body.split("\n"))

    def call(self, operation: str, asked: Json) -> tuple[int, dict[str, str], bytes]:
        self.described += 1
        if self.describe_failure is not None:
            return refusal(self.describe_failure)
        if operation == "DescribeEndpoint":
            if asked["EndpointName"] in self.missing:
                return refusal(Failure(400, "ValidationException", 'Could not find endpoint "x".'))
            return 200, {}, json.dumps(self._endpoint(asked["EndpointName"])).encode()
        assert operation == "DescribeEndpointConfig"
        return 200, {}, json.dumps(self._configuration(asked["EndpointConfigName"])).encode()

    def _endpoint(self, name: str) -> Json:
        variants = [{"VariantName": each, "CurrentWeight": weight} for each, weight in self.variants.items()]
        found = {
            "EndpointName": name,
            "EndpointArn": f"arn:aws:sagemaker:eu-west-1:111122223333:endpoint/{name}",
            "EndpointConfigName": self.configuration,
            "EndpointStatus": self.status,
            "ProductionVariants": variants,
            "CreationTime": 1.0,
            "LastModifiedTime": 1.0,
        }
        return found | ({"PendingDeploymentSummary": {"EndpointConfigName": self.pending}} if self.pending else {})

    def _configuration(self, name: str) -> Json:
        models = self.models if name == self.configuration else {"live": name}
        return {
            "EndpointConfigName": name,
            "EndpointConfigArn": "arn:aws:sagemaker:eu-west-1:111122223333:endpoint-config/c",
            "ProductionVariants": [{"VariantName": each, "ModelName": model} for each, model in models.items()],
            "CreationTime": 1.0,
        }


def refusal(failure: Failure) -> tuple[int, dict[str, str], bytes]:
    document: Json = {"message": failure.message, "Message": failure.message}
    if failure.original_status is not None:
        document["OriginalStatusCode"] = failure.original_status
    return failure.status, {"x-amzn-errortype": failure.code}, json.dumps(document).encode()


@contextlib.contextmanager
def served(sagemaker: SageMaker) -> Iterator[str]:
    """Serve both APIs of SageMaker, and yield where."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            if self.path.startswith("/endpoints/"):
                status, more, content = sagemaker.invoke(self.path.split("/")[2], headers, body)
            else:
                status, more, content = sagemaker.call(headers["x-amz-target"].rsplit(".", 1)[1], json.loads(body))
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the caller has given up
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
