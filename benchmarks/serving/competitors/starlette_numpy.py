"""Starlette with numpy."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.serving.competitors.numpy_answers import answer


async def ping(_: Request) -> Response:
    """Answer 200: the model was loaded at import."""
    return Response()


async def invocations(request: Request) -> Response:
    """Answer in the format of the request."""
    media_type = request.headers["content-type"]
    return Response(answer(await request.body(), media_type), media_type=media_type)


app = Starlette(routes=[Route("/ping", ping), Route("/invocations", invocations, methods=["POST"])])
