"""A model whose versions were deployed by a real pipeline into a real stack, both emulated, and who works with them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from lambdas.roll_back import handler
from mlops.rehearsal import credentials
from mlops.rollback import roll_back
from tests.rehearsal.pipeline_world import World, action

ROOT = Path(__file__).resolve().parents[2]
MODEL, NAME, STACK = "churn", "mlops-churn", "mlops-churn-prod"
TOPIC, TABLE = "arn:aws:sns:eu-west-1:111122223333:rejected", "rollback-starts"
BAD = 9
"""A version that fails its verification."""


def parameter(name: str, default: str = "") -> dict[str, Any]:
    return {name: {"Type": "String", "Default": default}}


# What the serving stacks of the product have, around a resource that is made at once.
SERVING: dict[str, Any] = {
    "Parameters": {
        **parameter("ModelPackageArn"),
        **parameter("ModelDataUrl"),
        **parameter("ImageUri"),
        **parameter("Release", "0000"),
        **parameter("Mode", "guarded"),
        **parameter("CandidateModelPackageArn"),
        **parameter("Untouched", "as it was"),
    },
    "Resources": {
        "Served": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {
                "Type": "String",
                "Value": {
                    "Fn::Join": [
                        " ",
                        [
                            {"Ref": name}
                            for name in ("ModelPackageArn", "ModelDataUrl", "ImageUri", "Mode", "Untouched")
                        ],
                    ]
                },
            },
        }
    },
}
OUTCOME: dict[str, Any] = {
    "Parameters": parameter("Arn"),
    "Resources": {"X": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Ref": "Arn"}}}},
    "Outputs": {"ModelPackageArn": {"Value": {"Ref": "Arn"}}},
}


class Product:
    """The pipeline, the registry, the topic and the table of one model."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.upload({"serving.json": json.dumps(SERVING), "outcome.json": json.dumps(OUTCOME)})
        self.sagemaker, self.stacks = world.client("sagemaker"), world.client("cloudformation")
        self.sagemaker.create_model_package_group(
            ModelPackageGroupName=NAME, ModelPackageGroupDescription="versions of churn"
        )
        topic = world.client("sns").create_topic(Name="rejected")["TopicArn"]
        self.letters = world.client("sqs").create_queue(QueueName=f"letters-{world.tag}")["QueueUrl"]
        arn = f"arn:aws:sqs:eu-west-1:111122223333:letters-{world.tag}"
        statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        world.client("sqs").set_queue_attributes(QueueUrl=self.letters, Attributes={"Policy": policy})
        world.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        world.client("dynamodb").create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self.world.codepipeline.create_pipeline(pipeline=self._pipeline())

    def _pipeline(self) -> dict[str, Any]:
        arn = f"arn:aws:sagemaker:eu-west-1:111122223333:model-package/{NAME}/#{{variables.Version}}"
        deploy = {
            "ActionMode": "CREATE_UPDATE",
            "StackName": STACK,
            "RoleArn": self.world.make_role("deployment", "cloudformation.amazonaws.com", ["*"]),
            "TemplatePath": "CodeZip::serving.json",
            "ParameterOverrides": {"ModelPackageArn": "#{Model.ModelPackageArn}", "ModelDataUrl": "s3://by/pipeline"},
        }
        outcome = deploy | {
            "StackName": "outcome",
            "TemplatePath": "CodeZip::outcome.json",
            "ParameterOverrides": {"Arn": arn},
        }
        check = {
            "Type": "Choice",
            "Choices": [{"Variable": "$.version", "StringEquals": str(BAD), "Next": "Wrong"}],
            "Default": "Right",
        }
        states = {"Check": check, "Wrong": {"Type": "Fail", "Cause": "wrong answers"}, "Right": {"Type": "Succeed"}}
        made = self.world.client("stepfunctions").create_state_machine(
            name=f"verify-{self.world.tag}",
            definition=json.dumps({"StartAt": "Check", "States": states}),
            roleArn=self.world.make_role("verify", "states.amazonaws.com", ["*"]),
        )
        verify = {"StateMachineArn": made["stateMachineArn"], "Input": {"version": "#{variables.Version}"}}
        train = action("Outcome", "Deploy/CloudFormation", outcome, inputs=["CodeZip"], namespace="Model")
        stages = [
            [self.world.source_action(namespace="Code")],
            [train],
            [
                action("Execute", "Deploy/CloudFormation", deploy, inputs=["CodeZip"]),
                action("Verify", "Invoke/StepFunctions", verify, order=2),
            ],
        ]
        declared = self.world.declare(*stages, name=NAME, variables=[{"name": "Version"}])
        for stage, name in zip(declared["stages"], ("Source", "Train", "Prod"), strict=True):
            stage["name"] = name
        declared["stages"][2]["onFailure"] = {"result": "ROLLBACK"}
        return declared

    def arn(self, version: int) -> str:
        return f"arn:aws:sagemaker:eu-west-1:111122223333:model-package/{NAME}/{version}"

    def register(self, status: str = "Approved") -> int:
        container = {"Image": "image:1", "ModelDataUrl": "s3://models/model.tar.gz"}
        answer = self.sagemaker.create_model_package(
            ModelPackageGroupName=NAME,
            ModelApprovalStatus=status,
            InferenceSpecification={
                "Containers": [container],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
        )
        return int(answer["ModelPackageArn"].rsplit("/", 1)[1])

    def decide(self, version: int, status: str) -> None:
        self.sagemaker.update_model_package(ModelPackageArn=self.arn(version), ModelApprovalStatus=status)

    def deploy(self, version: int) -> tuple[str, str]:
        """Bring a version through the pipeline; return its execution and how that ended."""
        execution = self.world.start(NAME, variables=[{"name": "Version", "value": str(version)}])
        return execution, self.world.end(NAME, execution)

    def at_rest(self) -> list[dict[str, Any]]:
        """Wait until every execution has ended, and return them, the newest first."""
        deadline = time.monotonic() + 20
        while True:
            listed = self.world.codepipeline.list_pipeline_executions(pipelineName=NAME)
            found: list[dict[str, Any]] = listed["pipelineExecutionSummaries"]
            if all(one["status"] != "InProgress" for one in found):
                return found
            assert time.monotonic() < deadline, found
            time.sleep(0.05)

    def change(self) -> None:
        """Change the structure of the pipeline, as an update of its stack does."""
        pipeline = self.world.codepipeline.get_pipeline(name=NAME)["pipeline"]
        self.world.codepipeline.update_pipeline(pipeline=pipeline)

    @property
    def served(self) -> dict[str, str]:
        """The parameters of the serving stack, with the number of the version."""
        stack = self.stacks.describe_stacks(StackName=STACK)["Stacks"][0]
        found = {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}
        return found | {"Version": found["ModelPackageArn"].rsplit("/", 1)[-1]}

    def mail(self) -> list[str]:
        """What the topic sent since it was last looked at: subject and text."""
        sqs = self.world.client("sqs")
        found = []
        for one in sqs.receive_message(QueueUrl=self.letters, MaxNumberOfMessages=10).get("Messages", []):
            sqs.delete_message(QueueUrl=self.letters, ReceiptHandle=one["ReceiptHandle"])
            body = json.loads(one["Body"])
            found.append(f"{body['Subject']}: {body['Message']}")
        return found

    def tell(self, stage: str | None = None, times: int = 1) -> list[dict[str, Any]]:
        """Give the function the event of a rejection, or that of a stage's end."""
        kind = "CodePipeline Stage Execution" if stage else "SageMaker Model Package"
        event = {"detail-type": f"{kind} State Change", "detail": {"stage": stage} if stage else {}}
        return [handler.handle(event, Context()) for _ in range(times)]

    def person(self, **options: Any) -> int:
        return roll_back(MODEL, environment="prod", root=ROOT, **options)


class Context:
    function_name = function_version = aws_request_id = invoked_function_arn = "roll_back"
    memory_limit_in_mb = 512

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def client(service: str) -> Any:
    return credentials.client(service)
