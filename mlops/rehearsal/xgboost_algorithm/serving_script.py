"""Script mode: the functions of a module of the caller's answer, as the container's toolkit calls them.

As in `_transformer.py` and `_worker.py` of sagemaker-containers: `model_fn` loads; `transform_fn` answers, or
`input_fn`, `predict_fn` and `output_fn` together do; the body is text where its type says so; an answer is a body with
its type, or a response of Flask; whatever is raised becomes 500.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops.rehearsal.xgboost_algorithm import payload
from mlops.rehearsal.xgboost_algorithm.errors import PlatformError, UserError
from mlops.rehearsal.xgboost_algorithm.serving_modes import Reply, refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTAINER_BASE = Path("/opt/ml")
_TEXT = (payload.CSV, payload.JSON)
_PARTS = ("input_fn", "predict_fn", "output_fn")


@dataclass(frozen=True)
class ScriptMode:
    """A module and the model that its `model_fn` has loaded."""

    module: Any
    model: Any
    accept: str

    @classmethod
    def load(cls, base: Path, variables: Mapping[str, str]) -> ScriptMode:
        """Import the module that SAGEMAKER_PROGRAM names, from a folder of the model, and load the model.

        Raises:
            PlatformError: the module would have to be fetched from S3.
            UserError: it cannot be imported, or has not the functions that it needs.

        """
        place = variables.get("SAGEMAKER_SUBMIT_DIRECTORY") or "/opt/ml/code"
        if place.startswith("s3://"):
            msg = f"SAGEMAKER_SUBMIT_DIRECTORY is {place}: no script is fetched from S3 here; pack it with the model"
            raise PlatformError(msg)
        inside = Path(place).is_relative_to(CONTAINER_BASE)
        folder = base / Path(place).relative_to(CONTAINER_BASE) if inside else Path(place)
        program = variables["SAGEMAKER_PROGRAM"].removesuffix(".py")
        sys.path.insert(0, str(folder))
        try:
            module = importlib.import_module(program)
            model = module.model_fn(str(base / "model"))
        except Exception as error:
            traceback.print_exc()
            msg = f"{program} of {folder} cannot serve: {type(error).__name__}: {error}"
            raise UserError(msg) from error
        parts = [name for name in _PARTS if hasattr(module, name)]
        if parts if hasattr(module, "transform_fn") else len(parts) < len(_PARTS):
            msg = f"{program} must have transform_fn, or all of {', '.join(_PARTS)}, and not both"
            raise UserError(msg)
        return cls(module, model, variables.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or payload.JSON)

    def respond(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Answer /invocations; script mode has no /execution-parameters."""
        if path != "/invocations":
            raise refusal(HTTPStatus.NOT_FOUND)
        if method != "POST":
            raise refusal(HTTPStatus.METHOD_NOT_ALLOWED)
        kind = headers.get("Content-Type") or payload.JSON
        accept = headers.get("Accept") or "*/*"
        accept = self.accept if accept == "*/*" else accept
        try:
            content = body.decode("utf-8", "replace") if kind in _TEXT else body
            return _reply(self._answer(content, kind, accept), accept)
        except Exception:  # noqa: BLE001 - as in the container, which answers so
            traceback.print_exc()
            text = b"<!doctype html>\n<title>500 Internal Server Error</title>\n<h1>Internal Server Error</h1>\n"
            return Reply(HTTPStatus.INTERNAL_SERVER_ERROR, text, "text/html; charset=utf-8")

    def _answer(self, content: str | bytes, kind: str, accept: str) -> Any:
        module = self.module
        if hasattr(module, "transform_fn"):
            return module.transform_fn(self.model, content, kind, accept)
        return module.output_fn(module.predict_fn(module.input_fn(content, kind), self.model), accept)


def _reply(answer: Any, accept: str) -> Reply:
    if hasattr(answer, "get_data"):
        return Reply(HTTPStatus(answer.status_code), answer.get_data(), answer.content_type)
    text, kind = answer if isinstance(answer, tuple) else (answer, accept)
    # Flask names the character set of text.
    kind = f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
    return Reply(HTTPStatus.OK, text.encode() if isinstance(text, str) else text, kind)
