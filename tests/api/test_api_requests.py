from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from lambdas.api import routes, service
from tests.api.conftest import CHURN, IRIS, World, event_of

PREDICT = "/models/churn/predictions"


def faults(world: World, *rows: dict[str, Any]) -> dict[str, str]:
    answer = world.predict(*rows)
    assert answer.status == 422, answer.body
    assert world.sagemaker.requests == []
    return {fault["pointer"]: fault["detail"] for fault in answer.body["errors"]}


def test_every_fault_of_every_row_is_named_with_what_is_allowed(world: World) -> None:
    bad = CHURN | {"plan": "gold", "tenure_months": 3.5, "day_minutes": 5000, "support_calls": "1", "regoin": "south"}
    del bad["region"]
    found = faults(world, CHURN, bad)
    assert found == {
        "/instances/1/regoin": "is unknown; did you mean region?",
        "/instances/1/region": "is not there; allowed: 'north', 'south', 'east', 'west'",
        "/instances/1/plan": "'gold' cannot stand here; allowed: 'basic', 'plus', 'premium'",
        "/instances/1/tenure_months": "3.5 cannot stand here; allowed: a whole number from 0 up to 600",
        "/instances/1/day_minutes": "5000 cannot stand here; allowed: a number from 0 up to 1500",
        "/instances/1/support_calls": "'1' cannot stand here; allowed: a whole number from 0 up to 100",
    }
    assert world.metrics() == {"DataQualityViolations": [6]}


def test_the_label_is_no_input(world: World) -> None:
    assert "what the model predicts" in faults(world, CHURN | {"churned": "yes"})["/instances/0/churned"]


def test_a_column_that_the_model_ignores_may_stay(world: World) -> None:
    assert world.predict(CHURN | {"customer_id": "C-1"}).status == 200


@pytest.mark.parametrize("value", [None, True, "x", 1e39, 10**400, -1, 1e18])
def test_what_prepare_would_not_take_is_not_taken_here(world: World, value: Any) -> None:
    assert "/instances/0/tenure_months" in faults(world, CHURN | {"tenure_months": value})


def test_at_most_a_hundred_faults_are_listed(world: World) -> None:
    answer = world.predict(*[CHURN | {"plan": "gold"}] * 150)
    assert len(answer.body["errors"]) == 100
    assert answer.body["detail"].startswith("150 values do not fit")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/instances"),
        ({"instances": []}, "/instances"),
        ({"instances": "rows"}, "/instances"),
        ({"instances": [1]}, "/instances/0"),
        ({"instances": [{"region": [1]}]}, "/instances/0/region"),
        ({"instances": [CHURN], "assignment_id": ""}, "/assignment_id"),
        ({"instances": [CHURN], "assignment_id": "Jürgen"}, "/assignment_id"),
        ({"instances": [CHURN], "assignment_id": "\ud800"}, "/assignment_id"),
        ({"instances": [CHURN], "more": 1}, "/more"),
        ([], ""),
        (None, ""),
    ],
    ids=lambda value: json.dumps(value)[-40:] or "whole",
)
def test_a_body_of_another_shape_is_refused_with_the_place(world: World, body: Any, pointer: str) -> None:
    answer = world.call("POST", PREDICT, json.dumps(body))
    assert answer.status == 422
    assert any(fault["pointer"].startswith(pointer) for fault in answer.body["errors"]), answer.body


@pytest.mark.parametrize(
    "body",
    ["", "{", "nul", '{"instances": [NaN]}', "[" * 100_000, "1" * 5000],
    ids=["empty", "open", "word", "NaN", "deep", "long"],
)
def test_a_body_that_is_not_json_is_malformed(world: World, body: str) -> None:
    answer = world.call("POST", PREDICT, body)
    assert (answer.status, answer.body["type"]) == (400, "urn:mlops:problem:malformed-request")


def test_bytes_that_are_no_text_are_malformed_and_those_that_are_get_read(world: World) -> None:
    event = event_of("POST", PREDICT, base64.b64encode(b"\xff\xfe").decode())
    assert world.send(event | {"isBase64Encoded": True}).status == 400
    good = base64.b64encode(json.dumps({"instances": [CHURN]}).encode()).decode()
    assert world.send(event_of("POST", PREDICT, good) | {"isBase64Encoded": True}).status == 200


@pytest.mark.parametrize("kind", ["text/csv", "", "application/jsonx"])
def test_a_body_that_is_announced_as_something_else_is_not_read(world: World, kind: str) -> None:
    event = event_of("POST", PREDICT, "{}")
    event["headers"]["content-type"] = kind
    assert world.send(event).status == 415
    event["headers"]["content-type"] = "application/json; charset=utf-8"
    assert world.send(event).status == 422


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/model", 404),
        ("GET", "/models/churn", 404),
        ("POST", "/models/nobody/predictions", 404),
        ("POST", "/models/Nobody!/predictions", 404),
        ("POST", "/models/nobody/feedback", 404),
        ("GET", PREDICT, 405),
        ("DELETE", PREDICT, 405),
        ("GET", "/models/churn/feedback", 405),
        ("POST", "/models", 405),
        ("PUT", "/models", 405),
    ],
)
def test_what_is_no_route_is_a_problem_too(world: World, method: str, path: str, status: int) -> None:
    body = {"inference_id": "0" * 32, "outcome": 1} if path.endswith("feedback") else {"instances": [CHURN]}
    answer = world.call(method, path, body if method == "POST" else None)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    without_body = world.send({**event_of(method, path), "headers": {}})
    assert without_body.status == status or path.endswith(("predictions", "feedback"))
    assert answer.headers.get("allow") == ({405: "GET" if path == "/models" else "POST"}.get(status))


def test_rows_that_do_not_fit_into_an_invocation_are_too_large(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert service.PAYLOAD_LIMIT == 6 * 1024 * 1024
    monkeypatch.setattr(service, "PAYLOAD_LIMIT", 100)
    assert world.predict(IRIS, model="iris").status == 200
    assert world.predict(*[IRIS] * 10, model="iris").status == 413
    assert world.predict(*[IRIS] * 10_001, model="iris").status == 422


def test_an_answer_that_is_longer_than_the_gateway_hands_on_is_too_large(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "RESPONSE_LIMIT", 200)
    assert world.predict(*[CHURN] * 30).status == 413


def test_the_models_tell_what_they_take_and_which_version_serves(world: World) -> None:
    world.sagemaker.missing = frozenset({"mlops-iris-prod"})
    answer = world.call("GET", "/models")
    models = {model["name"]: model for model in answer.body["models"]}
    assert list(models) == ["abalone", "churn", "iris"]
    churn, iris = models["churn"], models["iris"]
    assert (churn["version"], churn["status"], churn["serving"], churn["task"]) == (7, "serving", "real-time", "binary")
    assert churn["classes"] == ["no", "yes"]
    assert {
        "name": "satisfaction",
        "type": "integer",
        "minimum": 1.0,
        "maximum": 10.0,
        "categories": [],
        "missing": True,
    } in churn["features"]
    assert "customer_id" not in {feature["name"] for feature in churn["features"]}
    assert (iris["version"], iris["status"]) == (None, "no version of the model has been deployed yet")
