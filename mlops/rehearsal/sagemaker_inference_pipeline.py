"""A model of several containers: the answer of each is the request of the next, and the answer of the last comes back.

https://docs.aws.amazon.com/sagemaker/latest/dg/inference-pipeline-real-time.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlops.rehearsal import sagemaker_fleets, sagemaker_models
from mlops.rehearsal.sagemaker_observed import LogStream
from mlops.rehearsal.sagemaker_serving import INVOCATION_SECONDS, Answer, Container, ModelServer

NOT_REHEARSED: tuple[tuple[str, str], ...] = (
    (
        "headers that a container of an inference pipeline sees",
        "all of the request's are passed on to each; which ones SageMaker passes on is not documented",
    ),
)
_ERROR = 400  # HTTP


class PipelineServer:
    """The processes of one inference pipeline; they begin and end together."""

    def __init__(
        self,
        backend: Any,
        containers: Sequence[Container],
        log: LogStream,
        title: str,
        *,
        variables: Mapping[str, str] | None = None,
        variant: str = "",
    ) -> None:
        """Prepare a server for each container; each has a log stream of its own, as in SageMaker."""
        self.log, self.variant = log, variant
        self._servers = [
            ModelServer(backend, container, log.beside(container.hostname), title, variables or {}, variant)
            for container in containers
        ]

    @property
    def container(self) -> Container:
        """The container with the model: the last one."""
        return self._servers[-1].container

    @property
    def port(self) -> int:
        """Where the first container listens."""
        return self._servers[0].port

    def start(self) -> None:
        """Start all, or none and raise ServingError."""
        try:
            for server in self._servers:
                server.start()
        except Exception:
            self.end()
            raise

    def abort(self) -> None:
        """Give up waiting for health."""
        for server in self._servers:
            server.abort()

    def end(self) -> None:
        """End every process."""
        for server in self._servers:
            server.end()

    def kill(self) -> None:
        """Let the container with the model die."""
        self._servers[-1].kill()

    def get(self, path: str) -> Answer | None:
        """Return what the container with the model answers to GET."""
        return self._servers[-1].get(path)

    def invoke(self, body: bytes, headers: dict[str, str], *, seconds: float = INVOCATION_SECONDS) -> Answer:
        """Send a request through all containers; one that fails ends it, and NoAnswerError tells of one that is gone.

        Which headers an intermediate container sees besides the type of its body is not documented; here, all.
        """
        answer = self._servers[0].invoke(body, headers, seconds=seconds)
        for server in self._servers[1:]:
            if answer.status >= _ERROR:
                return answer
            others = {name: value for name, value in headers.items() if name.lower() != "content-type"}
            answer = server.invoke(answer.body, {**others, "Content-Type": answer.content_type}, seconds=seconds)
        return answer


def install() -> None:
    """Serve the variants of endpoints whose model has several containers."""
    if _server not in sagemaker_fleets.FACTORIES:
        sagemaker_fleets.FACTORIES.append(_server)


def _server(backend: Any, variant: dict[str, Any], log: LogStream, title: str) -> PipelineServer | None:
    """Return the server of a variant whose model has several containers; None for others."""
    if not variant.get("ModelName"):
        return None
    containers = sagemaker_models.containers_of(backend, variant["ModelName"])
    if len(containers) == 1:
        return None
    return PipelineServer(backend, containers, log, title, variant=variant["VariantName"])
