"""The program `serve`: one uvicorn process for each processor, each with a listening socket of its own.

With one shared socket a process that is awake takes most of the connections; the kernel spreads them over several
sockets of the same port (SO_REUSEPORT).
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
from collections.abc import Sequence

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from tabular import settings
from tabular.packets import Protocol
from tabular.settings import Settings

APPLICATION = "tabular.server:application"
SHELF = "TABULAR_SHELF"
_GRACE_SECONDS = 25
"""SageMaker kills 30 s after SIGTERM."""
_KEEP_ALIVE_SECONDS = 75
"""Longer than those who ask keep a connection unused, so that it is not closed under a request."""


class Supervisor(Multiprocess):
    """Starts the processes, restarts those that die, and ends with an error when one cannot start."""

    def init_processes(self) -> None:
        """Give each process a socket of its own; one that is started later listens on all of them."""
        for one in self.sockets:
            process = Process(self.config, [one])
            process.start()
            self.processes.append(process)

    @property
    def failed(self) -> bool:
        """Whether a process could not start."""
        return any(process.exitcode == STARTUP_FAILURE for process in self.processes)


def main() -> int:
    """Serve until SIGTERM and return the exit status."""
    try:
        configured = settings.read(os.environ)
    except settings.SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    try:
        sockets = _bound(configured)
    except OSError as error:
        print(f"port {configured.port} cannot be used: {error}", file=sys.stderr)  # noqa: T201
        return 1
    if not configured.multi_model:
        return _serve(configured, sockets)
    with tempfile.TemporaryDirectory(prefix="tabular-") as shelf:
        os.environ[SHELF] = shelf
        return _serve(configured, sockets)


def _serve(configured: Settings, sockets: Sequence[socket.socket]) -> int:
    config = uvicorn.Config(
        APPLICATION,
        factory=True,
        workers=configured.workers,
        loop="uvloop",
        http=Protocol,
        ws="none",
        lifespan="on",
        interface="asgi3",
        access_log=False,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    if configured.workers > 1:
        supervisor = Supervisor(config, list(sockets))
        supervisor.run()
        return 1 if supervisor.failed else 0
    # uvicorn ends gracefully and then sends itself the signal again.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    server = uvicorn.Server(config)
    server.run(list(sockets))
    return 0 if server.started else 1


def _bound(configured: Settings) -> list[socket.socket]:
    address = ("0.0.0.0", configured.port)  # noqa: S104 - a container answers on all of its addresses
    with socket.socket() as alone:  # shared ports let another server go unnoticed
        alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        alone.bind(address)
    found = []
    for _ in range(configured.workers):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind(address)
        one.set_inheritable(True)
        found.append(one)
    return found
