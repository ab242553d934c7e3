"""A container that serves, and the way to its port."""

from __future__ import annotations

import contextlib
import http.client
import select
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlops.container.running import POLL_SECONDS, REGION, Limits, Process, Workspace
from mlops.container.store import STRICT, StoredImage, Variation


@dataclass(frozen=True, slots=True)
class Answer:
    """What a container answered; status 0: nothing."""

    status: int
    body: bytes = b""
    content_type: str = ""

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", errors="replace")


class Server:
    """A container that serves a model."""

    def __init__(
        self,
        image: StoredImage,
        model: Path | None,
        limits: Limits,
        *,
        environment: Mapping[str, str] | None = None,
        network: bool = False,
        variation: Variation = STRICT,
        models: Mapping[str, Path] | None = None,
    ) -> None:
        """Start it with a model at /opt/ml/model, and others at /opt/ml/models/NAME/model."""
        self._limits = limits
        self._workspace = Workspace()
        (self._workspace.base / "model").mkdir()
        if model is not None:
            shutil.copytree(model, self._workspace.base / "model", dirs_exist_ok=True, symlinks=True)
        for name, path in (models or {}).items():
            shutil.copytree(path, self._workspace.base / "models" / name / "model", symlinks=True)
        self._socket = image.socket(self._workspace.root)
        variables = {"AWSREGION": REGION, **(environment or {})}
        if not variables.get("SAGEMAKER_BIND_TO_PORT") and image.rung in {"docker", "prefix"}:
            variables["SAGEMAKER_BIND_TO_PORT"] = str(free_port())  # there, the port is one of this machine
        self._port = int(variables.get("SAGEMAKER_BIND_TO_PORT", "8080"))
        self._process = Process(image, self._workspace)
        self._process.start("serve", environment=variables, network=network, variation=variation)
        self.begin = time.monotonic()

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.running

    @property
    def output(self) -> str:
        """The end of what it wrote."""
        return self._process.output

    def healthy(self, seconds: float) -> bool:
        """Wait until it answers /ping with 200, and return whether it did."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.running:
            if self.ask("GET", "/ping", seconds=2.0).status == http.HTTPStatus.OK:
                return True
            time.sleep(POLL_SECONDS)
        return False

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        seconds: float | None = None,
    ) -> Answer:
        """Return what it answers."""
        connection = self._connection(seconds or self._limits.answer)
        try:
            connection.request(method, path, body=body, headers=dict(headers or {}))
            return _answer(connection.getresponse())
        except (OSError, http.client.HTTPException):
            return Answer(0)
        finally:
            connection.close()

    def announce(self, size: int, content_type: str, *, chunk: bytes) -> Answer:
        """Return what it answers to a body of `size` bytes, of which no more is sent than it takes."""
        connection = self._connection(self._limits.answer)
        try:
            connection.putrequest("POST", "/invocations")
            connection.putheader("Content-Type", content_type)
            connection.putheader("Content-Length", str(size))
            connection.endheaders()
            with contextlib.suppress(OSError):
                for _ in _until_readable(connection.sock, size // len(chunk) + 1):
                    connection.sock.sendall(chunk)
            return _answer(connection.getresponse())
        except (OSError, http.client.HTTPException):
            return Answer(0)
        finally:
            connection.close()

    def stop(self, seconds: float) -> float | None:
        """Send SIGTERM and return after how many seconds it ended; None if it did not within `seconds`."""
        asked = time.monotonic()
        self._process.terminate()
        return time.monotonic() - asked if self._process.wait(seconds) else None

    def end(self) -> None:
        """End it and delete what it had."""
        self._process.kill()
        self._workspace.remove()

    def _connection(self, seconds: float) -> http.client.HTTPConnection:
        if self._socket is None:
            return http.client.HTTPConnection("127.0.0.1", self._port, timeout=seconds)
        return _UnixConnection(self._socket, seconds)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def free_port() -> int:
    """Return a port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _until_readable(connection: socket.socket, count: int) -> Iterator[None]:
    # A moment for a server that answers by the header alone, then as fast as it reads.
    wait = 0.5
    for _ in range(count):
        if select.select([connection], [], [], wait)[0]:
            return
        wait = 0.0
        yield


def _answer(response: http.client.HTTPResponse) -> Answer:
    return Answer(response.status, response.read(), response.headers.get("Content-Type", ""))
