"""What the predecessor's container does with a request, in Python 3: a data frame in, `predict`, a data frame out.

Its nginx and its gunicorn stand in front of this Flask application. Two things are gentler than in the original: no
column is dropped from the request, and nginx writes no access log. It answers class names, and knows no JSON: that is
added here in its own manner, with pandas.
"""

from __future__ import annotations

import io

import flask
import joblib
import pandas as pd
from sklearn.tree import DecisionTreeClassifier

from benchmarks.serving.competitors.prepare import MODEL


class Predictor:
    """The model, loaded by the first request of a worker."""

    model: DecisionTreeClassifier | None = None

    @classmethod
    def load(cls) -> DecisionTreeClassifier:
        """Return the model."""
        if cls.model is None:
            cls.model = joblib.load(MODEL)
        return cls.model


def ping() -> flask.Response:
    """Answer 200 when the model can be loaded."""
    return flask.Response(response="\n", status=200 if Predictor.load() is not None else 404)


def invocations() -> flask.Response:
    """Answer one class a row."""
    if flask.request.mimetype == "text/csv":
        frame = pd.read_csv(io.StringIO(flask.request.data.decode("utf-8")), header=None)
        out = io.StringIO()
        pd.DataFrame({"results": Predictor.load().predict(frame.to_numpy())}).to_csv(out, header=False, index=False)
        return flask.Response(response=out.getvalue(), mimetype="text/csv")
    if flask.request.mimetype == "application/json":
        frame = pd.DataFrame(flask.request.get_json()["instances"])
        results = pd.DataFrame({"predictions": Predictor.load().predict(frame.to_numpy())})
        return flask.jsonify(results.to_dict(orient="list"))
    return flask.Response(response="this server reads CSV only", status=415)


app = flask.Flask(__name__)
app.add_url_rule("/ping", view_func=ping, methods=["GET"])
app.add_url_rule("/invocations", view_func=invocations, methods=["POST"])
