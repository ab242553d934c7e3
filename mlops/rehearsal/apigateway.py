"""HTTP APIs of the emulated account: each answers on a loopback port of its own, as it is configured.

Gap of moto that is closed here: it keeps HTTP APIs, and serves none.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any

from mlops.rehearsal.apigateway_api import HttpApi
from mlops.rehearsal.apigateway_events import HttpRequest

NOT_REHEARSED: tuple[tuple[str, str], ...] = (
    ("the signature of a request to an HTTP API", "who signed is looked up by the access key, as for every call here"),
    ("the account-wide throttling of API Gateway, TLS and custom domains", "each API is a loopback port of its own"),
    ("the 30 seconds of an integration", "the function's own limit of 29 seconds ends it before"),
)
_POLL_SECONDS = 0.02


class _Listener:
    """The port of one API."""

    def __init__(self) -> None:
        from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler  # noqa: PLC0415 - takes its time

        self.api: HttpApi | None = None
        listener = socket.create_server(("127.0.0.1", 0), backlog=256)

        class Handler(WSGIRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
                """Write nothing."""

            def handle(self) -> None:
                # A client that goes away, or a server that stops, is no error here.
                with contextlib.suppress(OSError):
                    super().handle()

        class Server(ThreadedWSGIServer):
            daemon_threads = True
            request_queue_size = 256

        port = listener.getsockname()[1]
        try:
            self._server = Server("127.0.0.1", port, self._answer, handler=Handler, fd=listener.fileno())
        finally:
            listener.close()  # the server has its own descriptor of the same socket
        self.url = f"http://localhost:{port}"
        threading.Thread(target=self._server.serve_forever, args=(_POLL_SECONDS,), daemon=True).start()

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        assert self.api is not None  # noqa: S101 - it is set before anybody knows the port
        return wsgi(self.api.answer, environ, start_response)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def wsgi(
    answer: Callable[[HttpRequest], Any], environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    """Answer a request of a WSGI server with `answer`."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    headers = {
        name[5:].replace("_", "-").lower(): str(value) for name, value in environ.items() if name.startswith("HTTP_")
    }
    headers |= {"content-type": environ["CONTENT_TYPE"]} if environ.get("CONTENT_TYPE") else {}
    # As it stood in the request line: WSGI decodes the path.
    target = environ.get("REQUEST_URI") or environ.get("RAW_URI") or environ["PATH_INFO"]
    path, _, query = str(target).partition("?")
    given = answer(
        HttpRequest(environ["REQUEST_METHOD"], path, query, headers, body, environ.get("REMOTE_ADDR", "127.0.0.1"))
    )
    start_response(f"{given.status} -", [*given.headers, ("content-length", str(len(given.body)))])
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else given.body]


_lock = threading.Lock()
_listeners: dict[str, _Listener] = {}


def install() -> None:
    """Open a port for each HTTP API that is made, and close it with the API."""
    from moto.apigatewayv2.models import ApiGatewayV2Backend  # noqa: PLC0415 - moto is imported when the server starts, not before

    create, delete = ApiGatewayV2Backend.create_api, ApiGatewayV2Backend.delete_api

    def create_api(self: Any, *args: Any, **kwargs: Any) -> Any:
        api = create(self, *args, **kwargs)
        if api.protocol_type == "HTTP":
            listener = _Listener()
            api.api_endpoint = listener.url
            domain = listener.url.removeprefix("http://")
            listener.api = HttpApi(api, account=self.account_id, region=self.region_name, domain=domain)
            with _lock:
                _listeners[api.api_id] = listener
        return api

    def delete_api(self: Any, api_id: str) -> None:
        delete(self, api_id)
        with _lock:
            listener = _listeners.pop(api_id, None)
        if listener is not None:
            listener.close()

    backend: Any = ApiGatewayV2Backend
    backend.create_api, backend.delete_api = create_api, delete_api


def reset() -> None:
    """Begin without any API."""
    shutdown()


def shutdown() -> None:
    """Close every port."""
    with _lock:
        listeners = list(_listeners.values())
        _listeners.clear()
    for listener in listeners:
        listener.close()
