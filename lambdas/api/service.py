"""What the API does, without HTTP: predict, take feedback, tell what models there are."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.api import answers, telemetry
from lambdas.api.encoding import Encoder
from lambdas.api.invocation import GoneError, Question
from lambdas.api.problems import ProblemError
from lambdas.api.schemas import (
    Feature,
    FeedbackRequest,
    FeedbackResponse,
    ModelDescription,
    ModelList,
    PredictionRequest,
    PredictionResponse,
)
from lambdas.api.serving import RETRY_AFTER
from lambdas.api.store import Inference

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.logging import Logger

    from lambdas.api.catalogue import Catalogue, Model
    from lambdas.api.invocation import Answer, Invoker
    from lambdas.api.serving import Endpoints, Serving
    from lambdas.api.store import Table

PAYLOAD_LIMIT = 6 * 1024 * 1024
"""Bytes that InvokeEndpoint takes: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html"""


@dataclass(frozen=True, kw_only=True)
class Request:
    """Who asks, and how long he waits."""

    request_id: str
    caller: str
    remaining: Callable[[], float]
    """The seconds that are left."""


class Service:
    """The API of one environment."""

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        endpoints: Endpoints,
        invoker: Invoker,
        table: Table,
        daily_quota: int | None,
        log: Logger,
    ) -> None:
        """Serve the models of `catalogue`; a caller may make `daily_quota` predictions a day, None for any number."""
        self._catalogue, self._endpoints, self._invoker, self._table = catalogue, endpoints, invoker, table
        self._daily_quota, self._log = daily_quota, log
        self._encoders: dict[str, Encoder] = {}

    def predict(self, name: str, asked: PredictionRequest, request: Request) -> PredictionResponse:
        """Answer `asked` with the model `name`.

        Raises:
            ProblemError: no such model, rows that do not fit it, no quota left, or no answer of the model.
        """
        model = self._model(name)
        if not model.at_once:
            msg = f"{name} is served by {model.serving}, which answers later; GET /models tells how each one is served"
            raise ProblemError(409, msg)
        if self._daily_quota is not None:
            self._table.count(request.caller, self._daily_quota)
        body = self._encoded(model, asked, request)
        inference_id = uuid.uuid4().hex
        serving, answer = self._answered(model, asked, request, body=body, inference_id=inference_id)
        self._measure(
            model,
            request,
            Predictions=len(asked.instances),
            PredictionMean=answers.level(answer.predictions),
            DataQualityViolations=0,
        )
        kept = self._keep(
            Inference(
                inference_id=inference_id,
                model=name,
                configuration=serving.configuration,
                variant=answer.variant,
                share=serving.challenger_percent,
            )
        )
        return PredictionResponse(
            model=name,
            version=serving.version_of(answer.variant),
            variant=answer.variant,
            inference_id=inference_id if kept else None,
            predictions=answer.predictions,
        )

    def feedback(self, name: str, asked: FeedbackRequest, request: Request) -> FeedbackResponse:
        """Count the outcome of an inference of the model `name`, once.

        Raises:
            ProblemError: no such model or inference (404), or it has an outcome already (409).
        """
        model = self._model(name)
        inference = self._table.find(name, asked.inference_id)
        outcome = float(asked.outcome)
        self._table.record(inference, outcome)
        self._measure(model, request, Outcome=outcome)
        return FeedbackResponse(
            model=name, variant=inference.variant, inference_id=inference.inference_id, outcome=outcome
        )

    def models(self) -> ModelList:
        """Return all models with what they take, and which version of them serves."""
        return ModelList(models=tuple(self._described(model) for model in self._catalogue.models))

    def _model(self, name: str) -> Model:
        model = self._catalogue.find(name)
        if model is None:
            known = ", ".join(each.name for each in self._catalogue.models)
            msg = f"there is no model {name} in {self._catalogue.environment}; there are: {known}"
            raise ProblemError(404, msg)
        return model

    def _encoded(self, model: Model, asked: PredictionRequest, request: Request) -> bytes:
        if model.name not in self._encoders:
            self._encoders[model.name] = Encoder(model)
        body, faults = self._encoders[model.name].encode(asked.instances)
        if faults:
            self._measure(model, request, DataQualityViolations=len(faults))
            count = f"{len(faults):,} {'value does' if len(faults) == 1 else 'values do'} not fit"
            raise ProblemError(422, f"{count} the columns of {model.name}; GET /models lists them", errors=faults)
        if len(body) > PAYLOAD_LIMIT:
            msg = f"the rows take {len(body):,} bytes as the model gets them, {PAYLOAD_LIMIT:,} at most; send fewer"
            raise ProblemError(413, msg)
        return body

    def _answered(
        self, model: Model, asked: PredictionRequest, request: Request, *, body: bytes, inference_id: str
    ) -> tuple[Serving, Answer]:
        failures: list[str] = []
        try:
            for last in (False, True):
                serving = self._endpoints.find(model.endpoint, current=model.current)
                question = Question(
                    endpoint=model.endpoint,
                    body=body,
                    inference_id=inference_id,
                    request_id=request.request_id,
                    variant=serving.assigned(asked.assignment_id),
                    target_model=serving.target_model,
                )
                try:
                    return serving, self._invoker.ask(
                        question,
                        read=partial(answers.read, model, rows=len(asked.instances)),
                        remaining=request.remaining,
                        failed=failures.append,
                    )
                except GoneError as error:
                    # The variant of an experiment that has just ended, for example: look again, once.
                    self._endpoints.forget(model.endpoint)
                    if last:
                        detail = "the model is not served at the moment"
                        raise ProblemError(503, detail, headers=RETRY_AFTER) from error
        finally:
            self._measure(model, request, ModelErrors=len(failures))
            for reason in failures:
                self._log.warning("model error", model=model.name, reason=reason)
        raise AssertionError  # the second round returns or raises

    def _keep(self, inference: Inference) -> bool:
        """Keep what answered; a prediction that cannot be kept is still a prediction, but gets no feedback."""
        try:
            self._table.keep(inference)
        except (ClientError, BotoCoreError):
            self._log.exception("the inference could not be kept", inference_id=inference.inference_id)
            return False
        return True

    def _described(self, model: Model) -> ModelDescription:
        version, status = None, "serving" if model.at_once else "answers later"
        try:
            if model.at_once:
                variants = self._endpoints.find(model.endpoint, current=model.current).variants
                version = variants[0].version
        except ProblemError as error:
            status = error.detail
        return ModelDescription(
            name=model.name,
            description=model.description,
            version=version,
            status=status,
            serving=model.serving,
            task=model.task,
            classes=model.classes,
            features=tuple(
                Feature(
                    name=column.name,
                    type=column.type,
                    minimum=column.minimum,
                    maximum=column.maximum,
                    categories=column.categories,
                    missing=column.missing,
                )
                for column in model.features
            ),
        )

    def _measure(self, model: Model, request: Request, **metrics: float) -> None:
        environment = self._catalogue.environment
        telemetry.emit(model=model.name, environment=environment, metrics=metrics, request_id=request.request_id)
