"""The emulated AWS: a moto server inside this process, on a free loopback port, with the adapters of this package.

Gaps of moto that are closed here: its threaded server listens where it is told but never closes its port, prints to
standard output, and answers an API that it lacks with an HTML page and status 500, which every SDK tries again.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

from mlops.rehearsal import accounts, credentials, processes
from mlops.rehearsal.clock import CLOCK, DEFAULT_SCALE
from mlops.rehearsal.iam_enforcement import Enforcement
from mlops.rehearsal.sagemaker_invocations import Invocations
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase

ADAPTERS: tuple[str, ...] = (
    # One line for each adapter. `install()` is called once in a process, before the first start;
    # `reset()` at every start and `shutdown()` at every stop, where the module has them.
    "mlops.rehearsal.iam",
    "mlops.rehearsal.cloudwatch",
    "mlops.rehearsal.lambda_functions",
    "mlops.rehearsal.apigateway",
    "mlops.rehearsal.sagemaker_endpoints",
    "mlops.rehearsal.sagemaker_inference_pipeline",
    "mlops.rehearsal.sagemaker_multi_model",
    "mlops.rehearsal.sagemaker_registry",
    "mlops.rehearsal.autoscaling",
    "mlops.rehearsal.sagemaker_serverless",
    "mlops.rehearsal.sagemaker_async",
    "mlops.rehearsal.sagemaker_jobs",
    "mlops.rehearsal.ecr",
    "mlops.rehearsal.stepfunctions",
    "mlops.rehearsal.codebuild",
    "mlops.rehearsal.codepipeline",
    "mlops.rehearsal.cloudformation",
    "mlops.rehearsal.events",
    "mlops.rehearsal.s3_events",
    "mlops.rehearsal.s3_checksums",
)
HOST = "localhost"  # never 127.0.0.1: moto finds a template's bucket in a URL only when the host is "localhost"
_POLL_SECONDS = 0.02
_installed: set[str] = set()
_install_lock = threading.Lock()

NOT_REHEARSED: tuple[tuple[str, str], ...] = (
    ("eventual consistency, service quotas and request throttling", "the emulated AWS answers from one memory"),
    ("TLS and network paths", "services are reached over plain HTTP on the loopback interface"),
)


class EmulatedAws:
    """An emulated AWS; start and stop it, or use it as a context manager.

    `account` and `region` are those of the tools, where the operator works; `accounts` are the others that matter, all
    of one `organization` if that is given. Every account has every region. What waits in it waits on a clock of
    `time_scale` emulated seconds per real second.
    """

    def __init__(
        self,
        *,
        account: str = "111122223333",
        region: str = "eu-west-1",
        accounts: Iterable[str] = (),
        organization: str | None = None,
        time_scale: float = DEFAULT_SCALE,
    ) -> None:
        self.account = account
        self.region = region
        self.accounts = tuple(dict.fromkeys((account, *accounts)))
        self.organization = organization
        self.time_scale = time_scale
        self._server: Any = None
        self._thread: threading.Thread | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self._port}"

    @property
    def port(self) -> int:
        """The loopback port."""
        return self._port

    @property
    def running(self) -> bool:
        """Whether it has been started and not yet stopped."""
        return self._server is not None

    def start(self) -> Self:
        """Open the port, load moto and the adapters, and answer from fresh, empty accounts."""
        if self._server is not None:
            msg = f"this emulated AWS is already running at {self.url}"
            raise RuntimeError(msg)
        accounts.arrange(self.account, others=self.accounts, organization=self.organization)
        credentials.connect(url=None, region=self.region)
        processes.reopen()
        CLOCK.reset(self.time_scale)
        listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        try:
            self._port = listener.getsockname()[1]
            self._configure()
            modules = _install()
            _forget_everything()
            self._server = _http_server(listener)
        finally:
            listener.close()  # the server has its own descriptor of the same socket
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_SECONDS,), daemon=True)
        self._thread.start()
        credentials.connect(url=self.url, region=self.region)
        for module in modules:
            if hasattr(module, "reset"):
                module.reset()
        return self

    def stop(self) -> None:
        """End every child process, close the port, and leave nothing by which an SDK could call anything."""
        if self._server is None:
            return
        server, self._server = self._server, None
        CLOCK.stop()
        for name in reversed(ADAPTERS):
            module = sys.modules.get(name)
            if module is not None and hasattr(module, "shutdown"):
                module.shutdown()
        processes.end_all()
        server.shutdown()
        server.server_close()
        if self._thread is not None:
            self._thread.join(5)
        credentials.connect(url=None, region=self.region)

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def _configure(self) -> None:
        # moto reads these when it is imported and when it answers; what the user's shell says to moto is not for us.
        # The account is not among them: every request says which one it is for, see iam.py.
        for name in [name for name in os.environ if name.startswith("MOTO_")]:
            del os.environ[name]
        os.environ["MOTO_PORT"] = str(self._port)
        os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
        os.environ["MOTO_DISABLE_GLOBAL_CORS"] = "true"
        os.environ["MOTO_EVENTS_INVOKE_HTTP"] = "false"


def _install() -> list[Any]:
    with _install_lock:
        modules = [importlib.import_module(name) for name in ADAPTERS]
        for module in modules:
            if module.__name__ not in _installed:
                module.install()
                _installed.add(module.__name__)
        return modules


def _forget_everything() -> None:
    from moto.core.base_backend import BackendDict  # noqa: PLC0415 - moto is imported when the server starts, not before
    from moto.core.model_instances import reset_model_data  # noqa: PLC0415 - moto is imported when the server starts, not before

    BackendDict.reset()
    reset_model_data()


def _http_server(listener: socket.socket) -> Any:
    from moto.moto_server.werkzeug_app import (  # noqa: PLC0415 - moto is imported when the server starts, not before
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import ThreadedWSGIServer  # noqa: PLC0415 - moto is imported when the server starts, not before

    class Handler(MotoRequestHandler):
        """Answers without writing a line anywhere."""

        disable_nagle_algorithm = True

        def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
            if type == "error":
                TIMELINE.emit(Kind.LOG, (message % args) if args else message, Phase.INFO, source="emulated-aws")

        def handle(self) -> None:
            # A client that goes away, or a server that stops, is no error here.
            with contextlib.suppress(OSError):
                super().handle()

    class Server(ThreadedWSGIServer):
        """Closes the connections of clients, too, when it is closed."""

        request_queue_size = 256

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self._open: set[socket.socket] = set()
            self._open_lock = threading.Lock()
            super().__init__(*args, **kwargs)

        def process_request(self, request: Any, client_address: Any) -> None:
            with self._open_lock:
                self._open.add(request)
            super().process_request(request, client_address)

        def shutdown_request(self, request: Any) -> None:
            with self._open_lock:
                self._open.discard(request)
            super().shutdown_request(request)

        def server_close(self) -> None:
            super().server_close()
            with self._open_lock:
                open_requests = list(self._open)
            for request in open_requests:
                with contextlib.suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)

    def backend_app(service: Any) -> Any:
        app = create_backend_app(service)
        app.debug = False
        app.config["PROPAGATE_EXCEPTIONS"] = True
        return app

    application = _Answers(Invocations(Enforcement(_dispatcher(backend_app))))
    return Server("127.0.0.1", listener.getsockname()[1], application, handler=Handler, fd=listener.fileno())


def _dispatcher(create_app: Callable[[Any], Any]) -> Any:
    from moto.moto_server.werkzeug_app import (  # noqa: PLC0415 - moto is imported when the server starts, not before
        DomainDispatcherApplication,
    )

    class Dispatcher(DomainDispatcherApplication):
        """Finds the service of a host once; moto lists its own folder and tries all patterns for each request."""

        def __init__(self) -> None:
            super().__init__(create_app)
            self._found = functools.cache(super().get_backend_for_host)

        def get_backend_for_host(self, host: str | None) -> Any:
            return self._found(host)

    return Dispatcher()


class _Answers:
    """Turns an error of moto itself into an answer of the service that no SDK tries again, and tells the timeline."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            return self._application(environ, start_response)
        except Exception as error:  # noqa: BLE001 - whatever moto raises
            code = "NotEmulated" if isinstance(error, NotImplementedError) else "EmulationError"
            call = environ.get("HTTP_X_AMZ_TARGET") or f"{environ.get('REQUEST_METHOD')} {environ.get('PATH_INFO')}"
            message = f"{call}: {type(error).__name__}: {error}"
            TIMELINE.emit(
                Kind.LOG, message, Phase.FAILED, source="emulated-aws", traceback="".join(traceback.format_exc())
            )
            return _error(environ, start_response, code=code, message=message)


def _error(environ: dict[str, Any], start_response: Callable[..., Any], *, code: str, message: str) -> Iterable[bytes]:
    # Status 501: SDKs retry 500, 502, 503 and 504.
    xml = "json" not in environ.get("CONTENT_TYPE", "") and "HTTP_X_AMZ_TARGET" not in environ
    if xml:
        from xml.sax.saxutils import escape  # noqa: PLC0415 - moto is imported when the server starts, not before

        text = escape(message)
        inner = f"<Error><Code>{code}</Code><Message>{text}</Message></Error>"
        s3 = "/s3/" in environ.get("HTTP_AUTHORIZATION", "")
        body = (inner if s3 else f"<ErrorResponse>{inner}</ErrorResponse>").encode()
    else:
        body = json.dumps({"__type": code, "message": message}).encode()
    headers = [
        ("Content-Type", "application/xml" if xml else "application/json"),
        ("Content-Length", str(len(body))),
        ("x-amzn-errortype", code),
    ]
    start_response("501 Not Implemented", headers, sys.exc_info())
    return [body]


def main() -> None:
    """Serve until interrupted, for trying things by hand: python -m mlops.rehearsal.server."""
    with EmulatedAws() as aws:
        sys.stdout.write(f"{aws.url}\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                time.sleep(3600)


if __name__ == "__main__":
    main()
