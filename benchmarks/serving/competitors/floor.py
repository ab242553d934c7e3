"""The floor: the HTTP server of containers/tabular alone; it reads requests, predicts ready rows, sends ready answers.

It is started as `serve` starts its own application: same environment, options and sockets. Nothing is parsed, checked,
routed or formatted.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from benchmarks.serving.competitors.numpy_answers import answer, predict, rows_of
from benchmarks.serving.competitors.prepare import FOLDER

MEDIA_TYPES = {".csv": "text/csv", ".json": "application/json"}
READY = {
    (path.stat().st_size, media_type.encode()): (
        rows_of(path.read_bytes(), media_type),
        answer(path.read_bytes(), media_type),
    )
    for suffix, media_type in MEDIA_TYPES.items()
    for path in FOLDER.glob(f"[0-9]*{suffix}")
}


def create() -> Any:
    """Return the application."""
    return app


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer the health check with 200, the rest with what is ready."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    length, more = 0, True
    while more:
        message = await receive()
        length += len(message.get("body", b""))
        more = message.get("more_body", False)
    media_type, content = b"text/plain", b""
    if scope["path"] != "/ping":
        media_type = dict(scope["headers"])[b"content-type"]
        rows, content = READY[length, media_type]
        predict(rows)
    headers = [(b"content-type", media_type), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def _live(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


if __name__ == "__main__":
    supervisor = importlib.import_module("tabular.supervisor")
    vars(supervisor)["APPLICATION"] = "benchmarks.serving.competitors.floor:create"
    sys.exit(supervisor.main())
