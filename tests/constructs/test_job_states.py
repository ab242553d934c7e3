from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from mlops_constructs.jobs import JobKind, JobState

JOB = JobState(
    name="Train",
    kind=JobKind.TRAINING,
    request={"RoleArn": "arn:aws:iam::111122223333:role/jobs"},
    job_name="States.Format('mlops-churn-train-{}-{}', $$.Execution.Id, $.try.attempt)",
    limit_seconds=3600,
    keep={"ModelDataUrl.$": "$.ModelArtifacts.S3ModelArtifacts"},
    next_state="Next",
    failed="Failed",
)


@pytest.fixture
def states() -> dict[str, Any]:
    return JOB.states("aws")


def follow(states: dict[str, Any], status: str) -> str:
    """The state that follows when an adopted job has `status`."""
    choice = states[states["TrainAdopt"]["Next"]]
    return str(next((rule["Next"] for rule in choice["Choices"] if rule["StringEquals"] == status), choice["Default"]))


def statuses(operation: str, member: str) -> Iterator[str]:
    """Every status that the API knows."""
    model = boto3.client("sagemaker", region_name="eu-west-1").meta.service_model
    shape = model.operation_model(operation).output_shape
    assert shape is not None
    yield from shape.members[member].enum


def test_a_job_has_time_to_wait_for_its_instance(states: dict[str, Any]) -> None:
    assert states["Train"]["TimeoutSeconds"] > JOB.limit_seconds


def test_a_name_that_is_taken_leads_to_the_job_that_has_it(states: dict[str, Any]) -> None:
    first, last = states["Train"]["Catch"]
    assert (first["ErrorEquals"], first["Next"]) == (["SageMaker.ResourceInUseException"], "TrainAdopt")
    assert (last["ErrorEquals"], last["Next"]) == (["States.ALL"], "Failed")


def test_a_name_that_is_taken_is_not_tried_again(states: dict[str, Any]) -> None:
    retried = {error for policy in states["Train"]["Retry"] for error in policy["ErrorEquals"]}
    assert not retried & {"SageMaker.ResourceInUseException", "States.ALL", "States.TaskFailed"}


def test_the_adopted_job_is_the_one_that_was_started(states: dict[str, Any]) -> None:
    for name in ("TrainAdopt", "TrainAdoptedResult", "TrainAdoptedFailure"):
        assert states[name]["Parameters"] == {"TrainingJobName.$": JOB.job_name}


def test_nothing_is_asked_of_a_running_job_that_it_does_not_have(states: dict[str, Any]) -> None:
    assert states["TrainAdopt"]["ResultSelector"] == {"Status.$": "$.TrainingJobStatus"}


@pytest.mark.parametrize("status", ["InProgress", "Stopping"])
def test_an_adopted_job_that_runs_is_waited_for(states: dict[str, Any], status: str) -> None:
    pause = states[follow(states, status)]
    assert (pause["Type"], pause["Next"]) == ("Wait", "TrainAdopt")


def test_an_adopted_job_gives_the_result_of_a_job_that_was_not(states: dict[str, Any]) -> None:
    result = states[follow(states, "Completed")]
    for key in ("ResultSelector", "ResultPath", "Next"):
        assert result[key] == states["Train"][key]


@pytest.mark.parametrize("status", ["Failed", "Stopped", "a status that does not exist yet"])
def test_an_adopted_job_that_did_not_complete_fails_with_its_own_cause(states: dict[str, Any], status: str) -> None:
    failure = states[follow(states, status)]
    assert failure["Next"] == "Failed"
    assert failure["ResultPath"] == "$.failure"
    assert failure["ResultSelector"]["Cause.$"] == "States.JsonToString($)"


@pytest.mark.parametrize("kind", JobKind)
def test_only_completed_goes_on(kind: JobKind) -> None:
    api = kind.value
    operation = f"{api.describe[0].upper()}{api.describe[1:]}"
    found = {
        status: follow(JOB.states("aws"), status) for status in statuses(operation, api.status_path.split(".")[-1])
    }
    assert [status for status, state in found.items() if state == "TrainAdoptedResult"] == ["Completed"]
