"""The application that answers SageMaker: /ping, /invocations, /execution-parameters, and /models for many models."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from tabular import settings
from tabular.exchange import Disconnected, RequestError, answer, answer_json
from tabular.invocation import invoke
from tabular.model import Model
from tabular.models_api import ModelsApi
from tabular.settings import MEGABYTE, Settings
from tabular.shelf import Shelf

SHELF = "TABULAR_SHELF"
"""The variable in which `serve` tells its processes where the notes about loaded models are."""
_LOG = logging.getLogger("uvicorn.error")

Handler = Callable[[Scope, Receive, Send], Awaitable[None]]


class Endpoint:
    """A handler as an ASGI application of its own; errors become answers."""

    def __init__(self, handler: Handler) -> None:
        """Wrap `handler`."""
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            await self._handler(scope, receive, send)
        except RequestError as error:
            await answer_json(send, error.status, {"error": str(error)}, error.headers)
        except Disconnected:
            pass
        except Exception:  # noqa: BLE001 - the last place that can answer
            _LOG.exception("%s %s broke down", scope["method"], scope["path"])
            await answer_json(send, 500, {"error": "the server broke down; its log says why"})


class Application:
    """Starlette's router, with the one route that has to be fast in front of it."""

    def __init__(self, configured: Settings, shelf: Path | None = None) -> None:
        """Serve as `configured`; `shelf` is the folder for the notes about the models of a multi-model endpoint.

        Raises:
            SettingsError: several models shall be served, and there is no folder for the notes.

        """
        self._configured = configured
        self._invocations: Endpoint | None = None
        routes = [
            Route("/ping", Endpoint(_ping), methods=["GET"]),
            Route("/execution-parameters", Endpoint(self._execution_parameters), methods=["GET"]),
        ]
        if not configured.multi_model:
            routes.append(Route("/invocations", Endpoint(_wrong_method)))
        elif shelf is None:
            msg = f"{SHELF} is not set: a multi-model server is started by the program serve"
            raise settings.SettingsError(msg)
        else:
            routes += ModelsApi(Shelf(shelf), configured.largest_body).routes(Endpoint)
        self._router = Router(routes, redirect_slashes=False, default=Endpoint(_unknown), lifespan=self._lifespan)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or start and end with the server."""
        if scope.get("path") == "/invocations" and scope["method"] == "POST" and self._invocations is not None:
            await self._invocations(scope, receive, send)
        else:
            await self._router(scope, receive, send)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app: object) -> AsyncIterator[None]:
        """Load the model before the server listens."""
        if not self._configured.multi_model:
            model, largest = Model(self._configured.folder), self._configured.largest_body

            async def invocations(scope: Scope, receive: Receive, send: Send) -> None:
                await invoke(model, largest, scope, receive, send)

            self._invocations = Endpoint(invocations)
        # What is there now stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        yield

    async def _execution_parameters(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        document = {
            "MaxConcurrentTransforms": self._configured.workers,
            "BatchStrategy": "MULTI_RECORD",
            "MaxPayloadInMB": max(1, self._configured.largest_body // MEGABYTE),
        }
        await answer_json(send, 200, document)


async def _ping(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Say that the server is healthy: it does not listen before the model is loaded."""
    await answer(send, 200, b"text/plain", b"")


async def _wrong_method(scope: Scope, _receive: Receive, _send: Send) -> None:
    raise RequestError(405, f"/invocations is asked with POST, not with {scope['method'][:20]}", (b"allow", b"POST"))


async def _unknown(scope: Scope, _receive: Receive, _send: Send) -> None:
    raise RequestError(404, f"there is no {scope['method'][:20]} {scope['path'][:100]!r} here")


def application() -> Application:
    """Return the application of one server process, as the environment describes it."""
    return Application(settings.read(os.environ), Path(os.environ[SHELF]) if SHELF in os.environ else None)
