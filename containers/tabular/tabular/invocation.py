"""POST /invocations: rows come in, answers go out."""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Scope, Send

from tabular.exchange import RequestError, answer, read_body
from tabular.model import Model
from tabular.negotiation import Format, accepted, format_of
from tabular.payload import PayloadError, read_csv, read_json

_ALLOWED = " or ".join(Format)
_MEDIA_TYPES = {one: one.value.encode() for one in Format}
_HEAVY = 2_000_000
"""Bytes of the body times trees from which on a request is answered in a thread, so that /ping stays quick."""
_SINGLE = 2000
"""Bytes up to which a body may have a single row."""


async def invoke(model: Model, largest: int, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the rows in the body.

    Raises:
        RequestError: the request is answered with an error.
        Disconnected: the client has gone.

    """
    content_type = accept = encoding = declared = b""
    for name, value in scope["headers"]:
        if name == b"content-type":
            content_type = value
        elif name == b"accept":
            accept = value
        elif name == b"content-length":
            declared = value
        elif name == b"content-encoding":
            encoding = value
    body = await read_body(receive, largest, declared)
    if not body:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})
        return
    kind, wanted = _formats(content_type, encoding, accept)
    try:
        if len(body) * model.cost > _HEAVY:
            text = await asyncio.to_thread(respond, model, body, kind, wanted)
        else:
            text = respond(model, body, kind, wanted)
    except PayloadError as error:
        raise RequestError(400, str(error)) from None
    await answer(send, 200, _MEDIA_TYPES[wanted], text)


def _formats(content_type: bytes, encoding: bytes, accept: bytes) -> tuple[Format, Format]:
    kind = format_of(content_type)
    if kind is None or encoding not in {b"", b"identity"}:
        raise RequestError(415, f"the body is not {_ALLOWED}; set the header Content-Type, and do not compress it")
    wanted = accepted(accept, kind)
    if wanted is None:
        raise RequestError(406, f"answers are {_ALLOWED}; set the header Accept to one of them")
    return kind, wanted


def respond(model: Model, body: bytes, kind: Format, wanted: Format) -> bytes:
    """Return the answer to a body.

    Raises:
        PayloadError: the body is malformed.

    """
    single = model.single
    if single is not None and len(body) <= _SINGLE:
        row = model.reader.csv(body) if kind is Format.CSV else model.reader.json(body)
        if row is not None:
            return single.csv(row) if wanted is Format.CSV else single.json(row)
    rows = read_csv(body, model.features) if kind is Format.CSV else read_json(body, model.features)
    return model.csv(rows) if wanted is Format.CSV else model.json(rows)
