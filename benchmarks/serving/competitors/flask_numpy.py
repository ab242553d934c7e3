"""Flask with numpy."""

from __future__ import annotations

import flask

from benchmarks.serving.competitors.numpy_answers import answer


def ping() -> flask.Response:
    """Answer 200: the model was loaded at import."""
    return flask.Response(status=200)


def invocations() -> flask.Response:
    """Answer in the format of the request."""
    media_type = flask.request.mimetype
    return flask.Response(answer(flask.request.data, media_type), mimetype=media_type)


app = flask.Flask(__name__)
app.add_url_rule("/ping", view_func=ping, methods=["GET"])
app.add_url_rule("/invocations", view_func=invocations, methods=["POST"])
