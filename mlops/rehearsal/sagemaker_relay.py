"""A loopback port that leads to a Unix socket: how programs without a network are reached."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from pathlib import Path

_CHUNK = 65536


class Relay:
    """Passes on every connection to a port of this machine until it is ended."""

    def __init__(self, path: Path) -> None:
        """Listen on a free port; connections lead to the socket at `path`, which need not be there yet."""

        class Handler(socketserver.BaseRequestHandler):
            """Passes on one connection."""

            def handle(self) -> None:
                _pass_on(self.request, path)

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name=f"relay-{self.port}", daemon=True
        ).start()

    def end(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


def _pass_on(client: socket.socket, path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as program:
        try:
            program.connect(str(path))
        except OSError:
            return  # the program is not there: the client sees its connection closed, as it would without a relay
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = threading.Thread(target=_copy, args=(program, client), daemon=True)
        back.start()
        _copy(client, program)
        back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
