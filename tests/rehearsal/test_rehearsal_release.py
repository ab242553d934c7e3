"""The whole rehearsal of the route without CI/CD: new data starts a state machine, which ends in verified endpoints."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from mlops.rehearsal import credentials
from mlops.rehearsal.expectations import EXPECTED
from mlops.rehearsal.faults import Fault
from mlops.rehearsal.least_privilege import role_uses, unexplained
from mlops.rehearsal.recording import record_run, shortcomings, still_serving
from mlops.rehearsal.rehearsal import Rehearsal, Run
from mlops.rehearsal.timeline import TIMELINE
from mlops.report.html import render

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    TIMELINE.reset()
    with Rehearsal("diabetes", approver=lambda _: False) as running:
        yield running


@pytest.fixture(scope="module")
def first(rehearsal: Rehearsal) -> Run:
    return rehearsal.run(rehearsal.sample(version=1))


def test_new_data_ends_in_a_verified_endpoint_wherever_nobody_has_to_approve(rehearsal: Rehearsal, first: Run) -> None:
    assert first.failure() is None
    assert rehearsal.environments == ("dev", "staging")
    assert [first.documents[f"deployments/{one}.json"]["passed"] for one in rehearsal.environments] == [True, True]
    assert rehearsal.serving("prod") is None


def test_the_endpoint_predicts_better_than_the_mean(rehearsal: Rehearsal, first: Run) -> None:
    labels, rows = rehearsal.test_rows(first.execution_id, count=60)
    truth = [float(label) for label in labels]
    answers = [float(line) for line in rehearsal.predict("staging", "\n".join(rows)).split()]
    mean = sum(truth) / len(truth)
    missed = sum((label - answer) ** 2 for label, answer in zip(truth, answers, strict=True))
    assert missed < 0.8 * sum((label - mean) ** 2 for label in truth)


def test_no_role_was_denied_anything(rehearsal: Rehearsal, first: Run) -> None:
    record = record_run(rehearsal, first)
    assert record.calls > 50
    assert [denial for role in record.roles for denial in role.denied] == []


def test_the_report_shows_the_steps_of_the_release(rehearsal: Rehearsal, first: Run) -> None:
    record = record_run(rehearsal, first)
    assert [stage.name for stage in record.stages] == ["Build", "Train", "Dev", "Staging"]
    assert {str(stage.state) for stage in record.stages} == {"succeeded"}
    assert "RMSE" in render(record)


def test_the_same_upload_announced_twice_releases_once(rehearsal: Rehearsal, first: Run) -> None:
    del first
    run = rehearsal.run(rehearsal.sample(version=2, fault=Fault.BLANK_LABEL), fault=Fault.DUPLICATE_EVENT)
    assert run.executions_started == 1


def test_a_release_of_older_data_does_not_deploy(rehearsal: Rehearsal, first: Run) -> None:
    serving = rehearsal.serving("staging")
    client = credentials.client("stepfunctions")
    machines = client.list_state_machines()["stateMachines"]
    machine = next(one["stateMachineArn"] for one in machines if one["name"] == "mlops-diabetes-release")
    arn = f"{machine.replace(':stateMachine:', ':execution:')}:{first.execution_id}"
    asked = json.loads(client.describe_execution(executionArn=arn)["input"])
    rehearsal._client("s3").put_object(  # noqa: SLF001 - newer data that starts no release of its own
        Bucket=rehearsal.data_bucket, Key="diabetes/data.csv", Body=b"not data"
    )
    newest = client.start_execution(stateMachineArn=machine, name="late", input=json.dumps({**asked, "run": "late"}))
    assert rehearsal._follow("late") == "Failed"  # noqa: SLF001 - as `run` does
    described = client.describe_execution(executionArn=newest["executionArn"])
    assert described["error"] == "Superseded"
    assert rehearsal.serving("staging") == serving


def test_a_fault_ends_the_release_with_its_cause_and_spares_the_champion(rehearsal: Rehearsal, first: Run) -> None:
    run = rehearsal.run(rehearsal.sample(version=2, fault=Fault.SERVE_DIES), fault=Fault.SERVE_DIES)
    assert shortcomings(EXPECTED[Fault.SERVE_DIES], run) == [], run.failure()
    assert still_serving(rehearsal, first) == []
    assert any("VerificationFailed" in message for message in rehearsal.notifications())


def test_a_person_starts_a_release_with_an_empty_event(rehearsal: Rehearsal, first: Run) -> None:
    del first
    stack = credentials.client("cloudformation").describe_stacks(StackName="mlops-diabetes")["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    answer = credentials.client("lambda").invoke(FunctionName=outputs["StartFunction"], Payload=b"{}")
    said = json.loads(answer["Payload"].read())
    assert said["started"], said
    assert rehearsal._follow(said["run"]) == "Succeeded"  # noqa: SLF001 - what `run` does after an upload


@pytest.mark.usefixtures("first")
def test_the_daily_collection_sees_what_it_needs_to_and_leaves_what_is_young() -> None:
    listed = credentials.client("cloudformation").describe_stack_resources(StackName="mlops-diabetes")
    (function,) = (
        one["PhysicalResourceId"]
        for one in listed["StackResources"]
        if one["ResourceType"] == "AWS::Lambda::Function" and "Collect" in one["LogicalResourceId"]
    )
    answer = credentials.client("lambda").invoke(FunctionName=function, Payload=b"{}")
    assert json.loads(answer["Payload"].read()) == {"configurations": [], "models": [], "changing": []}


def test_every_permission_is_used_by_some_run_or_explained(rehearsal: Rehearsal, first: Run) -> None:
    del first
    uses = role_uses(rehearsal.assembly_dir(), rehearsal.deployed_stacks())
    assert unexplained(uses) == []
