from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlops.rehearsal.faults import FAULTS, Fault
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase

Definition = dict[str, Any]


class Machines:
    """Makes state machines and runs them."""

    def __init__(self, account: Any, waiting: Callable[..., Any]) -> None:
        self.account, self.waiting = account, waiting
        self.states = account.client("stepfunctions")

    def create(self, definition: Definition, role: str | None = None) -> str:
        arn: str = self.states.create_state_machine(
            name=self.account.name("machine"),
            definition=json.dumps(definition),
            roleArn=role or self.account.role,
            loggingConfiguration={"level": "ALL", "includeExecutionData": True},
        )["stateMachineArn"]
        return arn

    def start(self, definition: Definition, given: Any = None, **asked: Any) -> str:
        machine = self.create(definition)
        asked = {"stateMachineArn": machine, "input": json.dumps(given or {}), **asked}
        return str(self.states.start_execution(**asked)["executionArn"])

    def ended(self, execution: str) -> dict[str, Any]:
        def probe() -> Any:
            described = self.states.describe_execution(executionArn=execution)
            return described if described["status"] != "RUNNING" else None

        answer: dict[str, Any] = self.waiting(probe)
        return answer

    def run(self, definition: Definition, given: Any = None) -> dict[str, Any]:
        return self.ended(self.start(definition, given))

    def output(self, definition: Definition, given: Any = None) -> Any:
        described = self.run(definition, given)
        assert described["status"] == "SUCCEEDED", described
        return json.loads(described["output"])


@pytest.fixture
def machines(account: Any, waiting: Callable[..., Any]) -> Machines:
    return Machines(account, waiting)


def one(state: Definition) -> Definition:
    return {"StartAt": "A", "States": {"A": {"End": True, **state}}}


def task(resource: str, parameters: Any = None, **others: Any) -> Definition:
    given = {} if parameters is None else {"Parameters": parameters}
    return one({"Type": "Task", "Resource": f"arn:aws:states:::{resource}", **given, **others})


RETRY = {"IntervalSeconds": 30, "MaxAttempts": 3, "BackoffRate": 2, "MaxDelaySeconds": 60, "JitterStrategy": "FULL"}


@pytest.mark.parametrize(
    ("state", "given", "expected"),
    [
        ({"Type": "Pass", "Result": {"a": 1}}, {}, {"a": 1}),
        (
            {
                "Type": "Pass",
                "Parameters": {
                    "format.$": "States.Format('x-{}', $.a)",
                    "json.$": "States.StringToJson($.s)",
                    "hash.$": "States.Hash('a', 'MD5')",
                    "sum.$": "States.MathAdd($.a, 1)",
                    "item.$": "States.ArrayGetItem($.l, 1)",
                },
            },
            {"a": 2, "s": '{"k": 1}', "l": [7, 8]},
            {"format": "x-2", "json": {"k": 1}, "hash": "0cc175b9c0f1b6a831c399e269772661", "sum": 3, "item": 8},
        ),
        (
            {
                "Type": "Parallel",
                "Branches": [one({"Type": "Pass", "Result": 1}), one({"Type": "Pass", "Result": 2})],
            },
            {},
            [1, 2],
        ),
        (
            {
                "Type": "Map",
                "ItemsPath": "$.i",
                "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **one({"Type": "Pass"})},
            },
            {"i": [1, 2, 3]},
            [1, 2, 3],
        ),
    ],
)
def test_states_do_what_their_definition_says(machines: Machines, state: Definition, given: Any, expected: Any) -> None:
    assert machines.output(one(state), given) == expected


def test_a_wait_lasts_on_the_emulated_clock(machines: Machines) -> None:
    began = time.monotonic()
    assert machines.output(one({"Type": "Wait", "Seconds": 120}), {"a": 1}) == {"a": 1}
    assert 1 <= time.monotonic() - began < 20


def test_the_context_object_names_execution_and_state(machines: Machines) -> None:
    names = {"id.$": "$$.Execution.Id", "name.$": "$$.Execution.Name", "state.$": "$$.State.Name"}
    execution = machines.start(one({"Type": "Pass", "Parameters": names}), name="run-7")
    assert json.loads(machines.ended(execution)["output"]) == {"id": execution, "name": "run-7", "state": "A"}


def test_the_retry_count_grows_with_every_retry(machines: Machines) -> None:
    missing = {"Name.$": "States.Format('/nowhere/{}', $$.State.RetryCount)"}
    retry = {"ErrorEquals": ["Ssm.ParameterNotFoundException"], **RETRY, "MaxAttempts": 2}
    execution = machines.start(task("aws-sdk:ssm:getParameter", missing, Retry=[retry]))
    assert machines.ended(execution)["error"] == "Ssm.ParameterNotFoundException"
    history = machines.states.get_execution_history(executionArn=execution)["events"]
    asked = [json.loads(e["taskScheduledEventDetails"]["parameters"]) for e in history if e["type"] == "TaskScheduled"]
    assert [item["Name"] for item in asked] == ["/nowhere/0", "/nowhere/1", "/nowhere/2"]


def test_a_fail_state_takes_error_and_cause_from_its_input(machines: Machines) -> None:
    described = machines.run(
        {"StartAt": "F", "States": {"F": {"Type": "Fail", "ErrorPath": "$.e", "CausePath": "$.c"}}},
        {"e": "TrainingFailed", "c": "no data"},
    )
    assert (described["status"], described["error"], described["cause"]) == ("FAILED", "TrainingFailed", "no data")
    assert described["stopDate"] >= described["startDate"]


def test_an_sdk_call_that_answers_a_time_succeeds(machines: Machines) -> None:
    buckets = machines.output(task("aws-sdk:s3:listBuckets", {}))["Buckets"]
    assert all(bucket["CreationDate"].endswith("Z") for bucket in buckets)


def test_an_object_is_copied_and_its_version_returned(machines: Machines) -> None:
    account = machines.account
    account.client("s3").put_bucket_versioning(Bucket=account.bucket, VersioningConfiguration={"Status": "Enabled"})
    account.put("from.csv", "1")
    wanted = {"Bucket": account.bucket, "Key": "to.csv", "CopySource": f"{account.bucket}/from.csv"}
    answer = machines.output(task("aws-sdk:s3:copyObject", wanted))
    assert answer["CopyObjectResult"]["ETag"]
    assert account.get(f"s3://{account.bucket}/to.csv") == b"1"


def test_a_missing_object_is_an_error_of_s3_that_can_be_caught(machines: Machines) -> None:
    bucket = machines.account.bucket
    wanted = {"Bucket": bucket, "Key": "to.csv", "CopySource": f"{bucket}/nothing.csv"}
    definition = task(
        "aws-sdk:s3:copyObject",
        wanted,
        Catch=[{"ErrorEquals": ["S3.NoSuchKeyException"], "Next": "Caught"}],
    )
    definition["States"]["Caught"] = {"Type": "Pass", "End": True}
    assert machines.output(definition)["Error"] == "S3.NoSuchKeyException"


def test_an_unknown_endpoint_is_an_error_of_sagemaker(machines: Machines) -> None:
    described = machines.run(task("aws-sdk:sagemaker:describeEndpoint", {"EndpointName": "nobody"}))
    assert described["error"] == "SageMaker.SageMakerException"
    assert 'Could not find endpoint "arn:aws:sagemaker' in described["cause"]


def test_a_service_that_writes_in_camel_case_is_called(machines: Machines) -> None:
    child = machines.create(one({"Type": "Pass", "Result": {"c": 1}}))
    answer = machines.output(task("states:startExecution.sync:2", {"StateMachineArn": child, "Input": {}}))
    assert answer["Output"] == {"c": 1}


def test_a_task_token_continues_an_execution(machines: Machines) -> None:
    queue = machines.account.client("sqs").create_queue(QueueName=machines.account.name("queue"))["QueueUrl"]
    execution = machines.start(
        task("sqs:sendMessage.waitForTaskToken", {"QueueUrl": queue, "MessageBody": {"token.$": "$$.Task.Token"}})
    )
    receive = machines.account.client("sqs").receive_message
    message = machines.waiting(lambda: receive(QueueUrl=queue).get("Messages"))[0]
    machines.states.send_task_success(taskToken=json.loads(message["Body"])["token"], output='{"approved": true}')
    assert json.loads(machines.ended(execution)["output"]) == {"approved": True}


def test_a_task_that_is_too_slow_times_out(machines: Machines) -> None:
    queue = machines.account.client("sqs").create_queue(QueueName=machines.account.name("queue"))["QueueUrl"]
    message = {"QueueUrl": queue, "MessageBody": {"token.$": "$$.Task.Token"}}
    described = machines.run(task("sqs:sendMessage.waitForTaskToken", message, TimeoutSeconds=1))
    assert (described["status"], described["error"]) == ("FAILED", "States.Timeout")


def test_a_defect_of_the_definition_is_not_caught_by_a_wildcard(machines: Machines) -> None:
    definition = task(
        "aws-sdk:ssm:getParameter",
        {"Name.$": "$.missing"},
        Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Caught"}],
    )
    definition["States"]["Caught"] = {"Type": "Pass", "End": True}
    assert machines.run(definition)["error"] == "States.Runtime"


def test_a_typo_is_refused_when_the_machine_is_made(machines: Machines) -> None:
    with pytest.raises(ClientError) as error:
        machines.create(one({"Type": "Pass", "Nexxt": "B"}))
    assert error.value.response["Error"]["Code"] == "InvalidDefinition"


def test_a_role_that_step_functions_cannot_assume_is_refused(machines: Machines) -> None:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = machines.account.client("iam").create_role(
        RoleName=machines.account.name("Other"), AssumeRolePolicyDocument=json.dumps(trust)
    )["Role"]["Arn"]
    with pytest.raises(ClientError, match="authorized to assume the provided role"):
        machines.create(one({"Type": "Pass"}), role)


def test_tasks_have_only_the_permissions_of_the_role(machines: Machines) -> None:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = machines.account.client("iam").create_role(
        RoleName=machines.account.name("Powerless"), AssumeRolePolicyDocument=json.dumps(trust)
    )["Role"]["Arn"]
    machine = machines.create(task("aws-sdk:s3:listBuckets", {}), role)
    execution = machines.states.start_execution(stateMachineArn=machine)["executionArn"]
    described = machines.ended(execution)
    assert described["error"].startswith("S3.")
    assert "s3:ListAllMyBuckets" in described["cause"]


def test_two_starts_with_one_name_are_one_execution(machines: Machines) -> None:
    machine = machines.create(one({"Type": "Wait", "Seconds": 300}))
    asked = {"stateMachineArn": machine, "name": "same", "input": "{}"}
    first = machines.states.start_execution(**asked)["executionArn"]
    assert machines.states.start_execution(**asked)["executionArn"] == first
    with pytest.raises(ClientError) as error:
        machines.states.start_execution(**{**asked, "input": '{"other": 1}'})
    assert error.value.response["Error"]["Code"] == "ExecutionAlreadyExists"
    machines.ended(first)


def test_executions_without_a_name_do_not_collide(machines: Machines) -> None:
    machine = machines.create(one({"Type": "Pass"}))
    names = {machines.states.start_execution(stateMachineArn=machine)["executionArn"] for _ in range(3)}
    assert len(names) == 3


def test_stopping_keeps_error_and_cause(machines: Machines) -> None:
    execution = machines.start(one({"Type": "Wait", "Seconds": 3600}))
    machines.states.stop_execution(executionArn=execution, error="Superseded", cause="a newer run began")
    described = machines.states.describe_execution(executionArn=execution)
    assert described["status"] == "ABORTED"
    assert (described["error"], described["cause"]) == ("Superseded", "a newer run began")


def test_states_appear_on_the_timeline(machines: Machines) -> None:
    definition = task(
        "aws-sdk:ssm:getParameter", {"Name": "/nowhere"}, Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]
    )
    definition["States"]["Caught"] = {"Type": "Pass", "End": True}
    name = machines.start(definition, name=machines.account.name("told")).rsplit(":", 1)[-1]
    told = machines.waiting(
        lambda: (
            [e for e in TIMELINE.events(Kind.STATE) if e.detail["execution"] == name][3:]
            and [e for e in TIMELINE.events(Kind.STATE) if e.detail["execution"] == name]
        )
    )
    assert [(e.name, e.phase) for e in told] == [
        ("A", Phase.STARTED),
        ("A", Phase.FAILED),
        ("Caught", Phase.STARTED),
        ("Caught", Phase.SUCCEEDED),
    ]
    assert told[1].detail["caught"] is True
    assert told[1].detail["error"] == "Ssm.ParameterNotFoundException"


def test_a_change_of_status_is_an_event(machines: Machines) -> None:
    account = machines.account
    queue = account.client("sqs").create_queue(QueueName=account.name("status"))["QueueUrl"]
    arn = account.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
            }
        ],
    }
    account.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
    machine = machines.create({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E", "Cause": "why"}}})
    pattern = {"source": ["aws.states"], "detail": {"stateMachineArn": [machine], "status": ["FAILED"]}}
    rule = account.name("rule")
    account.client("events").put_rule(Name=rule, EventPattern=json.dumps(pattern))
    account.client("events").put_targets(Rule=rule, Targets=[{"Id": "q", "Arn": arn}])
    machines.states.start_execution(stateMachineArn=machine)
    receive = account.client("sqs").receive_message
    event = json.loads(machines.waiting(lambda: receive(QueueUrl=queue).get("Messages"))[0]["Body"])
    assert event["detail-type"] == "Step Functions Execution Status Change"
    assert (event["detail"]["error"], event["detail"]["cause"]) == ("E", "why")


TRAIN = "import os\nopen(os.environ['SAGEMAKER_BASE_DIR'] + '/model/m', 'w').write('m')"


def test_a_training_job_is_waited_for_and_tagged(machines: Machines, image: Any) -> None:
    image(train=TRAIN)
    request = machines.account.training_request()
    answer = machines.output(task("sagemaker:createTrainingJob.sync", request, TimeoutSeconds=60))
    assert answer["TrainingJobStatus"] == "Completed"
    tags = machines.account.sagemaker.list_tags(ResourceArn=answer["TrainingJobArn"])["Tags"]
    assert tags == [{"Key": "MANAGED_BY_AWS", "Value": "STARTED_BY_STEP_FUNCTIONS"}]


def test_a_failed_training_job_fails_the_task_with_its_description(machines: Machines, image: Any) -> None:
    image(train="raise SystemExit(2)")
    described = machines.run(task("sagemaker:createTrainingJob.sync", machines.account.training_request()))
    assert described["error"] == "States.TaskFailed"
    assert json.loads(described["cause"])["FailureReason"].endswith("exit code: 2")


def test_throttling_is_retried_by_the_state(machines: Machines, image: Any) -> None:
    image(train=TRAIN)
    FAULTS.activate(Fault.THROTTLING)
    retry = [{"ErrorEquals": ["SageMaker.AmazonSageMakerException"], **RETRY}]
    request = machines.account.training_request()
    answer = machines.output(task("sagemaker:createTrainingJob.sync", request, Retry=retry))
    assert answer["TrainingJobStatus"] == "Completed"


def test_throttling_without_retry_fails_with_its_code_in_the_cause(machines: Machines, image: Any) -> None:
    image(train=TRAIN)
    FAULTS.activate(Fault.THROTTLING)
    described = machines.run(task("sagemaker:createTrainingJob.sync", machines.account.training_request()))
    assert described["error"] == "SageMaker.AmazonSageMakerException"
    assert "Error Code: ThrottlingException" in described["cause"]


def test_a_used_name_is_an_error_of_its_own(machines: Machines, image: Any) -> None:
    image(train=TRAIN)
    name = machines.account.train()["TrainingJobName"]
    request = machines.account.training_request(TrainingJobName=name)
    described = machines.run(task("sagemaker:createTrainingJob.sync", request))
    assert described["error"] == "SageMaker.ResourceInUseException"


def test_stopping_an_execution_stops_its_training_job(machines: Machines, image: Any) -> None:
    image(train="import time\nprint('on', flush=True)\ntime.sleep(600)")
    request = machines.account.training_request()
    name = request["TrainingJobName"]
    execution = machines.start(task("sagemaker:createTrainingJob.sync", request))
    machines.waiting(lambda: [e for e in TIMELINE.events(Kind.LOG) if e.detail["source"] == name])
    machines.states.stop_execution(executionArn=execution)
    assert machines.account.ended_training(name)["TrainingJobStatus"] == "Stopped"


def test_a_training_job_outlives_no_task_that_timed_out(machines: Machines, image: Any) -> None:
    image(train="import time\ntime.sleep(600)")
    request = machines.account.training_request()
    described = machines.run(task("sagemaker:createTrainingJob.sync", request, TimeoutSeconds=1))
    assert described["error"] == "States.Timeout"
    assert machines.account.ended_training(request["TrainingJobName"])["TrainingJobStatus"] == "Stopped"


def test_a_role_needs_the_managed_rule_for_sync(machines: Machines) -> None:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = machines.account.client("iam").create_role(
        RoleName=machines.account.name("NoRule"), AssumeRolePolicyDocument=json.dumps(trust)
    )["Role"]["Arn"]
    with pytest.raises(ClientError, match="not authorized to create managed-rule"):
        machines.create(task("sagemaker:createTrainingJob.sync", {}), role)


HANDLER = """
import os
class QualityError(Exception): pass
def handle(event, context):
    if event["do"] == "fail": raise QualityError("below the floor")
    if event["do"] == "die": os._exit(3)
    return {"got": event}
"""


@pytest.fixture(scope="module")
def function(account: Any) -> str:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", HANDLER)
    name: str = account.name("function")
    account.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="index.handle",
        Role=account.role,
        Timeout=20,
        Code={"ZipFile": buffer.getvalue()},
    )
    return name


def test_a_function_answers_with_its_payload(machines: Machines, function: str) -> None:
    answer = machines.output(task("lambda:invoke", {"FunctionName": function, "Payload": {"do": "well"}}))
    assert answer["Payload"] == {"got": {"do": "well"}}


def test_an_exception_of_a_function_is_caught_by_its_class(machines: Machines, function: str) -> None:
    definition = task(
        "lambda:invoke",
        {"FunctionName": function, "Payload": {"do": "fail"}},
        Catch=[{"ErrorEquals": ["QualityError"], "Next": "Caught"}],
    )
    definition["States"]["Caught"] = {"Type": "Pass", "End": True}
    caught = machines.output(definition)
    assert caught["Error"] == "QualityError"
    assert json.loads(caught["Cause"])["errorMessage"] == "below the floor"


def test_a_function_that_dies_is_an_error_that_is_not_its_own(machines: Machines, function: str) -> None:
    described = machines.run(task("lambda:invoke", {"FunctionName": function, "Payload": {"do": "die"}}))
    assert described["error"] in {"Runtime.ExitError", "Lambda.Unknown"}


def test_a_function_that_does_not_exist_is_an_error_of_lambda(machines: Machines) -> None:
    described = machines.run(task("lambda:invoke", {"FunctionName": "nobody", "Payload": {}}))
    assert described["error"] == "Lambda.ResourceNotFoundException"
