"""A server of the comparison while it runs: started, asked, weighed, ended with all its processes."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from benchmarks.serving.plan import Format, Question
from mlops.rehearsal import processes

OK = 200
START_SECONDS = 60.0
PING_SECONDS = 0.005
END_SECONDS = 5.0
MEBIBYTE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Launch:
    """What has to be started for one server; the programs write their logs to one file."""

    commands: Sequence[Sequence[str]]
    environment: Mapping[str, str]
    folder: Path


class Server:
    """A running server."""

    def __init__(self, name: str, port: int, children: Sequence[subprocess.Popen[bytes]], log: IO[bytes]) -> None:
        """Keep what `running` started."""
        self.name = name
        self.port = port
        self.seconds_to_healthy = 0.0
        self.peak_mib = 0.0
        self._children = children
        self._log = log

    def ask(self, method: str, path: str, *, body: bytes = b"", media_type: str = "") -> tuple[int, bytes]:
        """Return status and body of one answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            headers = {"Content-Type": media_type, "Accept": media_type} if media_type else {}
            connection.request(method, path, body=body or None, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def wait_until_healthy(self, began: float) -> None:
        """Ask until /ping answers 200, and note how long that took.

        Raises:
            RuntimeError: it ended, or the time is over; the message ends with its log.

        """
        while time.perf_counter() - began < START_SECONDS:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.ask("GET", "/ping")[0] == OK:
                    self.seconds_to_healthy = time.perf_counter() - began
                    return
            if any(child.poll() is not None for child in self._children):
                break
            time.sleep(PING_SECONDS)
        msg = f"the server '{self.name}' did not become healthy: {self.log()[-2000:]}"
        raise RuntimeError(msg)

    def classes(self, question: Question, body: bytes) -> list[int]:
        """Return the predicted class of each row, whether the server answers classes or probabilities.

        Raises:
            RuntimeError: the answer is none.

        """
        status, answer = self.ask("POST", "/invocations", body=body, media_type=question.format.media_type)
        if status != OK:
            msg = f"the server '{self.name}' answered {question} with {status}: {answer[:200]!r} {self.log()[-2000:]}"
            raise RuntimeError(msg)
        return classes(question.format, answer)

    def weigh(self) -> None:
        """Note the resident memory of all its processes, when it is the most so far."""
        total = 0
        for child in self._children:
            with contextlib.suppress(psutil.NoSuchProcess):
                root = psutil.Process(child.pid)
                total += sum(process.memory_info().rss for process in (root, *root.children(recursive=True)))
        self.peak_mib = max(self.peak_mib, total / MEBIBYTE)

    def log(self) -> str:
        """Return what it wrote."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")


def classes(form: Format, answer: bytes) -> list[int]:
    """Return the class of each row of an answer."""
    rows = (
        json.loads(answer)["predictions"]
        if form is Format.JSON
        else [[float(cell) for cell in line.split(",")] for line in answer.decode().split()]
    )
    return [_class(row) for row in rows]


def _class(row: float | Sequence[float]) -> int:
    if isinstance(row, int | float):
        return int(row)
    return int(row[0]) if len(row) == 1 else max(range(len(row)), key=row.__getitem__)


@contextlib.contextmanager
def running(name: str, launch: Launch, port: int) -> Iterator[Server]:
    """Start a server, hand it over once it is healthy, and end it whatever happens."""
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(tempfile.TemporaryFile())
        children: list[subprocess.Popen[bytes]] = []
        began = time.perf_counter()
        for command in launch.commands:
            child = processes.spawn(command, env=launch.environment, cwd=launch.folder, stdout=log)
            stack.callback(processes.end, child, grace=END_SECONDS)
            children.append(child)
        server = Server(name, port, children, log)
        server.wait_until_healthy(began)
        yield server


def free_port() -> int:
    """Return a port of the loopback interface on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
