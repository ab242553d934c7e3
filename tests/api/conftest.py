"""The API's function as it ships, a program in the place of SageMaker, and the table in moto's DynamoDB."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from lambdas.api import catalogue, handler
from lambdas.api.invocation import RUNTIME, Invoker
from lambdas.api.service import Service
from lambdas.api.serving import Endpoints
from lambdas.api.store import Table
from lambdas.shared.clients import client
from mlops_constructs.api_catalogue import catalogue as catalogue_of
from mlops_constructs.settings import EnvironmentName, load_settings
from tests.api.endpoint_world import Json, SageMaker, served

ROOT = Path(__file__).resolve().parents[2]
TABLE = "mlops-prod-inferences"
CALLER = "arn:aws:sts::111122223333:assumed-role/webshop/i-0123456789abcdef0"
CHURN: Json = {
    "region": "south",
    "plan": "plus",
    "contract": "monthly",
    "payment": "card",
    "international": "no",
    "tenure_months": 12,
    "monthly_charges": 49.9,
    "day_minutes": 310.5,
    "evening_minutes": 90,
    "night_minutes": 12.25,
    "data_gb": 4,
    "support_calls": 1,
    "satisfaction": None,
}
IRIS: Json = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


@dataclass(frozen=True)
class Context:
    """What Lambda tells a function."""

    function_name: str = "api"
    function_version: str = "$LATEST"
    memory_limit_in_mb: int = 1769
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:111122223333:function:api"
    aws_request_id: str = "0a1b2c3d-request"
    seconds: float = 29.0

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


@dataclass(frozen=True)
class Answer:
    """What the caller of the API gets."""

    status: int
    headers: dict[str, str]
    body: Json


def event_of(method: str, path: str, body: str | None = None, **headers: str) -> Json:
    """Return a request as the gateway hands it on (payload format 2.0)."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json", "host": "api.example.com", **given},
        "requestContext": {
            "accountId": "111122223333",
            "apiId": "a1b2c3d4e5",
            "authorizer": {"iam": {"userArn": CALLER, "accountId": "111122223333"}},
            "domainName": "api.example.com",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "10.0.0.1", "userAgent": "t"},
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": "$default",
            "time": "12/Nov/2026:19:03:58 +0000",
            "timeEpoch": 1583348638390,
        },
        **({"body": body} if body is not None else {}),
        "isBase64Encoded": False,
    }


@dataclass
class World:
    """The API, and what is behind it."""

    sagemaker: SageMaker
    service: Service
    table: Table
    dynamodb: Any
    capture: pytest.CaptureFixture[str]
    seconds: float = 29.0
    pauses: list[float] = field(default_factory=list)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        text = body if isinstance(body, str) or body is None else json.dumps(body)
        return self.send(event_of(method, path, text, **headers))

    def send(self, event: Json) -> Answer:
        handler.LOG.registered_handler.stream = sys.stdout  # type: ignore[attr-defined] # as captured during the test
        answer = handler.handle(event, Context(seconds=self.seconds))
        headers = {name.lower(): value for name, value in answer["headers"].items()}
        return Answer(answer["statusCode"], headers, json.loads(answer["body"]))

    def predict(self, *rows: Json, model: str = "churn", request_id: str = "", **more: Any) -> Answer:
        body = {"instances": list(rows or (CHURN,)), **more}
        return self.call("POST", f"/models/{model}/predictions", body, x_request_id=request_id)

    def feedback(self, inference_id: str, outcome: Any, model: str = "churn") -> Answer:
        return self.call("POST", f"/models/{model}/feedback", {"inference_id": inference_id, "outcome": outcome})

    def item(self, key: str) -> dict[str, str]:
        found = self.dynamodb.get_item(TableName=TABLE, Key={"id": {"S": key}}).get("Item", {})
        return {name: next(iter(value.values())) for name, value in found.items()}

    def items(self, beginning: str) -> list[dict[str, str]]:
        pages = self.dynamodb.scan(TableName=TABLE)["Items"]
        flat = [{name: next(iter(value.values())) for name, value in item.items()} for item in pages]
        return [item for item in flat if item["id"].startswith(beginning)]

    def log(self) -> list[Json]:
        """The lines of the function's log since the last call."""
        return [json.loads(line) for line in self.capture.readouterr().out.splitlines()]

    def metrics(self) -> dict[str, list[float]]:
        """The values of each metric since the last call."""
        found: dict[str, list[float]] = {}
        for line in self.log():
            for directive in line.get("_aws", {}).get("CloudWatchMetrics", []):
                assert directive["Dimensions"] == [["Model", "Environment"]]
                for metric in directive["Metrics"]:
                    found.setdefault(metric["Name"], []).append(line[metric["Name"]])
        return found


@dataclass(frozen=True)
class Behind:
    sagemaker: SageMaker
    dynamodb: Any
    catalogue: catalogue.Catalogue


@pytest.fixture(scope="module")
def behind() -> Iterator[Behind]:
    """What is made once: the program, the clients and the table."""
    sagemaker = SageMaker()
    with pytest.MonkeyPatch.context() as patch, mock_aws(), served(sagemaker) as url:
        patch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        patch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", url)
        patch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", url)
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        client.cache_clear()
        dynamodb = client("dynamodb")
        dynamodb.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        settings = load_settings(ROOT / "config")
        known = catalogue_of(settings.models.values(), project="mlops", environment=EnvironmentName.PROD)
        yield Behind(sagemaker, dynamodb, catalogue.read(known))
    client.cache_clear()


@pytest.fixture
def quota() -> int | None:
    """How many predictions a caller may ask for in a day."""
    return None


@pytest.fixture
def world(
    behind: Behind, quota: int | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> World:
    fresh = SageMaker()
    behind.sagemaker.__dict__.update(fresh.__dict__)
    pauses: list[float] = []
    table = Table(behind.dynamodb, TABLE, sleep=pauses.append)
    service = Service(
        behind.catalogue,
        endpoints=Endpoints(client("sagemaker"), parameters=lambda: client("ssm")),
        invoker=Invoker(client("sagemaker-runtime", RUNTIME), sleep=pauses.append),
        table=table,
        daily_quota=quota,
        log=handler.LOG,
    )
    monkeypatch.setattr(handler, "service", lambda: service)
    monkeypatch.setattr(handler.LOG.registered_handler, "stream", sys.stdout)
    return World(behind.sagemaker, service, table, behind.dynamodb, capsys, pauses=pauses)
