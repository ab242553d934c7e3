"""What the tests of containers/tabular share: a job's folder, the programs in it, and requests without a network."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split

from tabular import program, settings
from tabular.server import Application

CONTAINER = Path(__file__).parents[2] / "containers" / "tabular"
SECONDS = 30
CSV = {"content-type": "text/csv"}
JSON = {"content-type": "application/json"}


@dataclass
class Job:
    """The folder /opt/ml of one job."""

    base: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("input/config", "input/data/train", "input/data/validation", "model", "output"):
            (self.base / name).mkdir(parents=True, exist_ok=True)

    def give(self, hyperparameters: object, **channels: str) -> None:
        """Write what SageMaker hands over."""
        (self.base / "input/config/hyperparameters.json").write_text(json.dumps(hyperparameters))
        for name, text in channels.items():
            (self.base / "input/data" / name / f"{name}.csv").write_text(text)

    def command(self, program: str, **environment: str) -> tuple[list[str], dict[str, str]]:
        """Return how `program` is started."""
        variables = {"PATH": f"{Path(sys.executable).parent}:{os.defpath}", "SAGEMAKER_BASE_DIR": str(self.base)}
        return [str(CONTAINER / program)], variables | self.environment | environment

    def train(self) -> subprocess.CompletedProcess[str]:
        """Run `train`."""
        command, environment = self.command("train")
        return subprocess.run(
            command, env=environment, cwd=self.base, capture_output=True, text=True, check=False, timeout=SECONDS
        )

    def train_here(self) -> int:
        """Run `train` in this process, which has scikit-learn already."""
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGALRM)}
        os.environ["SAGEMAKER_BASE_DIR"] = str(self.base)
        try:
            return program.main()
        finally:
            del os.environ["SAGEMAKER_BASE_DIR"]
            for number, handler in before.items():
                signal.signal(number, handler)

    @property
    def failure(self) -> str:
        """What the program left for SageMaker's FailureReason."""
        path = self.base / "output/failure"
        return path.read_text() if path.exists() else ""

    @contextlib.contextmanager
    def serving(self, *, workers: int = 1, healthy: bool = True, **environment: str) -> Iterator[Server]:
        """Run `serve`, end it with SIGTERM."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        variables = {"SAGEMAKER_BIND_TO_PORT": str(port), "SAGEMAKER_MODEL_SERVER_WORKERS": str(workers)}
        command, variables = self.command("serve", **(variables | environment))
        log = self.base / "serve.log"
        with log.open("w") as file:
            process = subprocess.Popen(command, env=variables, cwd=self.base, stdout=file, stderr=file)
        server = Server(port, process, log)
        try:
            if healthy:
                server.wait()
            yield server
        finally:
            process.terminate()
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@dataclass
class Server:
    """A running `serve`."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def ask(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """Send one request over a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.request(method, path, body or None, dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()})
        finally:
            connection.close()

    def wait(self) -> None:
        """Wait for the first healthy ping."""
        until = time.monotonic() + SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.ask("GET", "/ping").status == 200:
                    return
            time.sleep(0.02)
        raise AssertionError(self.log.read_text())

    def raw(self, *sent: bytes, seconds: float = 0.5) -> list[bytes]:
        """Send bytes that may be no HTTP, each over a connection of its own; return what comes back in that time."""
        with contextlib.ExitStack() as stack:
            connections = []
            for one in sent:
                connections.append(stack.enter_context(socket.create_connection(("127.0.0.1", self.port), SECONDS)))
                with contextlib.suppress(ConnectionError):
                    connections[-1].sendall(one)
            until = time.monotonic() + seconds
            received = [b""] * len(sent)
            waiting = dict(enumerate(connections))
            while waiting and (left := until - time.monotonic()) > 0:
                ready, _, _ = select.select(waiting.values(), [], [], left)
                for number in [number for number, one in waiting.items() if one in ready]:
                    part = b""
                    with contextlib.suppress(ConnectionError):
                        part = waiting[number].recv(65536)
                    received[number] += part
                    if not part:
                        del waiting[number]
            return received

    def end(self) -> int:
        """Send SIGTERM and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(SECONDS)


@dataclass(frozen=True)
class Answer:
    """The answer to one request."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def error(self) -> str:
        """The reason that the body gives."""
        return str(json.loads(self.body)["error"])


@dataclass(frozen=True)
class Request:
    """One request."""

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    parts: tuple[bytes, ...] = ()
    """The body as it arrives, where it arrives in parts."""


def ask_all(application: Application, requests: Iterable[Request]) -> list[Answer]:
    """Ask the application itself, without a server."""

    async def run() -> list[Answer]:
        async with _started(application):
            return [await _ask(application, one) for one in requests]

    return asyncio.run(run())


def ask(application: Application, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
    """Ask the application one thing; the names of headers are written with underscores."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return ask_all(application, [Request(method, path, body, given)])[0]


def application(model: Path, **environment: str) -> Application:
    """Return the application for the model in a folder."""
    os.environ["SAGEMAKER_BASE_DIR"] = str(model.parent)
    try:
        return Application(settings.read(environment))
    finally:
        del os.environ["SAGEMAKER_BASE_DIR"]


@contextlib.asynccontextmanager
async def _started(application: Application) -> Any:
    asked: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    said: asyncio.Queue[Any] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    task = asyncio.create_task(_awaited(application(scope, asked.get, said.put)))
    await asked.put({"type": "lifespan.startup"})
    message = await asyncio.wait_for(said.get(), SECONDS)
    assert message["type"] == "lifespan.startup.complete", message
    yield
    await asked.put({"type": "lifespan.shutdown"})
    await asyncio.wait_for(task, SECONDS)


async def _awaited(one: Awaitable[None]) -> None:
    await one


async def _ask(application: Callable[..., Awaitable[None]], request: Request) -> Answer:
    path, _, query = request.path.partition("?")
    parts = list(request.parts or (request.body,))
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in request.headers.items()]
    scope = {
        "type": "http",
        "method": request.method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": headers,
    }
    status, body = 0, b""
    sent: list[tuple[bytes, bytes]] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": parts.pop(0) if parts else b"", "more_body": bool(parts)}

    async def send(message: Any) -> None:
        nonlocal status, body, sent
        await asyncio.sleep(0)
        status, sent = message.get("status", status), message.get("headers", sent)
        body += message.get("body", b"")

    await application(scope, receive, send)
    return Answer(status, body, {name.decode(): value.decode() for name, value in sent})


def iris() -> dict[str, tuple[Any, Any]]:
    """The iris data as scikit-learn brings it, each row once, in three stratified parts."""
    features, labels = load_iris(return_X_y=True)
    table = np.unique(np.column_stack([labels, features]), axis=0)
    train, rest = train_test_split(table, train_size=0.6, stratify=table[:, 0], random_state=42)
    validation, test = train_test_split(rest, train_size=0.5, stratify=rest[:, 0], random_state=42)
    return {
        name: (part[:, 1:], part[:, 0]) for name, part in (("train", train), ("validation", validation), ("test", test))
    }


def as_csv(features: Any, labels: Any = None) -> str:
    """Return rows as `prepare` writes them: the label first, where there is one."""
    rows = np.asarray(features).tolist() if labels is None else np.column_stack([labels, features]).tolist()
    return "".join(f"{','.join(map(repr, row))}\n" for row in rows)
