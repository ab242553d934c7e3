"""A model that answers on a loopback port: the image's serve program with the model unpacked under its base folder."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from dataclasses import dataclass
from typing import Any

from mlops.rehearsal import credentials, images, sagemaker_job, sagemaker_storage
from mlops.rehearsal.sagemaker_observed import LogStream
from mlops.rehearsal.sagemaker_programs import Program, Workspace

STARTUP_SECONDS = 60.0
PING_SECONDS = 2.0
INVOCATION_SECONDS = 60.0
_POLL_SECONDS = 0.05
_FORWARDED = ("Content-Type", "Accept", "X-Amzn-SageMaker-Custom-Attributes", "X-Amzn-SageMaker-Inference-Id")


class ServingError(Exception):
    """A variant cannot serve; the text is the FailureReason of its endpoint."""


class NoAnswerError(Exception):
    """A container did not answer an invocation; the text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a container answered."""

    status: int
    content_type: str
    body: bytes
    custom_attributes: str | None


@dataclass(frozen=True, slots=True)
class Container:
    """What a model says about its only container."""

    image: str
    model_data: str | None
    environment: dict[str, str]
    role_arn: str


class ModelServer:
    """The process of one production variant."""

    def __init__(self, backend: Any, container: Container, *, endpoint: str, variant: str) -> None:
        """Take moto's backend (for account and region) and what to serve."""
        self.backend = backend
        self.container = container
        self.variant = variant
        self.port = _free_port()
        stream = f"{variant}/i-{time.time_ns():x}"
        self.log = LogStream(backend, f"/aws/sagemaker/Endpoints/{endpoint}", stream, source=endpoint)
        self._workspace = Workspace("mlops-endpoint")
        self._program: Program | None = None
        self._aborted = threading.Event()

    def abort(self) -> None:
        """Give up waiting for its health."""
        self._aborted.set()

    def start(self) -> None:
        """Fetch the model, start the program and wait until it answers /ping with 200.

        Raises:
            ServingError: it does not come so far.

        """
        try:
            self._load()
            self._wait_until_healthy()
        except Exception:
            self.end()
            raise

    def end(self) -> None:
        """End the program and delete what it had."""
        if self._program is not None:
            self._program.end(grace=1.0)
        self._workspace.remove()

    def invoke(self, body: bytes, headers: dict[str, str]) -> Answer:
        """Send one request to /invocations.

        Raises:
            NoAnswerError: the container is gone or needs more than 60 seconds.

        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=INVOCATION_SECONDS)
        given = {name.lower(): value for name, value in headers.items()}
        forwarded = {name: given[name.lower()] for name in _FORWARDED if name.lower() in given}
        try:
            connection.request("POST", "/invocations", body=body, headers=forwarded)
            response = connection.getresponse()
            return Answer(
                response.status,
                response.headers.get("Content-Type", "application/octet-stream"),
                response.read(),
                response.headers.get("X-Amzn-SageMaker-Custom-Attributes"),
            )
        except TimeoutError as error:
            message = (
                "Your invocation timed out while waiting for a response from container primary. Review the latency "
                "metrics for each container in Amazon CloudWatch, resolve the issue, and try again."
            )
            raise NoAnswerError(message) from error
        except (OSError, http.client.HTTPException) as error:
            message = f"the container does not answer: {type(error).__name__}: {error}"
            raise NoAnswerError(message) from error
        finally:
            connection.close()

    def _load(self) -> None:
        role, region = self.container.role_arn, self.backend.region_name
        image = images.find(self.container.image)
        model = self._workspace.base / "model"
        model.mkdir(parents=True, exist_ok=True)
        if self.container.model_data:
            s3 = sagemaker_job.client("s3", role, self.backend)
            try:
                sagemaker_storage.extract_archive(s3, self.container.model_data, model)
            except sagemaker_storage.StorageError as error:
                message = f"Failed to download model data for production variant {self.variant}: {error}"
                raise ServingError(message) from error
        environment = credentials.environment_for(
            role, region, principal=sagemaker_job.PRINCIPAL, session_name="SageMaker"
        )
        environment |= {
            **self._workspace.environment(),
            "SAGEMAKER_BIND_TO_PORT": str(self.port),
            "SAGEMAKER_SAFE_PORT_RANGE": f"{self.port}-{self.port}",
            "SAGEMAKER_REGION": region,
            **image.environment,
            **self.container.environment,
        }
        self._program = Program(image.serve, environment=environment, workspace=self._workspace, log=self.log)

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + STARTUP_SECONDS
        while time.monotonic() < deadline:
            if self._program is None or not self._program.running or self._aborted.is_set():
                break
            if self._ping():
                return
            self._aborted.wait(_POLL_SECONDS)
        message = (
            f"The primary container for production variant {self.variant} did not pass the ping health check. "
            "Please check CloudWatch logs for this endpoint."
        )
        raise ServingError(message)

    def _ping(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PING_SECONDS)
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
