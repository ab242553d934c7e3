"""A request read and an answer sent, in the words of ASGI."""

from __future__ import annotations

import orjson
from starlette.types import Receive, Send

Headers = list[tuple[bytes, bytes]]


class RequestError(Exception):
    """A request that is answered with an error status and the reason."""

    def __init__(self, status: int, reason: str, *headers: tuple[bytes, bytes]) -> None:
        """Keep the status, the reason and additional headers."""
        super().__init__(reason)
        self.status = status
        self.headers = list(headers)


class Disconnected(Exception):  # noqa: N818 - it is no error of ours
    """The client has gone before it sent all of its request."""


async def read_body(receive: Receive, largest: int, declared: bytes = b"") -> bytes:
    """Return the body of the request, of which the header Content-Length is `declared`.

    Raises:
        RequestError: it is too large.
        Disconnected: it never came.

    """
    if declared.isdigit() and int(declared) > largest:
        raise _too_large(int(declared), largest)
    message = await receive()
    if message["type"] != "http.request":
        raise Disconnected
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        parts = [body]
        length = len(body)
        while message.get("more_body"):
            message = await receive()
            if message["type"] != "http.request":
                raise Disconnected
            parts.append(message.get("body", b""))
            length += len(parts[-1])
            if length > largest:
                raise _too_large(length, largest)
        return b"".join(parts)
    if len(body) > largest:
        raise _too_large(len(body), largest)
    return body


def _too_large(length: int, largest: int) -> RequestError:
    # The rest of the body is not read: the connection ends with the answer.
    reason = f"the body has {length} bytes or more; at most {largest} are read: send fewer rows in one request"
    return RequestError(413, reason, (b"connection", b"close"))


async def answer(send: Send, status: int, media_type: bytes, body: bytes, headers: Headers | None = None) -> None:
    """Send a whole answer."""
    sent = [(b"content-type", media_type), (b"content-length", b"%d" % len(body)), *(headers or ())]
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": body})


async def answer_json(send: Send, status: int, document: object, headers: Headers | None = None) -> None:
    """Send a JSON document."""
    await answer(send, status, b"application/json", orjson.dumps(document), headers)
