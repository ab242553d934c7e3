"""Robyn with numpy: `python -m ... PORT --processes N`."""

from __future__ import annotations

import sys

PORT = int(sys.argv.pop(1))  # before the import: Robyn reads the command line itself

from robyn import Headers, Request, Response, Robyn  # noqa: E402

from benchmarks.serving.competitors.numpy_answers import answer  # noqa: E402


def ping() -> Response:
    """Answer 200: the model was loaded at import."""
    return Response(status_code=200, headers=Headers({}), description="")


def invocations(request: Request) -> Response:
    """Answer in the format of the request."""
    media_type = request.headers.get("content-type")
    body = request.body if isinstance(request.body, bytes) else request.body.encode()
    return Response(
        status_code=200, headers=Headers({"content-type": media_type}), description=answer(body, media_type)
    )


app = Robyn(__file__)
app.get("/ping")(ping)
app.post("/invocations")(invocations)

if __name__ == "__main__":
    app.start(host="127.0.0.1", port=PORT)
