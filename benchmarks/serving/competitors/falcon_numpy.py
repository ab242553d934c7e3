"""Falcon (ASGI) with numpy."""

from __future__ import annotations

import falcon.asgi

from benchmarks.serving.competitors.numpy_answers import answer


class Ping:
    """The health check."""

    async def on_get(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        """Answer 200: the model was loaded at import."""


class Invocations:
    """The predictions."""

    async def on_post(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        """Answer in the format of the request."""
        media_type = request.content_type
        response.data = answer(await request.stream.read(), media_type)
        response.content_type = media_type


app = falcon.asgi.App()
app.add_route("/ping", Ping())
app.add_route("/invocations", Invocations())
