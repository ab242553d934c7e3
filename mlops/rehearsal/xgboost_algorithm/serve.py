"""`serve` of the container: an HTTP server with one model, ready in a tenth of a second.

The standard library's threaded server is enough here: one client, the rehearsal, and a model that answers in
milliseconds. Nothing that a client sends makes it answer 5xx.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any, NoReturn

from mlops.rehearsal.xgboost_algorithm import payload
from mlops.rehearsal.xgboost_algorithm.errors import AlgorithmFailure, PlatformError
from mlops.rehearsal.xgboost_algorithm.native import Booster, XGBoostError
from mlops.rehearsal.xgboost_algorithm.payload import RefusedError

DEFAULT_PORT = 8080
HOST_VARIABLE = "REHEARSAL_BIND_HOST"
"""Names another address to listen on than this machine's own."""
MEGABYTE = 1024**2
LARGEST_BODY = 20 * MEGABYTE


@dataclass(frozen=True)
class Model:
    """The model in service; one prediction at a time, on one thread, as in a worker of the container."""

    booster: Booster
    features: int
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def load(cls, folder: Path) -> Model:
        """Load the one model file in `folder`.

        Raises:
            PlatformError: there is none, there are several, or it is not a model.

        """
        files = sorted(file for file in folder.glob("*") if file.is_file() and not file.name.startswith("."))
        if len(files) != 1:
            msg = f"{folder} holds {len(files)} model files where one is expected: {[file.name for file in files]}"
            raise PlatformError(msg)
        booster = Booster()
        try:
            booster.load(files[0].read_bytes())
            booster.configure("nthread", "1")
            return cls(booster, booster.features)
        except XGBoostError as error:
            msg = f"Model at {files[0]} cannot be loaded:\n{error}"
            raise PlatformError(msg) from error

    def predict(self, body: bytes, content_type: str | None) -> list[list[float]]:
        """Predict every row of a request."""
        with self._lock:
            return payload.predict(self.booster, self.features, body, content_type)


class Server(ThreadingHTTPServer):
    """Listens for the model."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], model: Model, *, largest_body: int, accept: str) -> None:
        """Bind to `address`."""
        super().__init__(address, Handler)
        self.model = model
        self.largest_body = largest_body
        self.accept = accept
        self.batch = os.environ.get("SAGEMAKER_BATCH", "").lower() == "true"

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
        """Answer /ping and /execution-parameters."""
        self._discard_body()
        match self.path.partition("?")[0]:
            case "/ping":
                self._answer(HTTPStatus.OK)
            case "/execution-parameters":
                parameters = {
                    "MaxConcurrentTransforms": os.cpu_count() or 1,
                    "BatchStrategy": "MULTI_RECORD",
                    "MaxPayloadInMB": self.server.largest_body // MEGABYTE,
                }
                self._answer(HTTPStatus.OK, json.dumps(parameters).encode(), payload.JSON)
            case "/invocations":
                self.send_error(HTTPStatus.METHOD_NOT_ALLOWED)
            case _:
                self.send_error(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        """Answer /invocations."""
        path = self.path.partition("?")[0]
        try:
            body = self._body()
            if path != "/invocations":
                known = path in ("/ping", "/execution-parameters")
                self._refuse(HTTPStatus.METHOD_NOT_ALLOWED if known else HTTPStatus.NOT_FOUND)
            if not body:
                self._answer(HTTPStatus.NO_CONTENT)
                return
            predictions = self.server.model.predict(body, self.headers.get("Content-Type"))
            kind = payload.answer_type(self.headers.get("Accept"), default=self.server.accept)
        except RefusedError as error:
            print(f"[ERROR] {error}", flush=True)  # noqa: T201 - the log of the endpoint
            self._answer(error.status, str(error).encode(), "text/html; charset=utf-8")
            return
        self._answer(HTTPStatus.OK, payload.encode(predictions, kind, batch=self.server.batch), kind)

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

    def _answer(self, status: HTTPStatus, body: bytes = b"", content_type: str | None = None) -> None:
        self.send_response(status)
        if content_type is not None:
            self.send_header("Content-Type", content_type)
        if status is not HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

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


def main() -> int:
    """Serve until SIGTERM; give the exit code."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # idle threads leave the cores to the rest of the rehearsal
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    base = Path(os.environ.get("SAGEMAKER_BASE_DIR") or "/opt/ml")
    port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT") or DEFAULT_PORT)
    host = os.environ.get(HOST_VARIABLE) or "127.0.0.1"
    largest_body = min(int(os.environ.get("MAX_CONTENT_LENGTH") or 6 * MEGABYTE), LARGEST_BODY)
    accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or payload.CSV
    try:
        for name in ("SAGEMAKER_INFERENCE_OUTPUT", "SAGEMAKER_MULTI_MODEL", "SAGEMAKER_PROGRAM"):
            if os.environ.get(name):
                msg = f"{name} is set, but selectable output, several models and script mode are not represented here"
                raise PlatformError(msg)
        model = Model.load(base / "model")
    except AlgorithmFailure as error:
        print(f"[ERROR] {error}", flush=True)  # noqa: T201
        return 1
    with Server((host, port), model, largest_body=largest_body, accept=accept) as server:
        print(f"Listening on http://{host}:{server.server_address[1]}", flush=True)  # noqa: T201
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
