"""A container of many models: each is fetched from S3 when it is first asked for, and loaded by the container's API.

https://docs.aws.amazon.com/sagemaker/latest/dg/build-multi-model-build-container.html
"""

from __future__ import annotations

import hashlib
import json
import threading
import urllib.parse
from http import HTTPStatus
from typing import Any

from mlops.rehearsal import (
    images,
    sagemaker_fleets,
    sagemaker_job,
    sagemaker_models,
    sagemaker_runtime,
    sagemaker_storage,
)
from mlops.rehearsal.sagemaker_observed import LogStream
from mlops.rehearsal.sagemaker_programs import BASE
from mlops.rehearsal.sagemaker_serving import INVOCATION_SECONDS, Answer, ModelServer, NoAnswerError

NOT_REHEARSED: tuple[tuple[str, str], ...] = (
    (
        "models that a multi-model endpoint forgets when memory or disk are full",
        "one process holds every model that it was asked for",
    ),
    ("metrics of the loading of models, such as ModelCacheHit", "they are not published"),
)
_LOADED = (HTTPStatus.OK, HTTPStatus.CONFLICT)


class MultiModelServer(ModelServer):
    """The process of a container of many models, and which of them it has loaded."""

    def __post_init__(self) -> None:
        """Begin without models."""
        super().__post_init__()
        self._known: set[str] = set()
        self._loading = threading.Lock()

    def invoke(self, body: bytes, headers: dict[str, str], *, seconds: float = INVOCATION_SECONDS) -> Answer:
        """Send one request to the model that it names, which is loaded first if it is not there.

        Raises:
            NoAnswerError: the container is gone, or cannot load the model.
            RuntimeRefusal: the request names no model, or one that is not in S3.

        """
        target = {name.lower(): value for name, value in headers.items()}.get(sagemaker_runtime.TARGET_MODEL)
        if target is None:
            message = f"Request is missing a target model header for multi-model endpoint variant {self.variant}."
            raise sagemaker_runtime.refused(message)
        with self._loading:
            if target not in self._known:
                self._load_model(target, seconds)
                self._known.add(target)
        path = f"/models/{urllib.parse.quote(_name(target), safe='')}/invoke"
        return self.ask(path, body, headers, seconds=seconds)

    def _load_model(self, target: str, seconds: float) -> None:
        uri = f"{(self.container.model_data or '').rstrip('/')}/{target}"
        place = f"models/{_name(target)}/model"
        folder = self._workspace.base / place
        folder.mkdir(parents=True, exist_ok=True)
        s3 = sagemaker_job.client("s3", self.container.role_arn, self.backend)
        try:
            sagemaker_storage.extract_archive(s3, uri, folder)
        except sagemaker_storage.StorageError as error:
            bucket, key = sagemaker_storage.split(uri)
            message = (
                f"Failed to download model data(bucket: {bucket}, key: {key}). Please ensure that there is an object "
                "located at the URL and that the role passed to CreateModel has permissions to download the model. "
                f"({error})"
            )
            raise sagemaker_runtime.refused(message) from error
        # A program of this machine does not see the workspace at /opt/ml.
        inside = images.find(self.container.image).stored is not None
        url = f"{BASE}/{place}" if inside else str(folder)
        wanted = json.dumps({"model_name": _name(target), "url": url}).encode()
        answer = self.ask("/models", wanted, {"Content-Type": "application/json"}, seconds=seconds)
        if answer.status not in _LOADED:
            text = answer.body.decode(errors="replace")
            message = f"the container cannot load the model {target}: {answer.status} {text}"
            raise NoAnswerError(message)
        self.log.write(f"loaded the model {target}")


def _name(target: str) -> str:
    """Return what the container calls a model: SageMaker gives it a name without slashes."""
    return hashlib.sha256(target.encode()).hexdigest()[:32]


def install() -> None:
    """Serve the variants of endpoints whose model is a container of many models."""
    if _server not in sagemaker_fleets.FACTORIES:
        sagemaker_fleets.FACTORIES.append(_server)


def _server(backend: Any, variant: dict[str, Any], log: LogStream, title: str) -> MultiModelServer | None:
    if not variant.get("ModelName"):
        return None
    containers = sagemaker_models.containers_of(backend, variant["ModelName"])
    if len(containers) != 1 or not containers[0].many_models:
        return None
    variables = {"SAGEMAKER_MULTI_MODEL": "true"}
    return MultiModelServer(backend, containers[0], log, title, variables, variant["VariantName"])
