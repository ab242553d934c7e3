"""A model that answers on a loopback port: the image's serve program with the model unpacked under /opt/ml/model."""

from __future__ import annotations

import http.client
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlops.rehearsal import credentials, images, processes, sagemaker_job, sagemaker_pull, sagemaker_storage
from mlops.rehearsal.faults import FAULTS, Fault
from mlops.rehearsal.sagemaker_connections import Connections
from mlops.rehearsal.sagemaker_observed import LogStream
from mlops.rehearsal.sagemaker_programs import Program, Workspace
from mlops.rehearsal.sagemaker_relay import Relay

STARTUP_SECONDS = 60.0
UNHEALTHY_SECONDS = 3.0
"""How long a container is asked for its health that the fault serve-unhealthy keeps from ever having it."""
PING_SECONDS = 2.0
INVOCATION_SECONDS = 60.0
_POLL_SECONDS = 0.05
_UNHEALTHY_PROGRAM = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_error(503, "the rehearsal keeps this container unhealthy")
    do_POST = do_GET
print("the rehearsal keeps this container from ever being healthy (serve-unhealthy)", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""
_FORWARDED = ("Content-Type", "Accept", "X-Amzn-SageMaker-Custom-Attributes", "X-Amzn-SageMaker-Inference-Id")


class ServingError(Exception):
    """A container cannot serve; the text is the reason."""


class UnhealthyError(ServingError):
    """A container did not answer /ping with 200 in time, or ended before."""


class NoAnswerError(Exception):
    """A container did not answer an invocation; the text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a container answered."""

    status: int
    content_type: str
    body: bytes
    custom_attributes: str | None
    container: str = "primary"
    """Which container of the model answered."""


@dataclass(frozen=True, slots=True)
class Container:
    """What a model says about one of its containers."""

    image: str
    model_data: str | None
    """The model's archive; for a container of many models, the prefix under which theirs lie."""
    environment: dict[str, str]
    role_arn: str
    isolated: bool = False
    """Whether it may call nothing at all, AWS included."""
    hostname: str = "primary"
    """What it is called in messages."""
    many_models: bool = False
    """Whether it is told at every request which model shall answer."""


@dataclass(eq=False)
class ModelServer:
    """The process of one model: that of a production variant, or that of a transform job."""

    backend: Any
    """moto's, for account and region."""
    container: Container
    log: LogStream
    title: str
    """Who it serves, for errors: "production variant A"."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """What SageMaker adds to the container's environment."""
    variant: str = ""
    """The variant of an endpoint that it serves, if it serves one."""

    def __post_init__(self) -> None:
        """Prepare a workspace and a port."""
        self.port = _free_port()
        self._workspace = Workspace("mlops-model")
        self._program: Program | None = None
        self._relay: Relay | None = None
        self._aborted = threading.Event()
        self._startup_seconds = STARTUP_SECONDS
        self._connections = Connections(self.port)

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
        self._connections.close()
        if self._program is not None:
            self._program.end(grace=1.0)
        if self._relay is not None:
            self._relay.end()
        self._workspace.remove()

    def kill(self) -> None:
        """Let the program die as if memory had run out."""
        if self._program is not None:
            self._program.send(signal.SIGKILL)

    def get(self, path: str) -> Answer | None:
        """Return what the container answers to GET, None if it does not."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PING_SECONDS)
        try:
            connection.request("GET", path)
            return _answer(connection.getresponse())
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def invoke(self, body: bytes, headers: dict[str, str], *, seconds: float = INVOCATION_SECONDS) -> Answer:
        """Send one request to /invocations.

        Raises:
            NoAnswerError: the container is gone or needs more than `seconds`.

        """
        return self.ask("/invocations", body, headers, seconds=seconds)

    def ask(self, path: str, body: bytes, headers: dict[str, str], *, seconds: float = INVOCATION_SECONDS) -> Answer:
        """Send one POST request, or raise NoAnswerError."""
        given = {name.lower(): value for name, value in headers.items()}
        forwarded = {name: given[name.lower()] for name in _FORWARDED if name.lower() in given}
        try:
            return self._connections.post(path, body, forwarded, seconds=seconds, read=self._read)
        except TimeoutError as error:
            message = (
                f"Your invocation timed out while waiting for a response from container {self.container.hostname}. "
                "Review the latency metrics for each container in Amazon CloudWatch, resolve the issue, and try again."
            )
            raise NoAnswerError(message) from error
        except (OSError, http.client.HTTPException) as error:
            message = f"the container does not answer: {type(error).__name__}: {error}"
            raise NoAnswerError(message) from error

    def _read(self, response: http.client.HTTPResponse) -> Answer:
        return _answer(response, self.container.hostname)

    def _load(self) -> None:
        image = images.find(self.container.image)
        try:
            sagemaker_pull.pull(self.backend, self.container.image, self.container.role_arn)
        except sagemaker_pull.PullError as error:
            raise ServingError(str(error)) from error
        model = self._workspace.base / "model"
        model.mkdir(parents=True, exist_ok=True)
        if self.container.model_data and not self.container.many_models:
            s3 = sagemaker_job.client("s3", self.container.role_arn, self.backend)
            try:
                sagemaker_storage.extract_archive(s3, self.container.model_data, model)
            except sagemaker_storage.StorageError as error:
                message = f"Failed to download model data for {self.title}: {error}"
                raise ServingError(message) from error
        try:
            command, environment = image.command(
                "serve",
                workspace=self._workspace,
                platform=self._platform(),
                requested=self.container.environment,
                network=not self.container.isolated,
            )
        except images.ImageProgramError as error:
            raise ServingError(str(error)) from error
        path = image.socket(self._workspace)
        if FAULTS.strikes(Fault.SERVE_UNHEALTHY, at=self.title):
            command, environment, path = [sys.executable, "-c", _UNHEALTHY_PROGRAM], self._platform(), None
            self._startup_seconds = UNHEALTHY_SECONDS
        if path is not None:
            self._relay = Relay(path)
            self.port = self._relay.port
            self._connections = Connections(self.port)
        self._program = Program(command, environment=environment, workspace=self._workspace, log=self.log)

    def _platform(self) -> dict[str, str]:
        role, region = self.container.role_arn, self.backend.region_name
        if self.container.isolated:
            own = processes.clean_environment(AWS_REGION=region, AWS_DEFAULT_REGION=region)
        else:
            own = credentials.environment_for(role, region, principal=sagemaker_job.PRINCIPAL, session_name="SageMaker")
        ports = {"SAGEMAKER_BIND_TO_PORT": str(self.port), "SAGEMAKER_SAFE_PORT_RANGE": f"{self.port}-{self.port}"}
        return own | ports | {"SAGEMAKER_REGION": region, **self.variables}

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + self._startup_seconds
        while time.monotonic() < deadline:
            if self._program is None or not self._program.running or self._aborted.is_set():
                break
            pong = self.get("/ping")
            if pong is not None and pong.status == http.HTTPStatus.OK:
                return
            self._aborted.wait(_POLL_SECONDS)
        message = (
            f"The {self.container.hostname} container for {self.title} did not pass the ping health check. "
            "Please check CloudWatch logs for this endpoint."
        )
        raise UnhealthyError(message)


def _answer(response: http.client.HTTPResponse, container: str = "primary") -> Answer:
    return Answer(
        response.status,
        response.headers.get("Content-Type", "application/octet-stream"),
        response.read(),
        response.headers.get("X-Amzn-SageMaker-Custom-Attributes"),
        container,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
