"""Functions for the tests of Lambda."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from dataclasses import dataclass
from typing import Any

from mlops.rehearsal import credentials
from tests.rehearsal import iam_world

POWERTOOLS = "arn:aws:lambda:eu-west-1:017000801446:layer:AWSLambdaPowertoolsPythonV3-python313-arm64:27"
LOGS = iam_world.allow("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")


def asset(**modules: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, code in modules.items():
            target.writestr(name.replace("__", "/") + ".py", code)
    return buffer.getvalue()


def function(code: str, *, name: str = "function", role: str | None = None, **more: Any) -> str:
    name = f"{name}-{uuid.uuid4().hex[:8]}"
    settings = {"Runtime": "python3.13", "Handler": "app.handle", "Timeout": 20, **more}
    module = str(settings["Handler"]).rpartition(".")[0].replace(".", "__")
    credentials.client("lambda").create_function(
        FunctionName=name, Role=role or iam_world.role(LOGS), Code={"ZipFile": asset(**{module: code})}, **settings
    )
    return name


@dataclass(frozen=True)
class Answer:
    status: int
    error: str | None
    payload: Any
    log: str


def invoke(name: str, event: Any = None, **more: Any) -> Answer:
    response = credentials.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event or {}), **more)
    text = response["Payload"].read()
    return Answer(
        response["StatusCode"],
        response.get("FunctionError"),
        json.loads(text) if text else None,
        response.get("LogResult", ""),
    )


def queue(name: str) -> tuple[str, str]:
    url = credentials.client("sqs").create_queue(QueueName=f"{name}-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    return url, f"arn:aws:sqs:{iam_world.REGION}:{iam_world.ACCOUNT}:{url.rsplit('/', 1)[-1]}"


def messages(url: str) -> list[dict[str, Any]]:
    answer = credentials.client("sqs").receive_message(
        QueueUrl=url, MessageAttributeNames=["All"], MaxNumberOfMessages=10
    )
    return list(answer.get("Messages", []))
