"""The routes: what HTTP calls what; the OpenAPI document is generated from here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.event_handler.openapi.params import Path

from lambdas.api import problems
from lambdas.api.problems import ProblemError
from lambdas.api.schemas import (
    MODEL_PATTERN,
    Fault,
    FeedbackRequest,
    FeedbackResponse,
    ModelList,
    PredictionRequest,
    PredictionResponse,
    Problem,
)
from lambdas.shared.text import clip

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic import BaseModel

    from lambdas.api.service import Request, Service

APP = APIGatewayHttpResolver(enable_validation=True)
RESPONSE_LIMIT = 6 * 1024 * 1024 - 64 * 1024
"""Bytes that Lambda hands on, headers and escapes aside."""
_JSON = "application/json"
_PATHS = {"models": "GET", "predictions": "POST", "feedback": "POST"}
"""The last part of each path, and its method."""
_LONGEST_DETAIL = 300

Name = Annotated[str, Path(pattern=MODEL_PATTERN, description="The name of the model.")]


def _responses(model: type[BaseModel], *errors: int) -> dict[int, Any]:
    texts = {
        400: "The body is not JSON.",
        401: "The token is missing or invalid (from the gateway, without a problem document).",
        403: "The caller may not (from the gateway, without a problem document).",
        404: "There is no such model or inference.",
        409: "That is not possible now: it was done already, or the model answers later.",
        413: "Too large: 6 MB at most.",
        415: "The body is not announced as JSON.",
        422: "The body does not fit the model; every fault is named.",
        429: "Too many requests a second (from the gateway) or a day (with a problem document).",
        500: "The API failed.",
        502: "The model failed.",
        503: "The model cannot answer now.",
        504: "The model did not answer in time.",
    }
    problem = {problems.CONTENT_TYPE: {"model": Problem}}
    found: dict[int, Any] = {200: {"description": "Done.", "content": {_JSON: {"model": model}}}}
    for status in errors:
        # The gateway writes its own errors as {"message": ...}, which an HTTP API cannot change.
        from_gateway = {_JSON: {"schema": {"type": "object"}}} if status in {401, 403, 429} else {}
        content = from_gateway if status in {401, 403} else problem | from_gateway
        found[status] = {"description": texts[status], "content": content}
    return found


@APP.post(
    "/models/<model>/predictions",
    summary="Predict",
    description="Encodes the rows as in training, asks the model, and returns a prediction for each row.",
    operation_id="predict",
    responses=_responses(PredictionResponse, 400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 502, 503, 504),
)
def predict(model: Name, body: PredictionRequest) -> Response[Any]:
    """Answer POST /models/{model}/predictions."""
    service, request = _context()
    return _answer(service.predict(model, body, request))


@APP.post(
    "/models/<model>/feedback",
    summary="Tell the outcome of a prediction",
    description="Counts the outcome for the version that predicted, once.",
    operation_id="giveFeedback",
    responses=_responses(FeedbackResponse, 400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503),
)
def feedback(model: Name, body: FeedbackRequest) -> Response[Any]:
    """Answer POST /models/{model}/feedback."""
    service, request = _context()
    return _answer(service.feedback(model, body, request))


@APP.get(
    "/models",
    summary="List the models",
    description="Every model of the environment with its columns and the version that serves.",
    operation_id="listModels",
    responses=_responses(ModelList, 401, 403, 429, 500),
)
def models() -> Response[Any]:
    """Answer GET /models."""
    return _answer(_context()[0].models())


@APP.not_found
def not_found(_error: NotFoundError) -> Response[Any]:
    """Answer what is none of the routes: with 405 where only the method is wrong."""
    path, method = APP.current_event.path, APP.current_event.http_method
    last = path.rstrip("/").rsplit("/", 1)[-1]
    parts = path.strip("/").split("/")
    known = parts == ["models"] or (len(parts) == 3 and parts[0] == "models" and last != "models")  # noqa: PLR2004
    allowed = _PATHS.get(last)
    if known and allowed and allowed != method:
        error = ProblemError(405, f"{clip(method, length=20)} is not for this path", headers={"Allow": allowed})
    else:
        error = ProblemError(404, "there are GET /models, POST /models/{model}/predictions and .../feedback")
    return _problem(error)


@APP.exception_handler(RequestValidationError)  # type: ignore[untyped-decorator] # Powertools leaves it open
def invalid(error: RequestValidationError) -> Response[Any]:
    """Answer a request that does not fit the models of its body and path."""
    if any(found["loc"][:1] == ("path",) for found in error.errors()):
        return _problem(ProblemError(404, "there is no model of that name; GET /models lists them"))
    faults = _faults(error.errors(), APP.current_event.json_body)
    return _problem(ProblemError(422, "the body does not fit; every fault is named", errors=faults))


@APP.exception_handler(ProblemError)  # type: ignore[untyped-decorator] # as above
def problem(error: ProblemError) -> Response[Any]:
    """Answer an error that was foreseen."""
    return _problem(error)


def _context() -> tuple[Service, Request]:
    return APP.context["service"], APP.context["request"]


def _answer(model: BaseModel) -> Response[Any]:
    body = model.model_dump_json()
    if len(body) > RESPONSE_LIMIT:
        return _problem(ProblemError(413, "the answer is longer than the gateway hands on; send fewer rows"))
    return Response(status_code=200, content_type=_JSON, body=body)


def _problem(error: ProblemError) -> Response[Any]:
    _, request = _context()
    return Response(
        status_code=error.status,
        content_type=problems.CONTENT_TYPE,
        body=error.body(request.request_id),
        headers=dict(error.headers),
    )


def _faults(errors: Sequence[Any], body: Any) -> list[Fault]:
    """Return one fault for each place: what does not fit any branch of a union is one, not one for each branch."""
    found: dict[str, list[str]] = {}
    for error in errors:
        steps = [*_steps(error["loc"][1:], body, missing=error["type"] == "missing")]
        place = "".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in steps)
        found.setdefault(place, []).append(error["msg"])
    return [
        Fault(
            pointer=clip(place, length=_LONGEST_DETAIL),
            detail=clip("; or: ".join(dict.fromkeys(words)), length=_LONGEST_DETAIL),
        )
        for place, words in found.items()
    ]


def _steps(location: Sequence[Any], data: Any, *, missing: bool) -> Iterator[str]:
    """Yield the steps of a location, without the names of branches, which are no places in the body."""
    for step in location:
        if isinstance(data, dict) and (step in data or missing):
            data = data.get(step)
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return
        yield str(step)


def document(*, title: str, version: str) -> dict[str, Any]:
    """Return the OpenAPI document."""
    found: dict[str, Any] = json.loads(APP.get_openapi_json_schema(title=title, version=version))
    return found
