"""The states of a job, run where the job is there already: an earlier call started it and its answer was lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from mlops_constructs import asl
from mlops_constructs.jobs import JobKind, JobState

SLOW = "import os, time\ntime.sleep(2)\nopen(os.environ['SAGEMAKER_BASE_DIR'] + '/model/m', 'w').write('x')\n"
BROKEN = "import sys\nprint('going down')\nsys.exit(3)\n"

MISSING = "arn:aws:lambda:eu-west-1:111122223333:function:not-there"

Outcome = Callable[[dict[str, Any]], dict[str, Any]]


def ended(account: Any, waiting: Any, definition: dict[str, Any]) -> dict[str, Any]:
    """Run a state machine to its end."""
    states = account.client("stepfunctions")
    machine = states.create_state_machine(
        name=account.name("adoption"), definition=json.dumps(definition), roleArn=account.role
    )["stateMachineArn"]
    execution = states.start_execution(stateMachineArn=machine)["executionArn"]

    def probe() -> Any:
        described = states.describe_execution(executionArn=execution)
        return described if described["status"] != "RUNNING" else None

    answer: dict[str, Any] = waiting(probe)
    return answer


@pytest.fixture
def outcome(account: Any, waiting: Any) -> Outcome:
    """Run the states of a job that has been started by `request`; return the ended execution."""

    def run(request: dict[str, Any]) -> dict[str, Any]:
        name = request["TrainingJobName"]
        job = JobState(
            name="Train",
            kind=JobKind.TRAINING,
            request={key: value for key, value in request.items() if key != "TrainingJobName"},
            job_name=f"States.Format('{name}')",
            limit_seconds=60,
            keep={"ModelDataUrl.$": "$.ModelArtifacts.S3ModelArtifacts"},
            next_state="Done",
            failed="Failed",
        )
        ends = {
            "Done": {"Type": "Succeed"},
            "Failed": {"Type": "Fail", "Error": "Failed", "CausePath": "$.failure.Cause"},
        }
        return ended(account, waiting, {"StartAt": "Train", "States": {**job.states("aws"), **ends}})

    return run


def test_a_job_that_still_runs_is_adopted(account: Any, image: Any, outcome: Outcome) -> None:
    image(train=SLOW)
    request = account.training_request()
    account.sagemaker.create_training_job(**request)
    described = outcome(request)
    assert described["status"] == "SUCCEEDED", described
    job = account.sagemaker.describe_training_job(TrainingJobName=request["TrainingJobName"])
    kept = json.loads(described["output"])["train"]
    assert kept == {"ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"]}


def test_a_job_that_has_completed_is_adopted(account: Any, image: Any, outcome: Outcome) -> None:
    image(train=SLOW)
    request = account.training_request()
    account.sagemaker.create_training_job(**request)
    account.ended_training(request["TrainingJobName"])
    assert outcome(request)["status"] == "SUCCEEDED"


def test_an_adopted_job_that_failed_tells_its_own_reason(account: Any, image: Any, outcome: Outcome) -> None:
    image(train=BROKEN)
    request = account.training_request()
    account.sagemaker.create_training_job(**request)
    account.ended_training(request["TrainingJobName"])
    described = outcome(request)
    assert (described["status"], described["error"]) == ("FAILED", "Failed")
    cause = json.loads(described["cause"])
    assert cause["TrainingJobName"] == request["TrainingJobName"]
    assert "AlgorithmError" in cause["FailureReason"]


def test_a_failure_that_cannot_be_explained_keeps_its_cause(account: Any, image: Any, waiting: Any) -> None:
    """The function that explains failures is not there."""
    image(train=BROKEN)
    request = account.training_request()
    train = asl.task(
        "arn:aws:states:::sagemaker:createTrainingJob.sync",
        request,
        timeout_seconds=60,
        catch=asl.catch_all("ExplainFailure"),
        next_state=None,
        result_path="$.train",
    )
    states = {"Train": train, **asl.explained_failure("aws", MISSING)}
    described = ended(account, waiting, {"StartAt": "Train", "States": asl.with_named_failures(states)})
    assert (described["status"], described["error"]) == ("FAILED", "FailedUnexplained")
    failure = json.loads(described["cause"])
    assert failure["Error"] == "States.TaskFailed"
    assert "AlgorithmError" in failure["Cause"]
