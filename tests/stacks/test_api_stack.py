from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms
from aws_cdk.assertions import Template as Assertions

from lambdas.api.catalogue import read
from mlops_constructs.model_api import ACCESS_LOG, ROUTES, ModelApi
from mlops_constructs.settings.api import Api, IamAuthorizer, JwtAuthorizer
from tests.compliance.reading import Template, plain, resources, statements

STACK = "mlops-api-prod"
CATALOGUE = {"environment": "prod", "models": [{"endpoint": "mlops-churn-prod", "at_once": True}]}


def api(templates: dict[str, Template]) -> dict[str, Template]:
    return {STACK: templates[STACK]}


def of_type(templates: dict[str, Template], kind: str) -> list[dict[str, Any]]:
    return [one.properties for one in resources(api(templates), f"AWS::{kind}")]


def test_no_route_is_open(templates: dict[str, Template]) -> None:
    routes = of_type(templates, "ApiGatewayV2::Route")
    assert {route["RouteKey"] for route in routes} == {*ROUTES, "$default"}
    assert {route["AuthorizationType"] for route in routes} == {"AWS_IAM"}


def test_every_route_is_throttled(templates: dict[str, Template]) -> None:
    (stage,) = of_type(templates, "ApiGatewayV2::Stage")
    assert set(stage["RouteSettings"]) == set(ROUTES)
    for limits in (stage["DefaultRouteSettings"], *stage["RouteSettings"].values()):
        assert (limits["ThrottlingRateLimit"], limits["ThrottlingBurstLimit"]) == (100, 200)


def test_the_access_log_has_no_payload_and_no_header(templates: dict[str, Template]) -> None:
    (stage,) = of_type(templates, "ApiGatewayV2::Stage")
    assert json.loads(stage["AccessLogSettings"]["Format"]) == ACCESS_LOG
    assert not [value for value in ACCESS_LOG.values() if "body" in value or "header" in value.lower()]


def test_the_function_reaches_the_endpoints_of_its_environment_and_its_table(templates: dict[str, Template]) -> None:
    found: dict[str, set[str]] = {}
    for one in statements(api(templates)):
        if one.kind == "identity":
            for action in one.actions:
                found.setdefault(action, set()).update(target.rsplit("/", 1)[-1] for target in one.targets)
    endpoints = {"mlops-abalone-prod", "mlops-churn-prod", "mlops-iris-prod"}
    assert found["sagemaker:InvokeEndpoint"] == found["sagemaker:DescribeEndpoint"] == endpoints
    assert found["sagemaker:DescribeEndpointConfig"] == {f"{name}-*" for name in endpoints}
    assert {action for action in found if action.startswith("dynamodb:")} == {
        "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem",
    }  # fmt: skip


def test_only_the_gateway_invokes_the_function_for_this_api(templates: dict[str, Template]) -> None:
    (permission,) = of_type(templates, "Lambda::Permission")
    assert permission["Principal"] == "apigateway.amazonaws.com"
    assert "execute-api" in plain(permission["SourceArn"])
    assert "ApiF1A3B7F9" in plain(permission["SourceArn"]) or "<Api" in plain(permission["SourceArn"])


def test_the_asset_is_the_functions_and_the_models(templates: dict[str, Template], assembly_dir: Path) -> None:
    (function,) = of_type(templates, "Lambda::Function")
    asset = assembly_dir / f"asset.{function['Code']['S3Key'].removesuffix('.zip')}"
    assert sorted(path.name for path in asset.iterdir()) == ["lambdas", "models.json"]
    assert (asset / "lambdas" / "api" / "handler.py").exists()
    assert not list(asset.rglob("__pycache__"))
    catalogue = read(json.loads((asset / "models.json").read_text()))
    assert [model.name for model in catalogue.models] == ["abalone", "churn", "iris"]
    assert function["Handler"] == "lambdas.api.handler.handle"
    assert function["Timeout"] == 29


def made(**settings: Any) -> Assertions:
    stack = cdk.Stack(cdk.App(), "Stack")
    ModelApi(
        stack,
        "Api",
        name="api",
        catalogue=CATALOGUE,
        settings=Api(**{"authorizer": IamAuthorizer(type="iam"), **settings}),
        table_name="table",
        key=kms.Key(stack, "Key"),
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )
    return Assertions.from_stack(stack)


@pytest.mark.parametrize("scopes", [(), ("predict",)])
def test_tokens_are_those_of_the_issuer(scopes: tuple[str, ...]) -> None:
    tokens = JwtAuthorizer(type="jwt", issuer="https://login.example.com", audience=("models",), scopes=scopes)
    template = made(authorizer=tokens)
    template.has_resource_properties(
        "AWS::ApiGatewayV2::Authorizer",
        {"AuthorizerType": "JWT", "JwtConfiguration": {"Issuer": "https://login.example.com", "Audience": ["models"]}},
    )
    routes = template.find_resources("AWS::ApiGatewayV2::Route").values()
    assert len(routes) == 4
    for route in routes:
        assert route["Properties"]["AuthorizationType"] == "JWT"
        assert route["Properties"].get("AuthorizationScopes", []) == list(scopes)


@pytest.mark.parametrize(("quota", "variable"), [(None, None), (500, "500")])
def test_a_quota_is_counted_where_it_is_asked_for(quota: int | None, variable: str | None) -> None:
    (function,) = made(daily_quota=quota).find_resources("AWS::Lambda::Function").values()
    assert function["Properties"]["Environment"]["Variables"].get("DAILY_QUOTA") == variable
