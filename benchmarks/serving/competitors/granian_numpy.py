"""Granian's own interface (RSGI) with numpy."""

from __future__ import annotations

from typing import Any

from benchmarks.serving.competitors.numpy_answers import answer


async def app(scope: Any, protocol: Any) -> None:
    """Answer the health check with 200 and the rest in the format of the request."""
    if scope.path == "/ping":
        protocol.response_empty(200, [])
        return
    media_type = scope.headers["content-type"]
    protocol.response_bytes(200, [("content-type", media_type)], answer(await protocol(), media_type))
