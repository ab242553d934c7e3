from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlops.rehearsal.server import EmulatedAws
from tests.rehearsal.pipeline_world import World, action, approval, message


@pytest.fixture
def world(aws: EmulatedAws) -> World:
    world = World(aws)
    world.upload({"v": "one"})
    return world


def refused_as(code: str, *words: str) -> Any:
    return pytest.raises(ClientError, match=rf"\({code}\).*{'.*'.join(words)}")


def machine(world: World, state: dict[str, Any], name: str = "machine") -> str:
    role = world.make_role(name, "states.amazonaws.com", ["*"])
    definition = {"StartAt": "Only", "States": {"Only": state}}
    made = world.client("stepfunctions").create_state_machine(
        name=f"{name}-{world.tag}", definition=json.dumps(definition), roleArn=role
    )
    return str(made["stateMachineArn"])


def deployment(world: World) -> list[dict[str, Any]]:
    """A stage that needs the artifact of the source and a variable of it, and tells what it was given."""
    return [
        action(
            "Deploy",
            "Invoke/StepFunctions",
            {
                "StateMachineArn": machine(world, {"Type": "Succeed"}),
                "Input": {"run": "#{codepipeline.PipelineExecutionId}", "version": "#{Code.VersionId}"},
            },
            outputs=["Given"],
        ),
        approval(order=2, inputs=["CodeZip"]),
    ]


def roll_back(world: World, name: str, stage: str, target: str) -> str:
    answer = world.codepipeline.rollback_stage(pipelineName=name, stageName=stage, targetPipelineExecutionId=target)
    return str(answer["pipelineExecutionId"])


def execute(world: World, name: str, status: str = "Approved", stage: str = "S1") -> str:
    execution = world.start(name)
    world.answer(name, stage, status)
    world.end(name, execution)
    return execution


def latest(world: World, name: str, stage: int = 1) -> dict[str, Any]:
    found: dict[str, Any] = world.codepipeline.get_pipeline_state(name=name)["stageStates"][stage]["latestExecution"]
    return found


def rolled_back_by_itself(world: World, name: str, failed: str) -> dict[str, Any] | None:
    deadline = time.monotonic() + 0.3
    while time.monotonic() < deadline:
        for one in world.codepipeline.list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"]:
            if one["executionType"] == "ROLLBACK" and one["trigger"]["triggerDetail"] == failed:
                return dict(one)
        time.sleep(0.05)
    return None


def test_a_rollback_runs_one_stage_again_with_the_artifacts_and_variables_of_its_target(world: World) -> None:
    name = world.create(deployment(world), [approval("Later")])
    first = world.start(name)
    world.answer(name, "S1")
    later = world.token(name, "S2", "Later")
    result = {"status": "Approved", "summary": ""}
    world.codepipeline.put_approval_result(
        pipelineName=name, stageName="S2", actionName="Later", token=later, result=result
    )
    assert world.end(name, first) == "Succeeded"
    version = world.actions(name, first)["Code"]["output"]["outputVariables"]["VersionId"]
    world.upload({"v": "two"})
    second = world.start(name)
    world.answer(name, "S1")
    world.token(name, "S2", "Later")

    back = roll_back(world, name, "S1", first)
    assert back not in {first, second}
    world.answer(name, "S1")
    assert world.end(name, back) == "Succeeded"
    actions = world.actions(name, back)
    assert list(actions) == ["Deploy", "Approve"]
    given = json.loads(actions["Deploy"]["input"]["resolvedConfiguration"]["Input"])
    assert given == {"run": back, "version": version}
    target_zip = world.actions(name, first)["Code"]["output"]["outputArtifacts"]
    assert actions["Approve"]["input"]["inputArtifacts"] == target_zip
    world.codepipeline.stop_pipeline_execution(pipelineName=name, pipelineExecutionId=second, abandon=True)
    assert world.end(name, second) == "Stopped"


def test_a_rollback_is_told_as_one_in_every_answer_and_event(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlops.rehearsal import events  # noqa: PLC0415 - needs the server

    seen: list[tuple[str, str, str]] = []

    def emit(source: str, kind: str, detail: dict[str, Any], *_: Any, **__: Any) -> None:
        if source == "aws.codepipeline" and "Action" not in kind:
            trigger = detail.get("execution-trigger", {}).get("trigger-type", "")
            seen.append((detail["execution-id"], f"{detail.get('stage', '')} {detail['state']}".strip(), trigger))

    name = world.create(deployment(world))
    first = execute(world, name)
    monkeypatch.setattr(events, "emit", emit)
    back = roll_back(world, name, "S1", first)
    world.answer(name, "S1")
    world.end(name, back)
    one = world.codepipeline.get_pipeline_execution(pipelineName=name, pipelineExecutionId=back)["pipelineExecution"]
    listed = world.codepipeline.list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"][0]
    for told in (one, listed):
        assert told["executionType"] == "ROLLBACK"
        assert told["rollbackMetadata"] == {"rollbackTargetPipelineExecutionId": first}
        assert told["trigger"] == {
            "triggerType": "ManualRollback",
            "triggerDetail": "arn:aws:iam::111122223333:user/operator",
        }
    assert listed["sourceRevisions"]
    assert latest(world, name) == {"pipelineExecutionId": back, "status": "Succeeded", "type": "ROLLBACK"}
    time.sleep(0.05)
    assert [(state, trigger) for execution, state, trigger in seen if execution == back] == [
        ("STARTED", "ManualRollback"),
        ("S1 STARTED", ""),
        ("S1 SUCCEEDED", ""),
        ("SUCCEEDED", "ManualRollback"),
    ]


def test_what_codepipeline_cannot_roll_back_to_is_refused_by_its_name(world: World) -> None:
    unable, name = "UnableToRollbackStageException", world.create(deployment(world))
    failed, good = execute(world, name, "Rejected"), execute(world, name)
    with refused_as("StageNotFoundException", "Nope"):
        roll_back(world, name, "Nope", good)
    with refused_as(unable, "source stage"):
        roll_back(world, name, "S0", good)
    with refused_as("PipelineExecutionNotFoundException"):
        roll_back(world, name, "S1", "00000000-0000-0000-0000-000000000000")
    with refused_as(unable, "did not succeed there"):
        roll_back(world, name, "S1", failed)
    back = roll_back(world, name, "S1", good)
    with refused_as(unable, "currently running"):
        roll_back(world, name, "S1", good)
    world.answer(name, "S1")
    world.end(name, back)
    with refused_as(unable, "itself a rollback"):
        roll_back(world, name, "S1", back)
    pipeline = world.codepipeline.get_pipeline(name=name)["pipeline"]
    world.codepipeline.update_pipeline(pipeline=pipeline)
    with refused_as("PipelineExecutionOutdatedException", "version 1", "now 2"):
        roll_back(world, name, "S1", good)
    wanted = {"succeededInStage": {"stageName": "S1"}}
    answer = world.codepipeline.list_pipeline_executions(pipelineName=name, filter=wanted)
    assert answer["pipelineExecutionSummaries"] == [], "the filter is about the current version of the pipeline"


def test_a_stage_that_fails_rolls_itself_back_to_the_last_success_there(world: World) -> None:
    name = world.create_with({"result": "ROLLBACK"}, deployment(world))
    execute(world, name)
    second = execute(world, name)
    third = execute(world, name, "Rejected")
    back = rolled_back_by_itself(world, name, third)
    assert back is not None
    assert back["trigger"]["triggerType"] == "AutomatedRollback"
    assert back["rollbackMetadata"] == {"rollbackTargetPipelineExecutionId": second}
    assert world.status(name, third) == "Failed"
    world.answer(name, "S1", "Rejected")
    assert world.end(name, back["pipelineExecutionId"]) == "Failed"
    assert rolled_back_by_itself(world, name, back["pipelineExecutionId"]) is None, "a rollback never rolls back"


def test_a_first_deployment_that_fails_just_fails(world: World) -> None:
    name = world.create_with({"result": "ROLLBACK"}, deployment(world))
    first = execute(world, name, "Rejected")
    assert world.status(name, first) == "Failed"
    assert rolled_back_by_itself(world, name, first) is None


@pytest.mark.parametrize(("mode", "deployed"), [("FAILED_ACTIONS", 1), ("ALL_ACTIONS", 2)])
def test_a_stage_tries_itself_again_once(world: World, mode: str, deployed: int) -> None:
    reaction = {"result": "RETRY", "retryConfiguration": {"retryMode": mode}}
    name = world.create_with(reaction, deployment(world))
    execution = world.start(name)
    token = world.token(name, "S1")
    world.answer(name, "S1", "Rejected")
    while world.token(name, "S1") == token:
        time.sleep(0.02)
    world.answer(name, "S1", "Rejected")
    assert world.end(name, execution) == "Failed"
    details = world.codepipeline.list_action_executions(pipelineName=name)["actionExecutionDetails"]
    names = [one["actionName"] for one in details]
    assert (names.count("Deploy"), names.count("Approve")) == (deployed, 2)
    state = world.codepipeline.get_pipeline_state(name=name)["stageStates"][1]
    assert state["retryStageMetadata"] == {"autoStageRetryAttempt": 1, "latestRetryTrigger": "AutomatedStageRetry"}


def test_an_action_beside_one_that_fails_runs_to_its_end_and_only_then_the_stage_fails(world: World) -> None:
    arn = machine(world, {"Type": "Fail", "Error": "Worse", "Cause": "at once"})
    name = world.create(
        [action("Fails", "Invoke/StepFunctions", {"StateMachineArn": arn}), approval(), approval("Never", order=2)]
    )
    execution = world.start(name)
    token = world.token(name, "S1")
    deadline = time.monotonic() + 5
    while world.actions(name, execution)["Fails"]["status"] != "Failed":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert world.status(name, execution) == "InProgress"
    assert latest(world, name)["status"] == "InProgress"
    result = {"status": "Approved", "summary": ""}
    world.codepipeline.put_approval_result(
        pipelineName=name, stageName="S1", actionName="Approve", token=token, result=result
    )
    assert world.end(name, execution) == "Failed"
    actions = world.actions(name, execution)
    assert (actions["Approve"]["status"], message(actions["Fails"])) == ("Succeeded", "Worse: at once")
    assert "Never" not in actions
