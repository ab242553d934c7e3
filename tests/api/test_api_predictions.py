from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lambdas.api import invocation
from lambdas.shared.clients import client
from tests.api.conftest import CHURN, IRIS, World
from tests.api.endpoint_world import CONFIGURATION, Failure, SageMaker, model_error


def test_a_prediction_names_the_version_and_is_kept_for_the_feedback(world: World) -> None:
    answer = world.predict()
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    inference = answer.body.pop("inference_id")
    assert re.fullmatch("[0-9a-f]{32}", inference)
    assert answer.body == {"model": "churn", "version": 7, "variant": "live", "predictions": [0.7]}
    item = world.item(f"inference#{inference}")
    assert {item[key] for key in ("model", "configuration", "variant")} == {"churn", CONFIGURATION, "live"}
    assert int(item["expires"]) > 1_700_000_000


def test_the_endpoint_gets_the_encoded_rows_and_the_ids(world: World) -> None:
    answer = world.predict(CHURN, CHURN | {"plan": "basic"}, request_id="order-4711")
    assert answer.headers["x-request-id"] == "order-4711"
    (request,) = world.sagemaker.requests
    assert request["body"].split("\n")[0] == "0,1,0,0,0,1,0,1,0,0,1,0,0,1,0,12,49.9,310.5,90,12.25,4,1,"
    assert len(request["body"].split("\n")) == 2
    headers = request["headers"]
    assert headers["content-type"] == headers["accept"] == "text/csv"
    assert headers["x-amzn-sagemaker-inference-id"] == answer.body["inference_id"]
    assert headers["x-amzn-sagemaker-custom-attributes"] == "request-id=order-4711"
    assert "x-amzn-sagemaker-target-variant" not in headers


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "new\nline"])
def test_a_request_without_a_usable_id_gets_that_of_the_gateway(world: World, given: str) -> None:
    assert world.predict(request_id=given).headers["x-request-id"] == "JKJaXmPLvHcESHA="


def test_several_classes_have_a_probability_each(world: World) -> None:
    answer = world.predict(IRIS, model="iris")
    assert answer.body["predictions"] == [{"setosa": 0.2, "versicolor": 0.3, "virginica": 0.5}]


def test_metrics_tell_number_and_level_of_predictions(world: World) -> None:
    world.sagemaker.answer = "0.25\n0.75\n"
    world.predict(CHURN, CHURN)
    assert world.metrics() == {
        "ModelErrors": [0], "Predictions": [2], "PredictionMean": [0.5], "DataQualityViolations": [0],
    }  # fmt: skip


@pytest.mark.parametrize(
    "failure", [model_error(500), Failure(500, "InternalFailure"), Failure(503, "ServiceUnavailable")]
)
def test_a_failed_attempt_is_made_again_and_counted(world: World, failure: Failure) -> None:
    world.sagemaker.failures = [failure, failure]
    assert world.predict().status == 200
    assert len(world.sagemaker.requests) == 3
    assert world.metrics()["ModelErrors"] == [2]
    assert world.pauses == [0.05, 0.2]


@pytest.mark.parametrize(
    ("failure", "status", "attempts"),
    [
        (model_error(500), 502, 3),
        (model_error(400), 502, 1),
        (Failure(500, "InternalFailure"), 502, 3),
        (Failure(429, "ThrottlingException"), 503, 3),
    ],
    ids=lambda value: value.code if isinstance(value, Failure) else str(value),
)
def test_a_model_that_fails_each_time_is_a_problem_and_a_metric(
    world: World, failure: Failure, status: int, attempts: int
) -> None:
    world.sagemaker.failures = [failure] * 3
    answer = world.predict()
    assert (answer.status, answer.body["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["instance"] == "urn:mlops:request:JKJaXmPLvHcESHA="
    assert "it went wrong" not in str(answer.body)
    assert world.metrics() == {"ModelErrors": [attempts]}


def test_nothing_is_tried_again_when_there_is_no_time_left(world: World) -> None:
    world.sagemaker.failures = [model_error(500)] * 3
    world.seconds = 8.0
    assert world.predict().status == 502
    assert len(world.sagemaker.requests) == 1


def test_an_answer_that_does_not_come_is_a_timeout(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.exceptions import ReadTimeoutError  # noqa: PLC0415 - as botocore raises it after 9 seconds

    def invoke(**_: object) -> object:
        raise ReadTimeoutError(endpoint_url="http://localhost")

    monkeypatch.setattr(world.service._invoker._runtime, "invoke_endpoint", invoke)  # noqa: SLF001 - the seam to AWS
    assert world.predict().status == 504
    assert world.metrics() == {"ModelErrors": [3]}
    assert invocation.ATTEMPT_SECONDS * invocation.ATTEMPTS + sum(invocation.PAUSES) < 29


@pytest.mark.parametrize(
    ("answer", "content_type"),
    [("0.5\n0.5\n", "text/csv"), ("", "text/csv"), ("yes\n", "text/csv"), ("nan\n", "text/csv"), ("0.5", "text/html")],
)
def test_an_answer_that_is_no_prediction_is_an_error_of_the_model(world: World, answer: str, content_type: str) -> None:
    world.sagemaker.answer, world.sagemaker.content_type = answer, content_type
    assert world.predict().status == 502
    assert world.metrics() == {"ModelErrors": [3]}


@pytest.mark.parametrize(
    "change",
    [
        lambda world: setattr(world, "missing", frozenset({"mlops-churn-prod"})),
        lambda world: setattr(world, "status", "Failed"),
        lambda world: setattr(world, "status", "Creating"),
    ],
    ids=["never deployed", "failed", "creating"],
)
def test_a_model_that_is_not_deployed_is_a_problem_with_a_time_to_come_back(
    world: World, change: Callable[[SageMaker], None]
) -> None:
    change(world.sagemaker)
    answer = world.predict()
    assert (answer.status, answer.headers["retry-after"]) == (503, "30")
    assert world.sagemaker.requests == []


def test_endpoints_are_described_once_in_a_while(world: World) -> None:
    for _ in range(5):
        world.predict()
    assert world.sagemaker.described == 2  # the endpoint and its configuration


def test_a_description_that_is_refused_does_not_stop_predictions(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.predict()
    world.sagemaker.describe_failure = Failure(400, "AccessDeniedException")
    monkeypatch.setattr("lambdas.api.serving.KEPT_SECONDS", 0.0)
    assert world.predict().body["version"] == 7


@pytest.mark.parametrize(("pending", "version"), [("mlops-churn-prod-v8-0a1b2c3d", None), (CONFIGURATION, 7)])
def test_no_version_is_claimed_while_two_of_them_take_turns(world: World, pending: str, version: int | None) -> None:
    world.sagemaker.status, world.sagemaker.pending = "Updating", pending
    assert world.predict().body["version"] == version


def test_a_prediction_that_cannot_be_kept_is_given_without_an_id(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.table, "_name", "gone")
    answer = world.predict()
    assert (answer.status, answer.body["inference_id"]) == (200, None)
    assert any("could not be kept" in line.get("message", "") for line in world.log())


def test_nothing_of_the_rows_is_logged(world: World) -> None:
    world.sagemaker.failures = [model_error(500)] * 4
    world.predict(CHURN | {"plan": "tell-nobody"})
    world.predict(CHURN | {"monthly_charges": 12.345678})
    written = str(world.log())
    assert "model error" in written
    assert "tell-nobody" not in written
    assert "12.345678" not in written


def test_an_api_that_fails_says_so_and_logs_why(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.service, "predict", lambda *_: 1 / 0)
    answer = world.predict()
    assert (answer.status, answer.body["type"]) == (500, "urn:mlops:problem:internal-error")
    assert "ZeroDivisionError" in str(world.log())


def shared(world: World, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Churn behind an endpoint that it shares with another model."""
    catalogue = world.service._catalogue  # noqa: SLF001 - what the stack packs
    churn = replace(
        catalogue.models[1], serving="multi-model", endpoint="mlops-shop-prod", current="/mlops/churn/prod/current"
    )
    monkeypatch.setattr(world.service, "_catalogue", replace(catalogue, models=(churn,)))
    return client("ssm")


def test_on_a_shared_endpoint_the_current_version_is_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ssm = shared(world, monkeypatch)
    assert world.predict().status == 503
    document = {
        "targetModel": "churn/runs/r/model/j/output/model.tar.gz",
        "modelPackageArn": "arn:aws:sagemaker:eu-west-1:111122223333:model-package/mlops-churn/12",
    }
    ssm.put_parameter(Name="/mlops/churn/prod/current", Value=json.dumps(document), Type="String")
    answer = world.predict()
    assert (answer.status, answer.body["version"]) == (200, 12)
    (request,) = world.sagemaker.requests
    assert request["endpoint"] == "mlops-shop-prod"
    assert request["headers"]["x-amzn-sagemaker-target-model"] == document["targetModel"]


def test_a_model_that_answers_later_is_listed_and_not_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = world.service._catalogue  # noqa: SLF001 - what the stack packs
    churn = replace(catalogue.models[1], serving="asynchronous", at_once=False)
    monkeypatch.setattr(world.service, "_catalogue", replace(catalogue, models=(churn,)))
    assert world.predict().status == 409
    (listed,) = world.call("GET", "/models").body["models"]
    assert (listed["serving"], listed["version"], listed["status"]) == ("asynchronous", None, "answers later")
    assert world.sagemaker.described == 0
