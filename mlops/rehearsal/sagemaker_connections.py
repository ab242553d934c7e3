"""Connections to the process of a model that are kept for the next request."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Connections:
    """Sends requests to one loopback port, each on a connection that no other request uses meanwhile."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._lock = threading.Lock()
        self._idle: list[http.client.HTTPConnection] = []

    def post(
        self,
        path: str,
        body: bytes,
        headers: dict[str, str],
        *,
        seconds: float,
        read: Callable[[http.client.HTTPResponse], T],
    ) -> T:
        """Return what `read` makes of the answer to a POST request.

        A kept connection that its server has closed meanwhile is replaced by a new one, once.

        Raises:
            OSError: nobody listens, or the connection broke; TimeoutError after `seconds`.
            HTTPException: the answer is no HTTP.

        """
        kept = self._take()
        if kept is not None:
            try:
                return self._exchange(kept, path, body, headers, seconds=seconds, read=read)
            except TimeoutError:
                raise
            except (ConnectionError, http.client.BadStatusLine):
                pass  # as good as closed before the request arrived: predictions have no side effects
        fresh = http.client.HTTPConnection("127.0.0.1", self._port, timeout=seconds)
        return self._exchange(fresh, path, body, headers, seconds=seconds, read=read)

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> http.client.HTTPConnection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        path: str,
        body: bytes,
        headers: dict[str, str],
        *,
        seconds: float,
        read: Callable[[http.client.HTTPResponse], T],
    ) -> T:
        try:
            if connection.sock is None:
                connection.connect()
            link: socket.socket = connection.sock
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link.settimeout(seconds)
            connection.request("POST", path, body=body, headers=headers)
            response = connection.getresponse()
            result = read(response)
        except BaseException:
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            with self._lock:
                self._idle.append(connection)
        return result
