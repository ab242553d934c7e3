"""The web application of `serve`: what SageMaker asks of a model, for pictures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from segmentation.pictures import FORMATS, PictureError, PictureTooLargeError, read_pixels

MEGABYTE = 1024 * 1024
JSON = "application/json"
Predict = Callable[[NDArray[np.uint8]], dict[str, Any]]
"""Answers the pixels of one picture with the JSON document of what is in it."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much one server takes on."""

    body: int = 6 * MEGABYTE
    """Bytes of one request."""
    waiting: int = 32
    """Pictures that wait for a device; the next caller hears at once that it is busy."""
    at_once: int = 1
    """Pictures in work, one for each device."""


class Service:
    """Holds the model, once there is one, and gives it one picture for each device at a time."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.predict: Predict | None = None
        self._threads = ThreadPoolExecutor(max_workers=limits.at_once)
        self._taken = 0

    async def answer(self, body: bytes, content_type: str) -> dict[str, Any]:
        """Return what is in the picture."""
        if self.predict is None:
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, "the model is not loaded yet")
        if self._taken >= self.limits.waiting + self.limits.at_once:
            reason = f"{self.limits.waiting} pictures are waiting already; try again later"
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, reason, {"Retry-After": "1"})
        self._taken += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, _answer, self.predict, body, content_type)
        finally:
            self._taken -= 1


def _answer(predict: Predict, body: bytes, content_type: str) -> dict[str, Any]:
    try:
        pixels = read_pixels(body, formats=(FORMATS[content_type],))
    except PictureTooLargeError as error:
        raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error)) from error
    except PictureError as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"the body is not {content_type}: {error}") from error
    begin = time.perf_counter()
    answer = predict(pixels)
    return {"version": 1, **answer, "seconds": round(time.perf_counter() - begin, 4)}


def application(service: Service) -> Starlette:
    """Return the web application."""

    async def ping(_request: Request) -> Response:
        ready = service.predict is not None
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse({"status": "ready" if ready else "loading"}, status)

    async def invocations(request: Request) -> Response:
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        body = await _read(request, service.limits.body)
        if not body:
            return Response(status_code=HTTPStatus.NO_CONTENT)
        if content_type not in FORMATS or request.headers.get("content-encoding", "identity") != "identity":
            reason = f"the body is not {' or '.join(FORMATS)}; set the header Content-Type, without compression"
            raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, reason)
        if not accepts_json(request.headers.get("accept", "")):
            raise HTTPException(HTTPStatus.NOT_ACCEPTABLE, f"answers are {JSON}; set the header Accept to it")
        return JSONResponse(await service.answer(body, content_type))

    async def execution_parameters(_request: Request) -> Response:
        document = {
            # Two for each device, so that one is on its way while the other is in work.
            "MaxConcurrentTransforms": 2 * service.limits.at_once,
            "BatchStrategy": "SINGLE_RECORD",
            "MaxPayloadInMB": max(1, service.limits.body // MEGABYTE),
        }
        return JSONResponse(document)

    routes = [
        Route("/ping", ping, methods=["GET"]),
        Route("/invocations", invocations, methods=["POST"]),
        Route("/execution-parameters", execution_parameters, methods=["GET"]),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _explain, ClientDisconnect: _gone})
    app.router.redirect_slashes = False
    return app


async def _read(request: Request, limit: int) -> bytes:
    body = bytearray()
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared[:20]) <= limit:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                break
        else:
            return bytes(body)
    # The rest of the body is not read: the connection ends with the answer.
    reason = f"the body is larger than {limit} bytes; send a smaller picture"
    raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, reason, {"Connection": "close"})


def accepts_json(accept: str) -> bool:
    """Tell whether the header Accept lets the answer be JSON; of the patterns that match, the most exact decides."""
    patterns = ("*/*", "application/*", JSON)
    liked = -1, not accept.strip()
    for part in accept.split(","):
        name, *parameters = (each.strip().lower() for each in part.split(";"))
        if name in patterns and patterns.index(name) >= liked[0]:
            liked = patterns.index(name), not any(_is_zero(each) for each in parameters)
    return liked[1]


def _is_zero(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and not value.strip().strip("0.")


async def _explain(_request: Request, error: Exception) -> Response:
    """Answer every error with {"error": reason}, also to a caller who does not accept JSON."""
    if not isinstance(error, HTTPException):
        raise error
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _gone(_request: Request, _error: Exception) -> Response:
    """Answer nobody: the client has gone before it sent all of its request."""
    return Response(status_code=HTTPStatus.BAD_REQUEST)
