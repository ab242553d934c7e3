"""The routes below /models, with which SageMaker loads, lists, asks and unloads the models of one endpoint."""

from __future__ import annotations

import asyncio
import urllib.parse
from collections.abc import Awaitable, Callable
from functools import partial

import orjson
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tabular.cells import shown
from tabular.exchange import RequestError, answer_json, read_body
from tabular.invocation import invoke
from tabular.model import ModelError
from tabular.shelf import AlreadyLoadedError, NotLoadedError, Shelf

_LONGEST = 1024
_PAGE = 100

Wrap = Callable[[Callable[[Scope, Receive, Send], Awaitable[None]]], ASGIApp]


class ModelsApi:
    """The handlers of the routes."""

    def __init__(self, shelf: Shelf, largest: int) -> None:
        """Serve the models on `shelf`."""
        self._shelf = shelf
        self._largest = largest

    def routes(self, wrap: Wrap) -> list[Route]:
        """Return the routes, each handler wrapped."""
        return [
            Route("/models/{name}/invoke", wrap(self.ask), methods=["POST"]),
            Route("/models", wrap(self.load), methods=["POST"]),
            Route("/models", wrap(self.list), methods=["GET"]),
            Route("/models/{name}", wrap(self.describe), methods=["GET"]),
            Route("/models/{name}", wrap(self.unload), methods=["DELETE"]),
        ]

    async def ask(self, scope: Scope, receive: Receive, send: Send) -> None:
        """POST /models/{name}/invoke: answer with one of the models."""
        name = scope["path_params"]["name"]
        try:
            model = self._shelf.model(name)
        except NotLoadedError:
            raise _not_loaded(name) from None
        except ModelError as error:
            raise RequestError(404, str(error)) from None
        except MemoryError:
            raise _no_room(name) from None
        await invoke(model, self._largest, scope, receive, send)

    async def load(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """POST /models: load a model from a folder."""
        name, url = _wanted(await read_body(receive, self._largest))
        try:
            await asyncio.to_thread(self._shelf.load, name, url)
        except AlreadyLoadedError:
            raise RequestError(409, f"the model {shown(name)} is loaded already") from None
        except MemoryError:
            raise _no_room(name) from None
        except (ModelError, OSError, ValueError) as error:
            raise RequestError(400, f"the model {shown(name)} cannot be loaded: {error}") from None
        await answer_json(send, 200, {"modelName": name, "modelUrl": url})

    async def list(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """GET /models: the loaded models, in pages."""
        query = urllib.parse.parse_qs(scope["query_string"].decode("latin-1"))
        size = _number(query.get("limit", [""])[0], _PAGE, low=1)
        start = _number(query.get("next_page_token", [""])[0], 0, low=0)
        listed = self._shelf.listed()
        page = [{"modelName": name, "modelUrl": url} for name, url in listed[start : start + size]]
        more = {"nextPageToken": str(start + size)} if start + size < len(listed) else {}
        await answer_json(send, 200, {"models": page} | more)

    async def describe(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """GET /models/{name}: where a model came from."""
        name = scope["path_params"]["name"]
        await self._about(name, partial(self._shelf.url, name), send)

    async def unload(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """DELETE /models/{name}: forget a model."""
        name = scope["path_params"]["name"]
        await self._about(name, partial(self._shelf.unload, name), send)

    @staticmethod
    async def _about(name: str, do: Callable[[], str | None], send: Send) -> None:
        try:
            url = do()
        except NotLoadedError:
            raise _not_loaded(name) from None
        await answer_json(send, 200, {"modelName": name} | ({} if url is None else {"modelUrl": url}))


def _wanted(body: bytes) -> tuple[str, str]:
    """Return name and folder of the model that is to be loaded."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError(400, f"the body is no JSON: {error}") from None
    given = document if isinstance(document, dict) else {}
    name, url = given.get("model_name"), given.get("url")
    if not isinstance(name, str) or not isinstance(url, str):
        raise RequestError(400, f'the body is {shown(document)}; expected {{"model_name": "...", "url": "/..."}}')
    if not 0 < len(name) <= _LONGEST or "/" in name or not name.isprintable():
        raise RequestError(400, f"model_name is {shown(name)}; expected 1 to {_LONGEST} characters, none of them '/'")
    if not url.startswith("/") or len(url) > _LONGEST or "\0" in url:
        raise RequestError(400, f"url is {shown(url)}; expected a folder of this container, beginning with '/'")
    return name, url


def _number(text: str, default: int, *, low: int) -> int:
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < low:  # noqa: PLR2004 - of digits
        raise RequestError(400, f"{shown(text)} is no whole number from {low} on; see limit and next_page_token")
    return int(text)


def _not_loaded(name: str) -> RequestError:
    return RequestError(404, f"the model {shown(name)} is not loaded")


def _no_room(name: str) -> RequestError:
    return RequestError(507, f"there is no memory left for the model {shown(name)}; unload another one")
