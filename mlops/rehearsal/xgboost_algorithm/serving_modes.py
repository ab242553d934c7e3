"""What the container answers in algorithm mode: with the model in its folder, or with those that it is told to load.

The several models have the routes of the multi-model contract, and the container's own way to write CSV there: values
between commas on one line, a row of several classes in brackets (`algorithm_mode/handler_service.py` of
aws/sagemaker-xgboost-container).
"""

from __future__ import annotations

import json
import os
import threading
import urllib.parse
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mlops.rehearsal.xgboost_algorithm import payload
from mlops.rehearsal.xgboost_algorithm.errors import PlatformError
from mlops.rehearsal.xgboost_algorithm.native import Booster, XGBoostError
from mlops.rehearsal.xgboost_algorithm.payload import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    status: HTTPStatus
    body: bytes = b""
    content_type: str | None = None


class Mode(Protocol):
    """What answers requests."""

    def respond(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Answer one request, or raise RefusedError."""


@dataclass(frozen=True)
class Model:
    """The model in service; one prediction at a time, on one thread, as in a worker of the container."""

    booster: Booster
    features: int
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def load(cls, folder: Path) -> Model:
        """Load the one model file in `folder`.

        Raises:
            PlatformError: there is none, there are several, or it is not a model.

        """
        files = sorted(file for file in folder.glob("*") if file.is_file() and not file.name.startswith("."))
        if len(files) != 1:
            msg = f"{folder} holds {len(files)} model files where one is expected: {[file.name for file in files]}"
            raise PlatformError(msg)
        booster = Booster()
        try:
            booster.load(files[0].read_bytes())
            booster.configure("nthread", "1")
            return cls(booster, booster.features)
        except XGBoostError as error:
            msg = f"Model at {files[0]} cannot be loaded:\n{error}"
            raise PlatformError(msg) from error

    def predict(self, body: bytes, content_type: str | None) -> list[list[float]]:
        """Predict every row of a request."""
        with self._lock:
            return payload.predict(self.booster, self.features, body, content_type)


@dataclass(frozen=True)
class AlgorithmMode:
    """One model."""

    model: Model
    accept: str
    batch: bool
    megabytes: int

    @classmethod
    def load(cls, folder: Path, *, accept: str, batch: bool, megabytes: int) -> AlgorithmMode:
        """Load the model in `folder`, or raise PlatformError."""
        return cls(Model.load(folder), accept, batch, megabytes)

    def respond(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Answer /invocations and /execution-parameters."""
        match method, path:
            case "GET", "/execution-parameters":
                parameters = {
                    "MaxConcurrentTransforms": os.cpu_count() or 1,
                    "BatchStrategy": "MULTI_RECORD",
                    "MaxPayloadInMB": self.megabytes,
                }
                return Reply(HTTPStatus.OK, json.dumps(parameters).encode(), payload.JSON)
            case "POST", "/invocations":
                if not body:
                    return Reply(HTTPStatus.NO_CONTENT)
                predictions = self.model.predict(body, headers.get("Content-Type"))
                kind = payload.answer_type(headers.get("Accept"), default=self.accept)
                return Reply(HTTPStatus.OK, payload.encode(predictions, kind, batch=self.batch), kind)
            case _, "/invocations" | "/ping" | "/execution-parameters":
                raise refusal(HTTPStatus.METHOD_NOT_ALLOWED)
            case _:
                raise refusal(HTTPStatus.NOT_FOUND)


class MultiModelMode:
    """The models that SageMaker has had loaded."""

    def __init__(self, *, accept: str) -> None:
        """Begin without any."""
        self._accept = accept
        self._models: dict[str, tuple[str, Model]] = {}
        self._lock = threading.Lock()

    def respond(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Answer the routes below /models."""
        match method, path.removeprefix("/").split("/"):
            case "GET", ["models"]:
                listed = sorted((name, url) for name, (url, _) in self._models.items())
                return _json({"models": [{"modelName": name, "modelUrl": url} for name, url in listed]})
            case "POST", ["models"]:
                return self._load(body)
            case "POST", ["models", name, "invoke"]:
                return self._invoke(self._found(name), body, headers)
            case "GET", ["models", name]:
                return _json([{"modelName": urllib.parse.unquote(name), "modelUrl": self._found(name)[0]}])
            case "DELETE", ["models", name]:
                self._found(name)
                with self._lock:
                    self._models.pop(urllib.parse.unquote(name), None)
                return _json({"status": f'Model "{urllib.parse.unquote(name)}" unregistered'})
            case _:
                raise refusal(HTTPStatus.NOT_FOUND)

    def _found(self, name: str) -> tuple[str, Model]:
        found = self._models.get(urllib.parse.unquote(name))
        if found is None:
            raise RefusedError(HTTPStatus.NOT_FOUND, f"Model not found: {urllib.parse.unquote(name)}")
        return found

    def _load(self, body: bytes) -> Reply:
        try:
            wanted = json.loads(body)
            name, url = str(wanted["model_name"]), str(wanted["url"])
        except (ValueError, KeyError, TypeError) as error:
            message = 'the body must be {"model_name": "...", "url": "/..."}'
            raise RefusedError(HTTPStatus.BAD_REQUEST, message) from error
        if name in self._models:
            raise RefusedError(HTTPStatus.CONFLICT, f"Model {name} is already registered.")
        try:
            model = Model.load(Path(url))
        except PlatformError as error:
            raise RefusedError(HTTPStatus.BAD_REQUEST, f"Unable to load model: {error.args[0]}") from error
        with self._lock:
            self._models[name] = (url, model)
        return _json({"status": "Workers scaled"})

    def _invoke(self, found: tuple[str, Model], body: bytes, headers: Mapping[str, str]) -> Reply:
        if not body:
            return Reply(HTTPStatus.NO_CONTENT)
        predictions = found[1].predict(body, headers.get("Content-Type"))
        kind = payload.answer_type(headers.get("Accept"), default=self._accept)
        values = [row[0] if len(row) == 1 else row for row in predictions]
        text = json.dumps(values) if kind == payload.JSON else ",".join(map(str, values))
        return Reply(HTTPStatus.OK, text.encode(), kind)


def refusal(status: HTTPStatus) -> RefusedError:
    """Return the answer that is nothing but a status."""
    return RefusedError(status, status.phrase)


def _json(document: object) -> Reply:
    return Reply(HTTPStatus.OK, json.dumps(document).encode(), payload.JSON)
