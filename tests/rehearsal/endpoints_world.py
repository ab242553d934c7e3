"""Endpoints whose models answer what a test wants, for the tests of the emulated SageMaker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Self

from botocore.exceptions import ClientError

SERVE = """
import http.server, os, pathlib, time
text = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"], "model/model.txt").read_text()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def do_GET(self):
        self.answer(200, b"")
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Type"] != "text/csv":
            self.answer(415, b"send text/csv"); return
        if body == b"boom":
            self.answer(500, b"it broke"); return
        if body == b"slow":
            time.sleep(1)
        self.answer(200, body if body.startswith(b"\\x93") else text.encode())
    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", self.headers.get("Accept") or "text/csv")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler)
server.serve_forever()
"""


class Endpoints:
    """Models, configurations and endpoints of a test."""

    def __init__(self, account: Any, image: str, waiting: Callable[..., Any]) -> None:
        self.account, self.image, self.waiting = account, image, waiting
        self.made: list[str] = []

    def model(self, answer: str = "0.25") -> str:
        name: str = self.account.name("served")
        data = self.account.put_archive(f"{name}.tar.gz", **{"model.txt": answer})
        container = {"Image": self.image, "ModelDataUrl": data}
        self.account.sagemaker.create_model(
            ModelName=name, ExecutionRoleArn=self.account.role, PrimaryContainer=container
        )
        return name

    def configuration(self, answer: str = "0.25", **changes: Any) -> str:
        return self.variants({"A": answer}, **changes)

    def variants(self, answers: dict[str, str], *, instances: int = 1, **changes: Any) -> str:
        """Make a configuration with a variant for each of `answers`, and return its name."""
        name: str = self.account.name("configuration")
        variants = [self.variant(variant, answers[variant], instances=instances) for variant in answers]
        self.account.sagemaker.create_endpoint_config(
            **{"EndpointConfigName": name, "ProductionVariants": variants, **changes}
        )
        return name

    def variant(self, name: str, answer: str, *, weight: float = 1.0, instances: int = 1) -> dict[str, Any]:
        return {
            "VariantName": name,
            "ModelName": self.model(answer),
            "InitialInstanceCount": instances,
            "InstanceType": "ml.m6i.large",
            "InitialVariantWeight": weight,
        }

    def create(self, configuration: str) -> str:
        name: str = self.account.name("endpoint")
        self.made.append(name)
        self.account.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=configuration)
        return name

    def described(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.account.sagemaker.describe_endpoint(EndpointName=name)
        return found

    def settled(self, name: str) -> dict[str, Any]:
        def probe() -> Any:
            endpoint = self.described(name)
            return endpoint if endpoint["EndpointStatus"] not in {"Creating", "Updating"} else None

        answer: dict[str, Any] = self.waiting(probe)
        return answer

    def in_service(self, answer: str = "0.25", **changes: Any) -> str:
        return self.served(self.configuration(answer, **changes))

    def served(self, configuration: str) -> str:
        """Make an endpoint and wait until it serves."""
        name = self.create(configuration)
        assert self.settled(name)["EndpointStatus"] == "InService"
        return name

    def begin(self, name: str, configuration: str, **changes: Any) -> None:
        self.account.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=configuration, **changes)

    def update(self, name: str, configuration: str, **changes: Any) -> dict[str, Any]:
        self.begin(name, configuration, **changes)
        return self.settled(name)

    def invoke(self, name: str, body: bytes = b"1,2", **changes: Any) -> Any:
        runtime = self.account.client("sagemaker-runtime")
        return runtime.invoke_endpoint(**{"EndpointName": name, "ContentType": "text/csv", "Body": body, **changes})

    def delete_all(self) -> None:
        for name in self.made:
            self.settled(name)
            self.account.sagemaker.delete_endpoint(EndpointName=name)


class Clients:
    """Some clients that invoke an endpoint one after the other, from entering to leaving the context."""

    def __init__(self, endpoints: Endpoints, name: str, *, threads: int = 2) -> None:
        self._endpoints, self._name = endpoints, name
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]
        self.answers: list[tuple[float, str]] = []
        """When each request was sent (seconds of the machine's monotonic clock), and its answer or error code."""

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            sent = time.monotonic()
            try:
                answer = self._endpoints.invoke(self._name)["Body"].read().decode()
            except ClientError as error:
                answer = error.response["Error"]["Code"]
            self.answers.append((sent, answer))
            self._stopped.wait(0.005)
