"""The routes by which SageMaker loads and unloads models in a container that serves many."""

from __future__ import annotations

import json
from http import HTTPStatus

from mlops.container.sample import Sample
from mlops.container.serving import Answer, Server

NAME = "first"
_LOAD = json.dumps({"model_name": NAME, "url": f"/opt/ml/models/{NAME}/model"}).encode()
_JSON = {"Content-Type": "application/json"}


def model_routes(server: Server, sample: Sample) -> str:
    """Load, list, describe, invoke and unload a model; return what is wrong, nothing if nothing is."""
    body, headers = sample.request.read_bytes(), {"Content-Type": sample.content_type}
    one, invoke = f"/models/{NAME}", f"/models/{NAME}/invoke"
    steps = (
        ("POST /models", server.ask("POST", "/models", _LOAD, _JSON), HTTPStatus.OK),
        ("POST /models again", server.ask("POST", "/models", _LOAD, _JSON), HTTPStatus.CONFLICT),
        ("GET /models", server.ask("GET", "/models"), HTTPStatus.OK),
        (f"GET {one}", server.ask("GET", one), HTTPStatus.OK),
        (f"POST {invoke}", server.ask("POST", invoke, body, headers), HTTPStatus.OK),
        (f"DELETE {one}", server.ask("DELETE", one), HTTPStatus.OK),
        (f"POST {invoke} after that", server.ask("POST", invoke, body, headers), HTTPStatus.NOT_FOUND),
    )
    for what, answer, expected in steps:
        if answer.status != expected:
            return f"{what}: {answer.status or 'no answer'} instead of {expected}"
    return "" if _lists(steps[2][1]) else f'GET /models does not list {{"modelName": "{NAME}", "modelUrl": ...}}'


def _lists(answer: Answer) -> bool:
    try:
        return any(model["modelName"] == NAME and model["modelUrl"] for model in json.loads(answer.body)["models"])
    except (ValueError, KeyError, TypeError):
        return False
