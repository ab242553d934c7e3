from __future__ import annotations

import inspect
import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.codepipeline import models, responses
from moto.codepipeline.responses import CodePipelineResponse

from mlops.rehearsal import codepipeline, codepipeline_invoke, events
from mlops.rehearsal.server import EmulatedAws
from tests.rehearsal.pipeline_world import World, action, approval, message


@pytest.fixture
def world(aws: EmulatedAws) -> World:
    world = World(aws)
    world.upload({"input.json": '{"from": "file"}'})
    return world


def fails_with(code: str) -> Any:
    return pytest.raises(ClientError, match=code)


# Sources and artifacts


def test_a_source_takes_the_version_that_was_asked_for_and_names_it(world: World) -> None:
    first = world.upload({"v": "one"})
    second = world.upload({"v": "two"})
    name = world.create([approval()])
    for version, content in ((first, "one"), (second, "two")):
        override = {"actionName": "Code", "revisionType": "S3_OBJECT_VERSION_ID", "revisionValue": version}
        execution = world.start(name, sourceRevisions=[override])
        world.answer(name, "S1")
        assert world.end(name, execution) == "Succeeded"
        code = world.actions(name, execution)["Code"]
        assert world.artifact(code, "CodeZip") == {"v": content}
        assert code["output"]["outputVariables"]["VersionId"] == version
        assert set(code["output"]["outputVariables"]) == {"BucketName", "ObjectKey", "ETag", "VersionId"}


def test_artifacts_are_encrypted_with_the_key_of_the_artifact_store(world: World) -> None:
    name = world.create([approval()])
    execution = world.start(name)
    world.token(name, "S1")
    place = world.actions(name, execution)["Code"]["output"]["outputArtifacts"][0]["s3location"]
    head = world.client("s3").head_object(Bucket=place["bucket"], Key=place["key"])
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", world.key)
    world.answer(name, "S1")
    world.end(name, execution)


def test_a_missing_source_object_fails_and_is_named(world: World) -> None:
    declaration = world.declare([world.source_action(key="nothing.zip")], [approval()])
    world.codepipeline.create_pipeline(pipeline=declaration)
    end, actions = world.run(declaration["name"])
    assert end == "Failed"
    assert f"s3://{world.source}/nothing.zip" in message(actions["Code"])
    assert list(actions) == ["Code"]


def test_a_revision_of_an_unknown_source_is_refused(world: World) -> None:
    name = world.create([approval()])
    override = {"actionName": "Nope", "revisionType": "S3_OBJECT_VERSION_ID", "revisionValue": "1"}
    with fails_with("unknown source action Nope"):
        world.start(name, sourceRevisions=[override])


# Step Functions


def machine(world: World, state: dict[str, Any]) -> str:
    role = world.make_role("machine", "states.amazonaws.com", ["*"])
    definition = {"StartAt": "Only", "States": {"Only": state}}
    made = world.client("stepfunctions").create_state_machine(
        name=f"machine-{world.tag}", definition=json.dumps(definition), roleArn=role
    )
    return str(made["stateMachineArn"])


def test_a_state_machine_gets_its_input_from_configuration_or_file_and_runs_under_the_id_of_the_action(
    world: World,
) -> None:
    arn = machine(world, {"Type": "Succeed"})
    literal = {
        "StateMachineArn": arn,
        "Input": {"run": "#{codepipeline.PipelineExecutionId}", "v": "#{Code.VersionId}"},
    }
    file = {"StateMachineArn": arn, "InputType": "FilePath", "Input": "input.json"}
    name = world.create(
        [
            action("Literal", "Invoke/StepFunctions", literal, namespace="L"),
            action("File", "Invoke/StepFunctions", file, inputs=["CodeZip"], outputs=["Result"], order=2),
        ]
    )
    execution = world.start(name)
    assert world.end(name, execution) == "Succeeded"
    actions = world.actions(name, execution)
    arn = actions["Literal"]["output"]["outputVariables"]["ExecutionArn"]
    given = json.loads(world.client("stepfunctions").describe_execution(executionArn=arn)["input"])
    assert given["run"] == execution
    assert given["v"] == actions["Code"]["output"]["outputVariables"]["VersionId"]
    assert arn.endswith(actions["Literal"]["actionExecutionId"])
    assert json.loads(world.artifact(actions["File"], "Result")["output.json"]) == {"from": "file"}


def test_the_error_and_cause_of_a_failed_execution_are_those_of_the_action(world: World) -> None:
    arn = machine(world, {"Type": "Fail", "Error": "GateFailed", "Cause": "auc 0.61 is below 0.75"})
    name = world.create([action("Train", "Invoke/StepFunctions", {"StateMachineArn": arn})])
    end, actions = world.run(name)
    assert end == "Failed"
    assert message(actions["Train"]) == "GateFailed: auc 0.61 is below 0.75"


# Approvals, order, queue


def test_actions_of_one_run_order_run_together_and_later_ones_wait(world: World) -> None:
    name = world.create([approval("One"), approval("Two"), approval("Three", order=2)])
    execution = world.start(name)
    tokens = {one: world.token(name, "S1", one) for one in ("One", "Two")}
    assert "Three" not in world.actions(name, execution)
    for one, token in tokens.items():
        world.codepipeline.put_approval_result(
            pipelineName=name,
            stageName="S1",
            actionName=one,
            token=token,
            result={"status": "Approved", "summary": "ok"},
        )
    token = world.token(name, "S1", "Three")
    world.codepipeline.put_approval_result(
        pipelineName=name,
        stageName="S1",
        actionName="Three",
        token=token,
        result={"status": "Approved", "summary": "ok"},
    )
    assert world.end(name, execution) == "Succeeded"


def test_a_rejection_fails_the_execution_and_says_who_and_why(world: World) -> None:
    name = world.create([approval()], [approval("Never")])
    execution = world.start(name)
    world.answer(name, "S1", "Rejected", "too early")
    assert world.end(name, execution) == "Failed"
    actions = world.actions(name, execution)
    assert "too early" in message(actions["Approve"])
    assert actions["Approve"]["updatedBy"] == "arn:aws:iam::111122223333:user/operator"
    assert "Never" not in actions


def test_an_approval_is_announced_and_its_token_is_good_once(world: World) -> None:
    topic = world.client("sns").create_topic(Name=f"topic-{world.tag}")["TopicArn"]
    queue = world.client("sqs").create_queue(QueueName=f"queue-{world.tag}")["QueueUrl"]
    arn = world.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    world.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    world.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    name = world.create([approval(configuration={"NotificationArn": topic, "CustomData": "auc #{Code.ETag}"})])
    execution = world.start(name)
    token = world.token(name, "S1")
    body = json.loads(world.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"][0]["Body"])
    told = json.loads(body["Message"])["approval"]
    assert (told["token"], told["pipelineName"]) == (token, name)
    assert told["customData"].startswith("auc ")
    world.answer(name, "S1")
    assert world.end(name, execution) == "Succeeded"
    with fails_with("InvalidApprovalTokenException"):
        world.codepipeline.put_approval_result(
            pipelineName=name,
            stageName="S1",
            actionName="Approve",
            token=token,
            result={"status": "Approved", "summary": ""},
        )


def test_nobody_answering_is_a_failure(world: World) -> None:
    name = world.create([approval(configuration={"TimeoutInMinutes": "0.005"})])
    end, actions = world.run(name)
    assert end == "Failed"
    assert "timed out" in message(actions["Approve"])


def test_executions_queue_before_a_stage_and_never_overtake(world: World) -> None:
    name = world.create([approval()])
    first, second = world.start(name), world.start(name)
    token = world.token(name, "S1")
    deadline = time.monotonic() + 10
    while True:
        waiting = world.codepipeline.get_pipeline_state(name=name)["stageStates"][1].get("inboundExecutions", [])
        if [one["pipelineExecutionId"] for one in waiting] == [second]:
            break
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "Approve" not in world.actions(name, second)
    world.answer(name, "S1")
    assert world.end(name, first) == "Succeeded"
    while world.token(name, "S1") == token:
        time.sleep(0.05)
    world.answer(name, "S1", "Rejected")
    assert world.end(name, second) == "Failed"


def test_the_same_request_token_starts_one_execution(world: World) -> None:
    name = world.create([approval()])
    assert world.start(name, clientRequestToken="t" * 64) == world.start(name, clientRequestToken="t" * 64)
    assert len(world.codepipeline.list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"]) == 1


# Stop and retry


@pytest.mark.parametrize("abandon", [True, False])
def test_a_stopped_execution_starts_no_further_action(world: World, *, abandon: bool) -> None:
    name = world.create([approval(), approval("Later", order=2)])
    execution = world.start(name)
    world.token(name, "S1")
    world.codepipeline.stop_pipeline_execution(
        pipelineName=name, pipelineExecutionId=execution, abandon=abandon, reason="enough"
    )
    if not abandon:
        assert world.status(name, execution) == "Stopping"
        world.answer(name, "S1")
    assert world.end(name, execution) == "Stopped"
    actions = world.actions(name, execution)
    assert actions["Approve"]["status"] == ("Abandoned" if abandon else "Succeeded")
    assert "Later" not in actions


def test_a_failed_stage_can_be_tried_again_and_repeats_only_what_failed(world: World) -> None:
    arn = machine(world, {"Type": "Succeed"})
    name = world.create([action("Good", "Invoke/StepFunctions", {"StateMachineArn": arn}), approval()])
    execution = world.start(name)
    world.answer(name, "S1", "Rejected")
    assert world.end(name, execution) == "Failed"
    world.codepipeline.retry_stage_execution(
        pipelineName=name, stageName="S1", pipelineExecutionId=execution, retryMode="FAILED_ACTIONS"
    )
    world.answer(name, "S1")
    assert world.end(name, execution) == "Succeeded"
    details = world.codepipeline.list_action_executions(pipelineName=name)["actionExecutionDetails"]
    assert sorted(one["actionName"] for one in details) == ["Approve", "Approve", "Code", "Good"]


# Events and contracts


def test_every_change_of_state_is_an_event_and_a_failure_carries_its_cause(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, dict[str, Any]]] = []

    def emit(source: str, kind: str, detail: dict[str, Any], *_: Any, **__: Any) -> None:
        if source == "aws.codepipeline":
            seen.append((kind, detail))

    monkeypatch.setattr(events, "emit", emit)
    arn = machine(world, {"Type": "Fail", "Error": "E", "Cause": "because"})
    name = world.create([action("Train", "Invoke/StepFunctions", {"StateMachineArn": arn})])
    world.run(name)
    time.sleep(0.05)
    short = [(kind.split()[1], detail.get("action") or detail.get("stage"), detail["state"]) for kind, detail in seen]
    assert short == [
        ("Pipeline", None, "STARTED"),
        ("Stage", "S0", "STARTED"),
        ("Action", "Code", "STARTED"),
        ("Action", "Code", "SUCCEEDED"),
        ("Stage", "S0", "SUCCEEDED"),
        ("Stage", "S1", "STARTED"),
        ("Action", "Train", "STARTED"),
        ("Action", "Train", "FAILED"),
        ("Stage", "S1", "FAILED"),
        ("Pipeline", None, "FAILED"),
    ]
    result = seen[7][1]["execution-result"]
    assert (result["external-execution-summary"], result["error-code"]) == ("E: because", "JobFailed")
    assert {"pipeline", "execution-id", "start-time", "version"} <= set(seen[-1][1])


def test_a_pipeline_that_cannot_be_executed_is_refused_when_it_is_made(world: World) -> None:
    with fails_with("provider Deploy/ECS is not rehearsed"):
        world.create([action("X", "Deploy/ECS", {"ClusterName": "c"})])


@pytest.mark.parametrize("name", [*codepipeline.APIS, "create_pipeline", "update_pipeline"])
def test_moto_answers_with_the_executor(name: str) -> None:
    assert getattr(CodePipelineResponse, name).__module__ == codepipeline.__name__


def test_moto_still_lacks_what_the_adapter_adds() -> None:
    source = inspect.getsource(responses)
    for name in ("get_pipeline_state", "list_action_executions", "put_job_success_result", "put_approval_result"):
        assert f"def {name}" not in source, f"moto has {name} now: look whether it can take the adapter's place"
    assert "doesn't actually run any actions" in inspect.getsource(models), "moto may run pipelines now"


def test_an_answer_to_no_job_is_refused(world: World) -> None:
    with fails_with("JobNotFoundException"):
        world.codepipeline.put_job_success_result(jobId="00000000-0000-0000-0000-000000000000")
    job = codepipeline_invoke.Job(id="11111111-0000-0000-0000-000000000000", details={}, open=False)
    codepipeline_invoke.JOBS[job.id] = job
    with fails_with("InvalidJobStateException"):
        world.codepipeline.put_job_success_result(jobId=job.id)
