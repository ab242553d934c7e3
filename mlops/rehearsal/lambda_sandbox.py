"""One warm process of a function: the official runtime client (awslambdaric) and the Runtime API that it polls."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import queue
import select
import signal
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops.rehearsal import processes

INIT_SECONDS = 60.0
"""Lambda allows 10 s for the init phase; a laptop with busy processors gets more."""
_DRAIN_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Answer:
    """How an invocation ended: the payload, and whether the function failed."""

    payload: bytes
    failed: bool
    lines: tuple[str, ...]
    seconds: float
    init_seconds: float | None


@dataclass(slots=True)
class _Invocation:
    request_id: str
    event: bytes
    deadline: float


class Sandbox:
    """A process that serves one invocation at a time."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        function_arn: str,
        on_line: Callable[[str, str | None], None],
    ) -> None:
        self.id = uuid.uuid4().hex
        self._arn = function_arn
        self._on_line = on_line
        self._next: queue.Queue[_Invocation | None] = queue.Queue()
        self._results: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._current: _Invocation | None = None
        self._lines: list[str] = []
        self._partial = b""
        self._reading = threading.Lock()
        self._ready = threading.Event()
        self._began = time.monotonic()
        self._init_seconds: float | None = None
        self._init_told = False
        self._server = _RuntimeApi(self)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        environment = {**env, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}"}
        try:
            self._child = processes.spawn(command, env=environment, cwd=cwd)
        except BaseException:
            self._server.close()
            raise
        os.set_blocking(self._output(), False)
        threading.Thread(target=self._read_forever, daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether it can take another invocation."""
        return self._child.poll() is None

    def invoke(self, event: bytes, *, request_id: str, timeout: float, crash: bool = False) -> Answer:
        """Run the function once; end the process when it takes too long, or when it shall crash."""
        with self._reading:
            # What the init phase wrote belongs to the first invocation.
            lines = self._lines if not self._init_told else []
            self._lines = lines
        self._current = _Invocation(request_id, event, time.time() + timeout)
        kind, payload = self._run(timeout, crash=crash)
        ended = time.monotonic()
        self._drain(wait=True)
        began = self._started or ended
        self._current = None
        init = None if self._init_told else self._init_seconds
        self._init_told = True
        if kind == "gone":
            self.close()
        return Answer(payload, kind != "response", tuple(self._lines), max(0.0, ended - began), init)

    def _run(self, timeout: float, *, crash: bool) -> tuple[str, bytes]:  # noqa: PLR0911 - one case after the other
        assert self._current is not None  # noqa: S101 - for the type checker
        request_id = self._current.request_id
        self._started: float | None = None
        limit = self._began + INIT_SECONDS
        while not self._ready.wait(0.01):
            with contextlib.suppress(queue.Empty):
                kind, payload = self._results.get_nowait()
                self.close()
                return kind, payload
            if not self.alive:
                return "gone", self._exit_payload(request_id)
            if time.monotonic() > limit:
                self.close()
                return "gone", _error("Sandbox.Timedout", f"RequestId: {request_id} Error: Init phase timed out")
        self._started = time.monotonic()
        self._current.deadline = time.time() + timeout
        self._next.put(self._current)
        if crash:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
            return "gone", self._exit_payload(request_id)
        until = self._started + timeout
        while True:
            try:
                return self._results.get(timeout=min(0.05, max(0.001, until - time.monotonic())))
            except queue.Empty:
                if not self.alive:
                    with contextlib.suppress(queue.Empty):
                        return self._results.get(timeout=0.05)
                    return "gone", self._exit_payload(request_id)
                if time.monotonic() >= until:
                    self.close()
                    message = f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds"
                    return "gone", _error("Sandbox.Timedout", message)

    def _exit_payload(self, request_id: str) -> bytes:
        code = self._child.wait()
        reason = f"signal: {'killed' if code == -signal.SIGKILL else -code}" if code < 0 else f"exit status {code}"
        return _error("Runtime.ExitError", f"RequestId: {request_id} Error: Runtime exited with error: {reason}")

    def close(self) -> None:
        """End the process and close its port."""
        self._next.put(None)
        processes.end(self._child, grace=0.0)
        self._server.close()

    # Called by the Runtime API.

    def next_invocation(self) -> tuple[_Invocation, str] | None:
        """Wait for an invocation, None when the sandbox ends."""
        if self._init_seconds is None:
            self._init_seconds = time.monotonic() - self._began
        self._ready.set()
        invocation = self._next.get()
        return None if invocation is None else (invocation, self._arn)

    def finish(self, path: str, body: bytes) -> None:
        """Take the function's answer or error."""
        if path.endswith("/init/error"):
            self._results.put(("gone", body))
        else:
            self._results.put(("response" if path.endswith("/response") else "error", body))

    # Output.

    def _output(self) -> int:
        assert self._child.stdout is not None  # noqa: S101 - for the type checker
        return self._child.stdout.fileno()

    def _read_forever(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while True:
                readable = select.select([self._output()], [], [], 1.0)[0]
                if readable and not self._drain():
                    break
        with self._reading:
            if self._child.stdout is not None:
                self._child.stdout.close()

    def _drain(self, *, wait: bool = False) -> bool:
        """Take what the process has written; False at the end of its output."""
        until = time.monotonic() + _DRAIN_SECONDS
        with self._reading:
            while True:
                try:
                    data = os.read(self._output(), 65536)
                except BlockingIOError:
                    # The answer and the last line travel on different ways.
                    if wait and self._partial and time.monotonic() < until:
                        time.sleep(0.002)
                        continue
                    return True
                except (OSError, ValueError):
                    return False
                if not data:
                    if self._partial:
                        self._tell(b"\n")
                    return False
                self._tell(data)

    def _tell(self, data: bytes) -> None:
        *whole, self._partial = (self._partial + data).replace(b"\r", b"\n").split(b"\n")
        request_id = self._current.request_id if self._current else None
        for raw in whole:
            line = raw.decode(errors="replace")
            if line:
                self._lines.append(line)
                self._on_line(line, request_id)


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()


class _RuntimeApi(http.server.ThreadingHTTPServer):
    """Lambda's Runtime API for one sandbox."""

    daemon_threads = True

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        super().__init__(("127.0.0.1", 0), _RuntimeApiHandler)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.shutdown()
            self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a process that was ended leaves its connection behind."""


class _RuntimeApiHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Say nothing."""

    def _answer(self, status: int, body: bytes = b'{"status":"OK"}', **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def do_GET(self) -> None:
        """Hand out the next invocation."""
        found = self.server.sandbox.next_invocation()  # type: ignore[attr-defined]
        if found is None:
            self.close_connection = True
            return
        invocation, arn = found
        self._answer(
            200,
            invocation.event,
            Content_Type="application/json",
            Lambda_Runtime_Aws_Request_Id=invocation.request_id,
            Lambda_Runtime_Deadline_Ms=str(int(invocation.deadline * 1000)),
            Lambda_Runtime_Invoked_Function_Arn=arn,
        )

    def do_POST(self) -> None:
        """Take a response or an error."""
        length = self.headers.get("Content-Length")
        body = self.rfile.read(int(length)) if length else self._chunks()
        self._answer(202)
        self.server.sandbox.finish(self.path, body)  # type: ignore[attr-defined]

    def _chunks(self) -> bytes:
        # awslambdaric sends its answers in chunks.
        body = b""
        while size := int(self.rfile.readline().strip() or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body
