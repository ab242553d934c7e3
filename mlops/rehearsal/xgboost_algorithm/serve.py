"""`serve` of the container: an HTTP server, ready in a tenth of a second, in one of the container's three modes.

The modes are the algorithm with one model, the algorithm with several models, and a script of the caller. The standard
library's threaded server is enough here: one client, the rehearsal, and a model that answers in milliseconds. Nothing
that a client sends makes it answer 5xx; a script that breaks does.
"""

from __future__ import annotations

import os
import signal
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any, NoReturn

from mlops.rehearsal.xgboost_algorithm import payload
from mlops.rehearsal.xgboost_algorithm.errors import AlgorithmFailure, PlatformError
from mlops.rehearsal.xgboost_algorithm.payload import RefusedError
from mlops.rehearsal.xgboost_algorithm.serving_modes import AlgorithmMode, Mode, MultiModelMode, Reply
from mlops.rehearsal.xgboost_algorithm.serving_script import ScriptMode

DEFAULT_PORT = 8080
HOST_VARIABLE = "REHEARSAL_BIND_HOST"
"""Names another address to listen on than this machine's own."""
MEGABYTE = 1024**2
LARGEST_BODY = 20 * MEGABYTE


class Server(ThreadingHTTPServer):
    """Listens for what serves."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], mode: Mode, *, largest_body: int) -> None:
        """Bind to `address`."""
        super().__init__(address, Handler)
        self.mode = mode
        self.largest_body = largest_body

    def server_bind(self) -> None:
        """Bind without asking a name server what this machine is called, as the base class would."""
        TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over clients that go away in the middle of a request."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    timeout = 60
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        """Answer /ping and what the mode has to tell."""
        self._discard_body()
        self._respond("GET", b"")

    def do_DELETE(self) -> None:
        """Answer the request to forget a model."""
        self._discard_body()
        self._respond("DELETE", b"")

    def do_POST(self) -> None:
        """Answer /invocations and such."""
        try:
            body = self._body()
        except RefusedError as error:
            self._tell(error)
            return
        self._respond("POST", body)

    def _respond(self, method: str, body: bytes) -> None:
        path = self.path.partition("?")[0]
        if (method, path) == ("GET", "/ping"):
            self._answer(Reply(HTTPStatus.OK))
            return
        try:
            reply = self.server.mode.respond(
                method, path, body, {name.title(): value for name, value in self.headers.items()}
            )
        except RefusedError as error:
            self._tell(error)
        else:
            self._answer(reply)

    def _tell(self, error: RefusedError) -> None:
        print(f"[ERROR] {error}", flush=True)  # noqa: T201 - the log of the endpoint
        self._answer(Reply(error.status, str(error).encode(), "text/html; charset=utf-8"))

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding"):
            self.close_connection = True
            self._refuse(HTTPStatus.LENGTH_REQUIRED)
        text = self.headers.get("Content-Length", "0")
        if not (text.isascii() and text.isdigit()):
            self.close_connection = True
            self._refuse(HTTPStatus.BAD_REQUEST)
        if (length := int(text)) > self.server.largest_body:
            self.close_connection = True
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return self.rfile.read(length)

    def _discard_body(self) -> None:
        # An unread body would be taken for the next request on the connection.
        if self.headers.get("Content-Length", "0") != "0" or self.headers.get("Transfer-Encoding"):
            self.close_connection = True

    def _refuse(self, status: HTTPStatus) -> NoReturn:
        raise RefusedError(status, status.phrase)

    def _answer(self, reply: Reply) -> None:
        self.send_response(reply.status)
        if reply.content_type is not None:
            self.send_header("Content-Type", reply.content_type)
        if reply.status is not HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(reply.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(reply.body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a request that cannot be understood: always the client's fault, never 5xx."""
        self.request_version = "HTTP/1.1"  # without a version that it knows, the base class would send no status
        client = {HTTPStatus.NOT_IMPLEMENTED: HTTPStatus.METHOD_NOT_ALLOWED}.get(HTTPStatus(code), HTTPStatus(code))
        super().send_error(client if client < HTTPStatus.INTERNAL_SERVER_ERROR else 400, message, explain)

    def version_string(self) -> str:
        """Keep the versions of Python and of this server to ourselves."""
        return "xgboost"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log what is asked of the model, not the heartbeat."""
        if getattr(self, "path", "") != "/ping":
            super().log_request(code, size)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by the base class
        """Write the line where the rest of the log goes."""
        text = (format % args).encode("ascii", "backslashreplace").decode()
        print(f"{self.address_string()} - - [{self.log_date_time_string()}] {text}", flush=True)  # noqa: T201


def mode_of(base: Path, *, largest_body: int) -> Mode:
    """Return what the environment asks for.

    Raises:
        AlgorithmFailure: it cannot be served.

    """
    if os.environ.get("SAGEMAKER_INFERENCE_OUTPUT"):
        msg = "SAGEMAKER_INFERENCE_OUTPUT is set, but selectable output is not represented here"
        raise PlatformError(msg)
    if os.environ.get("SAGEMAKER_PROGRAM"):
        return ScriptMode.load(base, os.environ)
    accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or payload.CSV
    if os.environ.get("SAGEMAKER_MULTI_MODEL", "").lower() == "true":
        return MultiModelMode(accept=accept)
    batch = os.environ.get("SAGEMAKER_BATCH", "").lower() == "true"
    return AlgorithmMode.load(base / "model", accept=accept, batch=batch, megabytes=largest_body // MEGABYTE)


def main() -> int:
    """Serve until SIGTERM; give the exit code."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # idle threads leave the cores to the rest of the rehearsal
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    base = Path(os.environ.get("SAGEMAKER_BASE_DIR") or "/opt/ml")
    port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT") or DEFAULT_PORT)
    host = os.environ.get(HOST_VARIABLE) or "127.0.0.1"
    largest_body = min(int(os.environ.get("MAX_CONTENT_LENGTH") or 6 * MEGABYTE), LARGEST_BODY)
    try:
        mode = mode_of(base, largest_body=largest_body)
    except AlgorithmFailure as error:
        print(f"[ERROR] {error}", flush=True)  # noqa: T201
        return 1
    with Server((host, port), mode, largest_body=largest_body) as server:
        print(f"Listening on http://{host}:{server.server_address[1]}", flush=True)  # noqa: T201
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
