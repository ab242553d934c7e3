from __future__ import annotations

import json
from pathlib import Path

from openapi_spec_validator import OpenAPIV31SpecValidator

from lambdas.api import openapi
from lambdas.api.schemas import INFERENCE_PATTERN

KEPT = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"


def test_the_document_that_is_kept_is_that_of_the_code() -> None:
    assert KEPT.read_text() == openapi.text(), "run 'make openapi'"


def test_the_document_is_openapi_3_1() -> None:
    document = json.loads(KEPT.read_text())
    assert document["openapi"].startswith("3.1")
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_the_document_has_the_routes_and_their_errors() -> None:
    paths = openapi.document()["paths"]
    assert {(path, method) for path, methods in paths.items() for method in methods} == {
        ("/models", "get"),
        ("/models/{model}/predictions", "post"),
        ("/models/{model}/feedback", "post"),
    }
    responses = paths["/models/{model}/predictions"]["post"]["responses"]
    assert {"200", "404", "413", "422", "429", "502", "503", "504"} <= set(responses)
    assert list(responses["502"]["content"]) == ["application/problem+json"]


def test_what_the_validation_checks_is_what_the_document_says() -> None:
    schemas = openapi.document()["components"]["schemas"]
    assert schemas["FeedbackRequest"]["properties"]["inference_id"]["pattern"] == INFERENCE_PATTERN
    assert schemas["PredictionRequest"]["properties"]["instances"]["minItems"] == 1
    assert schemas["PredictionRequest"]["additionalProperties"] is False
