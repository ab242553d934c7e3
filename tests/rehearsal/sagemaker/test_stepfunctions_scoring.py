"""The steps by which a state machine lets models answer: create the model, transform, delete the model."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

SERVE = """
import http.server, os, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if b"slow" in body:
            time.sleep(60)
        self.send_response(400 if b"bad" in body else 200); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""
STATES = ("states.amazonaws.com",)
NEEDED = [
    {
        "Effect": "Allow",
        "Action": ["sagemaker:CreateModel", "sagemaker:DeleteModel"],
        "Resource": "arn:aws:sagemaker:*:*:model/scored-*",
    },
    {
        "Effect": "Allow",
        "Action": [
            "sagemaker:CreateTransformJob",
            "sagemaker:DescribeTransformJob",
            "sagemaker:StopTransformJob",
            "sagemaker:AddTags",
        ],
        "Resource": ["arn:aws:sagemaker:*:*:transform-job/scored-*", "arn:aws:sagemaker:*:*:model/scored-*"],
    },
    {
        "Effect": "Allow",
        "Action": ["events:PutTargets", "events:PutRule", "events:DescribeRule"],
        "Resource": "arn:aws:events:*:*:rule/StepFunctionsGetEventsForSageMakerTransformJobsRule",
    },
]


class Scoring:
    """A state machine that scores, with a role that may do nothing else."""

    def __init__(self, account: Any, waiting: Callable[..., Any]) -> None:
        self.account, self.waiting = account, waiting
        self.states = account.client("stepfunctions")

    def role(self, statements: list[dict[str, Any]]) -> str:
        iam, name = self.account.client("iam"), self.account.name("Scoring")
        trust = {"Effect": "Allow", "Principal": {"Service": STATES}, "Action": "sts:AssumeRole"}
        made = iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        )
        passing = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": self.account.role}
        policy = {"Version": "2012-10-17", "Statement": [*statements, passing]}
        iam.put_role_policy(RoleName=name, PolicyName="scoring", PolicyDocument=json.dumps(policy))
        return str(made["Role"]["Arn"])

    def start(self, definition: dict[str, Any], given: Any, role: str) -> str:
        machine = self.states.create_state_machine(
            name=self.account.name("scoring"), definition=json.dumps(definition), roleArn=role
        )["stateMachineArn"]
        return str(self.states.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"])

    def run(self, definition: dict[str, Any], given: Any, role: str) -> dict[str, Any]:
        execution = self.start(definition, given, role)

        def probe() -> Any:
            described = self.states.describe_execution(executionArn=execution)
            return described if described["status"] != "RUNNING" else None

        answer: dict[str, Any] = self.waiting(probe)
        return answer

    def definition(self, image: str) -> dict[str, Any]:
        bucket = self.account.bucket
        model = {
            "ModelName.$": "$.name",
            "ExecutionRoleArn": self.account.role,
            "EnableNetworkIsolation": True,
            "PrimaryContainer": {"Image": image, "ModelDataUrl.$": "$.data"},
        }
        source = {
            "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri.$": f"States.Format('s3://{bucket}/{{}}/in', $.name)"}
        }
        transform = {
            "TransformJobName.$": "$.name",
            "ModelName.$": "$.name",
            "TransformInput": {"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"},
            "TransformOutput": {"S3OutputPath.$": f"States.Format('s3://{bucket}/{{}}/out', $.name)"},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        }
        caught = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "DeleteAfterFailure"}]
        delete = {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:sagemaker:deleteModel",
            "Parameters": {"ModelName.$": "$.name"},
            "ResultPath": None,
        }
        one = {
            "StartAt": "CreateModel",
            "States": {
                "CreateModel": {
                    "Type": "Task",
                    "Resource": "arn:aws:states:::sagemaker:createModel",
                    "Parameters": model,
                    "ResultPath": "$.model",
                    "Next": "Transform",
                },
                "Transform": {
                    "Type": "Task",
                    "Resource": "arn:aws:states:::sagemaker:createTransformJob.sync",
                    "Parameters": transform,
                    "ResultPath": "$.job",
                    "TimeoutSeconds": 60,
                    "Catch": caught,
                    "Next": "Delete",
                },
                "Delete": {**delete, "End": True},
                "DeleteAfterFailure": {**delete, "Next": "Failed"},
                "Failed": {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause"},
            },
        }
        score = {
            "Type": "Map",
            "ItemsPath": "$.models",
            "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **one},
            "End": True,
        }
        return {"StartAt": "Score", "States": {"Score": score}}

    def model(self, text: str) -> dict[str, str]:
        name = self.account.name("scored")
        self.account.put(f"{name}/in/test.csv", text)
        return {"name": name, "data": self.account.put_archive(f"{name}.tar.gz", model="m")}

    def models(self) -> set[str]:
        return {item["ModelName"] for item in self.account.sagemaker.list_models()["Models"]}


@pytest.fixture
def scoring(account: Any, waiting: Callable[..., Any]) -> Scoring:
    return Scoring(account, waiting)


def test_two_models_answer_and_are_deleted(scoring: Scoring, image: Callable[..., str]) -> None:
    models = [scoring.model("1\n2\n"), scoring.model("3\n")]
    ended = scoring.run(scoring.definition(image(serve=SERVE)), {"models": models}, scoring.role(NEEDED))
    assert ended["status"] == "SUCCEEDED", ended
    jobs = [item["job"] for item in json.loads(ended["output"])]
    assert [job["TransformJobStatus"] for job in jobs] == ["Completed", "Completed"]
    answers = [scoring.account.get(f"s3://{scoring.account.bucket}/{m['name']}/out/test.csv.out") for m in models]
    assert answers == [b"1\n2\n", b"3\n"]
    assert not scoring.models() & {model["name"] for model in models}


def test_a_failed_transform_is_told_with_its_description_after_the_model_is_deleted(
    scoring: Scoring, image: Callable[..., str]
) -> None:
    model = scoring.model("bad\n")
    ended = scoring.run(scoring.definition(image(serve=SERVE)), {"models": [model]}, scoring.role(NEEDED))
    assert (ended["status"], ended["error"]) == ("FAILED", "States.TaskFailed")
    assert json.loads(ended["cause"])["FailureReason"] == "ClientError: See job logs for more information"
    assert model["name"] not in scoring.models()


@pytest.mark.parametrize("caught", [True, False])
def test_the_failure_of_one_model_stops_the_transform_job_of_the_other(
    scoring: Scoring, image: Callable[..., str], *, caught: bool
) -> None:
    bad, slow = scoring.model("bad\n"), scoring.model("slow\n")
    definition = scoring.definition(image(serve=SERVE))
    if caught:  # and the execution goes on for longer than the test waits
        definition["States"]["Score"]["Catch"] = [{"ErrorEquals": ["States.ALL"], "Next": "Wait"}]
        definition["States"]["Wait"] = {"Type": "Wait", "Seconds": 60, "Next": "Again"}
        definition["States"]["Again"] = {"Type": "Pass", "Next": "Wait"}
    execution = scoring.start(definition, {"models": [slow, bad]}, scoring.role(NEEDED))
    describe = scoring.account.sagemaker.describe_transform_job

    def status(model: dict[str, str]) -> Any:
        try:
            return describe(TransformJobName=model["name"])["TransformJobStatus"]
        except ClientError:
            return None  # not yet

    scoring.waiting(lambda: status(bad) == "Failed")
    scoring.waiting(lambda: status(slow) == "Stopped", seconds=10)
    scoring.states.stop_execution(executionArn=execution)


def test_without_the_permission_to_transform_the_model_is_deleted_all_the_same(
    scoring: Scoring, image: Callable[..., str]
) -> None:
    model = scoring.model("1\n")
    statements = [NEEDED[0], NEEDED[2]]
    ended = scoring.run(scoring.definition(image(serve=SERVE)), {"models": [model]}, scoring.role(statements))
    assert ended["error"] == "SageMaker.AmazonSageMakerException"
    assert "sagemaker:CreateTransformJob" in ended["cause"]
    assert model["name"] not in scoring.models()
