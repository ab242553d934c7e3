"""The deployed API in the emulated AWS: gateway, authorizers, throttling, function, endpoint, table and logs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlops.rehearsal import assembly, credentials, iam, images
from mlops.rehearsal.server import EmulatedAws
from tests.api.conftest import CHURN
from tests.rehearsal import iam_world
from tests.rehearsal.http_api_world import PREDICT, SERVE, Caller, Issuer, logged

PAGE = Path(__file__).resolve().parents[3] / "docs" / "api.md"
IMAGE = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/churn-api:1"
ENDPOINT = "mlops-churn-prod"
CONFIGURATION = f"{ENDPOINT}-v3-0a1b2c3d0a1b"


@pytest.fixture(scope="module")
def outputs(aws: EmulatedAws, assembly_dir: Path) -> dict[str, str]:
    """The outputs of the API's stack, deployed with what it needs."""
    del aws
    stacks = ["mlops-boundary", "mlops-foundation", "mlops-api-prod"]
    return assembly.deploy(assembly_dir, stacks)["mlops-api-prod"]


@pytest.fixture(scope="module")
def endpoint(account: Any, waiting: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Churn's endpoint in prod with a model that always answers the same."""
    program = tmp_path_factory.mktemp("serve") / "serve.py"
    program.write_text(SERVE)
    image = images.Image(name="churn-api", serve=(sys.executable, str(program)))
    images.register(IMAGE.replace(".", r"\."), image)
    data = account.put_archive("api/model.tar.gz", **{"model.txt": "0.25"})
    container = {"Image": IMAGE, "ModelDataUrl": data}
    sagemaker = account.sagemaker
    sagemaker.create_model(ModelName=CONFIGURATION, ExecutionRoleArn=account.role, PrimaryContainer=container)
    variant = {"VariantName": "live", "ModelName": CONFIGURATION, "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(
        EndpointConfigName=CONFIGURATION, ProductionVariants=[variant | {"InstanceType": "ml.m5.large"}]
    )
    sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName=CONFIGURATION)
    waiting(lambda: sagemaker.describe_endpoint(EndpointName=ENDPOINT)["EndpointStatus"] == "InService")
    yield ENDPOINT
    sagemaker.delete_endpoint(EndpointName=ENDPOINT)
    images.unregister(image)


@pytest.fixture(scope="module")
def caller(outputs: dict[str, str], endpoint: str) -> Caller:
    """A role that may call the API."""
    del endpoint
    arn = f"arn:aws:execute-api:eu-west-1:111122223333:{outputs['ApiId']}/*"
    return Caller(outputs["Url"], role=iam_world.role(iam_world.allow("execute-api:Invoke", on=arn)))


def test_a_prediction_passes_the_gateway_and_its_outcome_comes_back(caller: Caller, outputs: dict[str, str]) -> None:
    answer = caller.predict(x_request_id="order-4711")
    assert answer.status == 200, answer.text
    assert answer.headers["x-request-id"] == "order-4711"
    assert {name: answer.body[name] for name in ("version", "variant", "predictions")} == {
        "version": 3, "variant": "live", "predictions": [0.25],
    }  # fmt: skip
    inference = answer.body["inference_id"]
    feedback = {"inference_id": inference, "outcome": True}
    assert [caller.call("POST", "/models/churn/feedback", feedback).status for _ in range(2)] == [200, 409]
    items = credentials.client("dynamodb").scan(TableName=outputs["InferenceTable"])["Items"]
    counters = [item for item in items if item["id"]["S"].startswith(f"outcomes#{CONFIGURATION}#live#")]
    assert sum(int(item["n"]["N"]) for item in counters) == 1


def test_models_and_problems_pass_the_gateway_as_they_are(caller: Caller) -> None:
    models = caller.call("GET", "/models").body["models"]
    assert {model["name"]: model["status"] for model in models}["churn"] == "serving"
    for method, path, status in (("POST", PREDICT, 422), ("GET", "/nothing", 404), ("DELETE", PREDICT, 405)):
        answer = caller.call(method, path, {} if method == "POST" else None)
        assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
        assert answer.body["status"] == status


@pytest.mark.parametrize("role", [None, "another"])
def test_nobody_passes_the_gateway_without_permission(caller: Caller, role: str | None) -> None:
    arn = iam_world.role(iam_world.allow("sagemaker:InvokeEndpoint")) if role else None
    answer = Caller(caller.url, role=arn).predict()
    assert (answer.status, answer.body) == (403, {"message": "Forbidden"})


def test_a_role_may_be_limited_to_one_model(caller: Caller, outputs: dict[str, str]) -> None:
    arn = f"arn:aws:execute-api:eu-west-1:111122223333:{outputs['ApiId']}/$default/POST/models/churn/*"
    limited = Caller(caller.url, role=iam_world.role(iam_world.allow("execute-api:Invoke", on=arn)))
    assert limited.predict().status == 200
    assert limited.call("POST", "/models/iris/predictions", {"instances": [{}]}).status == 403
    assert limited.call("GET", "/models").status == 403


def test_a_signature_for_another_service_or_region_does_not_count(caller: Caller) -> None:
    assert Caller(caller.url, role=caller.role, region="eu-central-1").predict().status == 403


def test_the_access_log_has_no_payload(caller: Caller, outputs: dict[str, str]) -> None:
    caller.call("POST", PREDICT, {"instances": [CHURN | {"plan": "tell-nobody"}]})
    resources = credentials.client("cloudformation").describe_stack_resources(StackName="mlops-api-prod")
    groups = {
        one["LogicalResourceId"]: one["PhysicalResourceId"]
        for one in resources["StackResources"]
        if one["ResourceType"] == "AWS::Logs::LogGroup"
    }
    (access,) = [group for name, group in groups.items() if "AccessLog" in name]
    lines = logged(access)
    assert {line["status"] for line in lines} >= {"200", "422", "403"}
    refused = next(line for line in lines if line["status"] == "403")
    assert "may not invoke" in refused["error"] or "not signed" in refused["error"]
    assert all(set(line) == set(lines[0]) for line in lines)
    everything = json.dumps([logged(group) for group in groups.values()])
    assert "tell-nobody" not in everything
    assert '"Predictions"' in everything
    assert outputs["ApiId"]


def test_the_function_asks_for_nothing_that_its_role_may_not(caller: Caller) -> None:
    assert caller.predict().status == 200
    asked = [one for one in iam.trace() if "ApiFunction" in one.role_arn]
    assert {one.action for one in asked} >= {"sagemaker:InvokeEndpoint", "dynamodb:PutItem", "dynamodb:UpdateItem"}
    assert [one for one in asked if not one.allowed] == []


@pytest.mark.parametrize(("language", "command"), [("python", [sys.executable, "-c"]), ("sh", ["sh", "-c"])])
def test_the_examples_of_the_documentation_work(caller: Caller, language: str, command: list[str]) -> None:
    (example,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    keys = credentials.service_role_credentials(str(caller.role), "lambda.amazonaws.com")
    environment = {
        **keys.environment(),
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "API_URL": caller.url,
    }
    answer = subprocess.run([*command, example], env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr + answer.stdout
    if language == "python":
        assert answer.stdout == "version 3: 0.25\n1.0\n"
    else:
        assert "churn" in {model["name"] for model in json.loads(answer.stdout)["models"]}


def small_api(**stage: Any) -> tuple[str, str]:
    """An API of one function that answers who called, and where it answers."""
    from tests.rehearsal import lambda_world  # noqa: PLC0415

    code = """
import json
def handle(event, context):
    if event["rawPath"] == "/broken":
        raise ValueError("broken")
    return {"statusCode": 200, "body": json.dumps(event), "headers": {"content-type": "application/json"}}
"""
    name = lambda_world.function(code)
    function = credentials.client("lambda").get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    client = credentials.client("apigatewayv2")
    api = client.create_api(Name=name, ProtocolType="HTTP")
    credentials.client("lambda").add_permission(
        FunctionName=name, StatementId="gateway", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:eu-west-1:111122223333:{api['ApiId']}/*/*",
    )  # fmt: skip
    client.create_integration(
        ApiId=api["ApiId"], IntegrationType="AWS_PROXY", IntegrationUri=function, PayloadFormatVersion="2.0"
    )
    client.create_stage(ApiId=api["ApiId"], StageName="$default", AutoDeploy=True, **stage)
    return api["ApiId"], api["ApiEndpoint"]


def add_route(api: str, key: str, **authorization: Any) -> None:
    client = credentials.client("apigatewayv2")
    integration = client.get_integrations(ApiId=api)["Items"][0]["IntegrationId"]
    client.create_route(ApiId=api, RouteKey=key, Target=f"integrations/{integration}", **authorization)


def test_a_route_takes_as_many_requests_as_its_stage_allows(aws: EmulatedAws) -> None:
    del aws
    api, url = small_api(RouteSettings={"GET /slow": {"ThrottlingRateLimit": 10.0, "ThrottlingBurstLimit": 3}})
    add_route(api, "GET /slow")
    add_route(api, "GET /{any}")
    caller = Caller(url)
    caller.call("GET", "/other")
    statuses = [caller.call("GET", "/slow").status for _ in range(8)]
    assert statuses[:3] == [200] * 3
    assert 429 in statuses
    assert caller.call("GET", "/other").status == 200
    time.sleep(0.15)
    assert caller.call("GET", "/slow").status == 200


def test_the_gateway_answers_for_a_function_that_fails_and_routes_by_the_best_match(aws: EmulatedAws) -> None:
    del aws
    api, url = small_api()
    for key in ("GET /a/{x}", "GET /a/b", "ANY /{rest+}"):
        add_route(api, key)
    caller = Caller(url)
    assert caller.call("GET", "/broken").text == '{"message": "Internal Server Error"}'
    assert caller.call("GET", "/a/b").body["routeKey"] == "GET /a/b"
    event = caller.call("GET", "/a/c%20d?q=1&q=2").body
    assert (event["routeKey"], event["pathParameters"]) == ("GET /a/{x}", {"x": "c d"})
    assert event["queryStringParameters"] == {"q": "1,2"}
    assert caller.call("POST", "/a/b", {"k": 1}).body["body"] == '{"k": 1}'
    credentials.client("apigatewayv2").delete_api(ApiId=api)
    with pytest.raises(OSError, match=r"refused|reset"):
        caller.call("GET", "/a/b")


def test_a_token_is_checked_as_the_authorizer_says(aws: EmulatedAws) -> None:
    del aws
    issuer = Issuer()
    with issuer.open():
        api, url = small_api()
        authorizer = credentials.client("apigatewayv2").create_authorizer(
            ApiId=api, AuthorizerType="JWT", Name="tokens", IdentitySource=["$request.header.Authorization"],
            JwtConfiguration={"Issuer": issuer.url, "Audience": ["mlops"]},
        )["AuthorizerId"]  # fmt: skip
        add_route(api, "GET /models", AuthorizationType="JWT", AuthorizerId=authorizer, AuthorizationScopes=["predict"])

        def status(**changes: Any) -> int:
            return (
                Caller(url, token=issuer.token(**{"scope": "predict other", **changes})).call("GET", "/models").status
            )

        good = Caller(url, token=issuer.token(scope="predict")).call("GET", "/models")
        assert good.body["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] == "webshop"
        assert Caller(url).call("GET", "/models").status == 401
        assert Caller(url, token=Issuer().token(iss=issuer.url)).call("GET", "/models").status == 401
        for wrong in ({"aud": "another"}, {"iss": "http://another"}, {"exp": 1}, {"nbf": time.time() + 60}):
            assert status(**wrong) == 401, wrong
        assert status(scope="other") == 403
        assert status(aud=["x", "mlops"]) == 200
        assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]
