"""Serverless endpoints of the emulated SageMaker: a container starts at the first request, and ends when idle.

Each container works on one request at a time; a request that finds none free waits for the start of another one, and is
refused when there are as many as the configuration allows. Sources: "Deploy models with Amazon SageMaker Serverless
Inference" and its page on metrics, SageMaker developer guide.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops.rehearsal import sagemaker_capacity, sagemaker_fleets, sagemaker_models
from mlops.rehearsal.clock import CLOCK
from mlops.rehearsal.cloudwatch_metrics import METRICS
from mlops.rehearsal.sagemaker_observed import LogStream
from mlops.rehearsal.sagemaker_requests import refuse
from mlops.rehearsal.sagemaker_runtime import RuntimeRefusal
from mlops.rehearsal.sagemaker_serving import Answer, Container, ModelServer, NoAnswerError, ServingError

NOT_REHEARSED: tuple[tuple[str, str], ...] = (
    ("the memory of serverless endpoints", "a container has that of this machine"),
    ("when an idle serverless container ends", "AWS does not say; here it is after ten minutes of the emulated clock"),
)
IDLE_SECONDS = 600.0
"""Emulated seconds after which an idle container ends."""
_LOOK_SECONDS = 60.0
_MICROSECONDS = 1e6


@dataclass(eq=False, slots=True)
class _Sandbox:
    """One container; `idle_since` is emulated, None while it works."""

    server: ModelServer
    idle_since: float | None = None


class ServerlessServer:
    """The containers of one serverless variant."""

    def __init__(self, backend: Any, variant: Mapping[str, Any], log: LogStream, title: str) -> None:
        """Take moto's backend and the variant of the configuration."""
        self.backend, self.log, self.title = backend, log, title
        self.variant = str(variant["VariantName"])
        self.container: Container = sagemaker_models.container_of(backend, variant["ModelName"])
        self._model = sagemaker_models.find_model(backend, variant["ModelName"])
        self._most = int(variant["ServerlessConfig"]["MaxConcurrency"])
        self._kept = int(variant["ServerlessConfig"].get("ProvisionedConcurrency") or 0)
        self._lock = threading.Lock()
        self._sandboxes: list[_Sandbox] = []
        self._ended = threading.Event()

    @property
    def port(self) -> int:
        """Where the first container listens; 0 while there is none."""
        with self._lock:
            return self._sandboxes[0].server.port if self._sandboxes else 0

    @property
    def containers(self) -> int:
        """How many containers there are."""
        with self._lock:
            return len(self._sandboxes)

    def start(self) -> None:
        """See whether the model can serve, and keep the provisioned containers.

        Raises:
            ServingError: it cannot.

        """
        if self.container.isolated or self._model.vpc_config:
            what = "network isolation" if self.container.isolated else "a VPC"
            message = f"The model of {self.title} has {what}, which serverless endpoints do not support."
            raise ServingError(message)
        started = [self._started() for _ in range(max(self._kept, 1))]
        with self._lock:
            self._sandboxes = [_Sandbox(server, CLOCK.seconds()) for server in started[: self._kept]]
        for server in started[self._kept :]:
            server.end()
        threading.Thread(target=self._end_idle, name=f"serverless-{self.variant}", daemon=True).start()

    def _started(self) -> ModelServer:
        server = ModelServer(self.backend, self.container, self.log, self.title, variant=self.variant)
        server.start()
        return server

    def abort(self) -> None:
        """Give up a start that has not ended."""
        self.end()

    def end(self) -> None:
        """End every container."""
        self._ended.set()
        with self._lock:
            ended, self._sandboxes = self._sandboxes, []
        for sandbox in ended:
            sandbox.server.end()

    def kill(self) -> None:
        """Let the programs die."""
        with self._lock:
            sandboxes = list(self._sandboxes)
        for sandbox in sandboxes:
            sandbox.server.kill()

    def invoke(self, body: bytes, headers: dict[str, str]) -> Answer:
        """Send one request to a free container, or start one.

        Raises:
            NoAnswerError: the container does not start, or does not answer.
            RuntimeRefusal: all containers work, and there may be no more.

        """
        sandbox = self._taken()
        try:
            return sandbox.server.invoke(body, headers)
        except NoAnswerError:
            self._remove(sandbox)  # a container that is gone is replaced by the next request
            raise
        finally:
            sandbox.idle_since = CLOCK.seconds()

    def _taken(self) -> _Sandbox:
        with self._lock:
            for sandbox in self._sandboxes:
                if sandbox.idle_since is not None:
                    sandbox.idle_since = None
                    return sandbox
            if len(self._sandboxes) >= self._most:
                code, message = "ThrottlingException", f"Rate exceeded: MaxConcurrency of the endpoint is {self._most}"
                raise RuntimeRefusal(code, message)
            fresh = ModelServer(self.backend, self.container, self.log, self.title, variant=self.variant)
            sandbox = _Sandbox(fresh)
            self._sandboxes.append(sandbox)
        began = time.perf_counter()
        try:
            sandbox.server.start()
        except ServingError as error:
            self._remove(sandbox)
            raise NoAnswerError(str(error)) from error
        took = time.perf_counter() - began
        self.log.write(f"a serverless container has started in {took:.2f} s")
        dimensions = {"EndpointName": self.log.group.rpartition("/")[2], "VariantName": self.variant}
        METRICS.put(
            self.backend.account_id, self.backend.region_name, "AWS/SageMaker", "ModelSetupTime", dimensions,
            took * _MICROSECONDS, unit="Microseconds",
        )  # fmt: skip
        return sandbox

    def _remove(self, sandbox: _Sandbox) -> None:
        with self._lock:
            if sandbox in self._sandboxes:
                self._sandboxes.remove(sandbox)
        sandbox.server.end()

    def _end_idle(self) -> None:
        while not self._ended.is_set():
            if not CLOCK.sleep(_LOOK_SECONDS):
                self._ended.wait(0.05)
            limit = CLOCK.seconds() - IDLE_SECONDS
            with self._lock:
                spare = len(self._sandboxes) - self._kept
                idle = [one for one in self._sandboxes if one.idle_since is not None and one.idle_since < limit]
                gone = idle[: max(spare, 0)]
                self._sandboxes = [one for one in self._sandboxes if one not in gone]
            for sandbox in gone:
                sandbox.server.end()


def install() -> None:
    """Let serverless variants be served from here."""
    sagemaker_capacity.install()
    if _server not in sagemaker_fleets.FACTORIES:
        sagemaker_fleets.FACTORIES.insert(0, _server)


def _server(backend: Any, variant: dict[str, Any], log: LogStream, title: str) -> ServerlessServer | None:
    if not variant.get("ServerlessConfig"):
        return None
    if len(sagemaker_models.containers_of(backend, variant["ModelName"])) > 1:
        refuse("A model with several containers cannot be served without instances.")
    return ServerlessServer(backend, variant, log, title)
