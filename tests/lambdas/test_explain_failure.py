from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.explain_failure import handler
from lambdas.explain_failure.logic import explain
from lambdas.explain_failure.services import Failure

if TYPE_CHECKING:
    from tests.lambdas.conftest import Context, Json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def told(error: str, cause: Any, **more: Any) -> Failure:
    text = cause if isinstance(cause, str) else json.dumps(cause)
    return explain({"error": {"Error": error, "Cause": text}} | more)


def test_a_failed_training_job_is_told_by_its_failure_reason(event_of: Callable[..., Json], context: Context) -> None:
    assert handler.handle(event_of("explain_failure"), context) == {
        "error": "TrainingFailed",
        "cause": "Train: training job job-1 failed: AlgorithmError: eta is not in [0, 1]",
    }


def test_a_failed_processing_job_is_told_by_both_of_its_reasons() -> None:
    cause = {
        "ProcessingJobName": "job-1",
        "ProcessingJobStatus": "Failed",
        "FailureReason": "AlgorithmError: exit code 1",
        "ExitMessage": "no CSV file",
        "Environment": {"noise": "x"},
    }
    expected = "processing job job-1 failed: AlgorithmError: exit code 1; no CSV file"
    assert told("States.TaskFailed", cause) == ("ProcessingFailed", expected)


@pytest.mark.parametrize(
    "status", botocore.session.Session().get_service_model("sagemaker").shape_for("TrainingJobStatus").enum
)
def test_a_job_without_reason_is_told_by_its_status(status: str) -> None:
    error, cause = told("States.TaskFailed", {"TrainingJobName": "job-1", "TrainingJobStatus": status})
    assert error == ("TrainingStopped" if status == "Stopped" else "TrainingFailed")
    assert cause == f"training job job-1 {status.lower()}: SageMaker gave no reason"


def test_a_job_that_ran_too_long_is_told_by_its_secondary_status() -> None:
    cause = {"TrainingJobName": "job-1", "TrainingJobStatus": "Stopped", "SecondaryStatus": "MaxRuntimeExceeded"}
    assert told("States.TaskFailed", cause)[1] == "training job job-1 stopped: MaxRuntimeExceeded"


def test_a_failed_function_is_told_without_its_trace() -> None:
    cause = {"errorMessage": "s3://b/k does not exist", "errorType": "StorageError", "stackTrace": ['  File "x.py"']}
    assert told("StorageError", cause) == ("StorageError", "s3://b/k does not exist")


def test_a_function_that_crashed_is_told_by_its_type() -> None:
    cause = {
        "errorMessage": "RequestId: 1 Error: Runtime exited with error: signal: killed",
        "errorType": "Runtime.ExitError",
    }
    assert told("Runtime.ExitError", cause) == ("ExitError", cause["errorMessage"])


def test_a_function_that_timed_out_is_told_as_a_timeout() -> None:
    cause = {
        "errorMessage": "2026-11-12T00:00:00Z 1 Task timed out after 60.00 seconds",
        "errorType": "Sandbox.Timedout",
    }
    assert told("Sandbox.Timedout", cause)[0] == "TimedOut"


@pytest.mark.parametrize(
    ("error", "cause", "name"),
    [
        ("SageMaker.AmazonSageMakerException", "User: arn is not authorized to perform: sagemaker:X", "AccessDenied"),
        ("S3.S3Exception", "Access Denied (Service: S3, Status Code: 403)", "AccessDenied"),
        ("SageMaker.AmazonSageMakerException", "Rate exceeded (ThrottlingException)", "Throttled"),
        ("SageMaker.ResourceLimitExceededException", "account-level service limit is 0 Instances", "QuotaExceeded"),
        ("SageMaker.AmazonSageMakerException", "CapacityError: Unable to provision requested", "NoCapacity"),
        ("S3.NoSuchKeyException", "The specified key does not exist", "NotFound"),
        ("States.Timeout", "", "TimedOut"),
        ("SageMaker.AmazonSageMakerException", "something else", "AmazonSageMakerException"),
        ("DataGateFailed", "missing-label: line 57", "DataGateFailed"),
        ("MetricGateFailed", "the quota of access denied rows", "MetricGateFailed"),
        ("", "", "UnknownFailure"),
        ("States.TaskFailed", "who knows", "UnknownFailure"),
    ],
)
def test_an_error_of_an_api_gets_a_short_name(error: str, cause: str, name: str) -> None:
    assert told(error, cause)[0] == name


def test_a_failed_transform_job_is_told_by_its_failure_reason() -> None:
    cause = {
        "TransformJobName": "job-1",
        "TransformJobStatus": "Failed",
        "FailureReason": "ClientError: See job logs for more information",
        "ModelName": "mlops-iris-challenger-0",
    }
    expected = "transform job job-1 failed: ClientError: See job logs for more information"
    assert told("States.TaskFailed", cause) == ("TransformFailed", expected)


BUILD = {
    "Id": "mlops-iris-image:7b1f2c",
    "Arn": "arn:aws:codebuild:eu-west-1:111122223333:build/mlops-iris-image:7b1f2c",
    "BuildStatus": "FAILED",
    "CurrentPhase": "COMPLETED",
    "Phases": [
        {"PhaseType": "SUBMITTED", "PhaseStatus": "SUCCEEDED"},
        {"PhaseType": "INSTALL", "PhaseStatus": "SUCCEEDED", "Contexts": []},
        {
            "PhaseType": "BUILD",
            "PhaseStatus": "FAILED",
            "Contexts": [
                {
                    "StatusCode": "COMMAND_EXECUTION_ERROR",
                    "Message": "Error while executing command: uv run build-image. Reason: exit status 1",
                }
            ],
        },
        {"PhaseType": "POST_BUILD", "PhaseStatus": "FAILED", "Contexts": [{"Message": "no image"}]},
        {"PhaseType": "COMPLETED"},
    ],
    "Environment": {"EnvironmentVariables": [{"Name": "NOISE", "Value": "x"}]},
}


def first_lower(document: Any) -> Any:
    """The names as the API of CodeBuild itself writes them."""
    if isinstance(document, list):
        return [first_lower(each) for each in document]
    if isinstance(document, dict):
        return {name[0].lower() + name[1:]: first_lower(each) for name, each in document.items()}
    return document


@pytest.mark.parametrize("cause", [{"Build": BUILD}, first_lower({"Build": BUILD})], ids=["Build", "build"])
def test_a_failed_build_is_told_by_its_first_failed_phase(cause: Json) -> None:
    assert told("States.TaskFailed", cause) == (
        "BuildFailed",
        (
            "build mlops-iris-image:7b1f2c failed in phase BUILD: Error while executing command: uv run build-image."
            " Reason: exit status 1"
        ),
    )


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"BuildStatus": "STOPPED", "Phases": []}, "BuildStopped", "stopped: CodeBuild names no phase that failed"),
        ({"BuildStatus": "TIMED_OUT", "Phases": None}, "TimedOut", "timed_out"),
        ({"BuildStatus": "FAULT", "Phases": [5, {"PhaseStatus": "FAULT"}]}, "BuildFailed", "in phase unknown"),
    ],
)
def test_a_build_that_ended_otherwise_is_told_by_its_status(changes: Json, error: str, words: str) -> None:
    failure = told("States.TaskFailed", {"Build": BUILD | changes})
    assert failure.error == error
    assert words in failure.cause


EXECUTION = {
    "ExecutionArn": "arn:aws:states:eu-west-1:111122223333:execution:mlops-iris-training:run-1",
    "Name": "run-1",
    "Status": "FAILED",
    "StateMachineArn": "arn:aws:states:eu-west-1:111122223333:stateMachine:mlops-iris-training",
    "Input": "{}",
}


def test_a_nested_execution_is_told_by_its_own_error_and_cause() -> None:
    cause = EXECUTION | {"Error": "MetricGateFailed", "Cause": "accuracy is 0.8000, at least 0.85 required"}
    assert told("States.TaskFailed", cause) == (
        "MetricGateFailed",
        "mlops-iris-training: accuracy is 0.8000, at least 0.85 required",
    )


def test_a_failed_job_in_a_nested_execution_is_told_by_its_reason() -> None:
    job = {"TrainingJobName": "job-1", "TrainingJobStatus": "Failed", "FailureReason": "max_depth is no number"}
    inner = EXECUTION | {"Error": "States.TaskFailed", "Cause": json.dumps(job)}
    outer = EXECUTION | {"Error": "States.TaskFailed", "Cause": json.dumps(inner)}
    error, cause = told("States.TaskFailed", outer)
    assert error == "TrainingFailed"
    assert cause.endswith("mlops-iris-training: training job job-1 failed: max_depth is no number")


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        ("TIMED_OUT", "TimedOut", "mlops-iris-training: the step took longer than its time limit"),
        ("ABORTED", "Aborted", "mlops-iris-training: the execution is ABORTED"),
        ("FAILED", "UnknownFailure", "mlops-iris-training: the execution is FAILED"),
    ],
)
def test_a_nested_execution_without_a_cause_is_told_by_its_status(status: str, error: str, words: str) -> None:
    assert told("States.TaskFailed", EXECUTION | {"Status": status}) == (error, words)


def test_executions_that_are_nested_without_end_are_told_all_the_same() -> None:
    cause: Json = EXECUTION
    for _ in range(8):
        cause = EXECUTION | {"Error": "States.TaskFailed", "Cause": json.dumps(cause)}
    assert told("States.TaskFailed", cause).cause.startswith("mlops-iris-training: ")


STACK = {"StackName": "mlops-iris-dev", "StackStatus": "UPDATE_ROLLBACK_COMPLETE"}


@pytest.mark.parametrize("cause", [STACK, {"Stacks": [STACK]}], ids=["stack", "stacks"])
def test_a_failed_stack_is_told_by_its_status(cause: Json) -> None:
    failure = told("DeploymentFailed", cause)
    assert failure.error == "StackFailed"
    assert failure.cause == "stack mlops-iris-dev is UPDATE_ROLLBACK_COMPLETE: CloudFormation gave no reason"


def test_a_failed_stack_is_told_by_the_resource_that_failed_first() -> None:
    def event(logical_id: str, status: str, reason: str) -> Json:
        more = {"ResourceType": "AWS::SageMaker::Endpoint", "ResourceStatus": status, "ResourceStatusReason": reason}
        return {"StackName": "mlops-iris-dev", "LogicalResourceId": logical_id, **more}

    newest_first = [
        event("mlops-iris-dev", "UPDATE_ROLLBACK_COMPLETE", ""),
        event("Alarm", "UPDATE_FAILED", "Resource update cancelled"),
        event("Endpoint", "UPDATE_FAILED", "The primary container did not pass the ping health check"),
        event("Model", "CREATE_COMPLETE", ""),
    ]
    assert told("DeploymentFailed", {"StackEvents": newest_first}) == (
        "StackFailed",
        (
            "stack mlops-iris-dev: Endpoint (AWS::SageMaker::Endpoint) UPDATE_FAILED: The primary container did not"
            " pass the ping health check"
        ),
    )


@pytest.mark.parametrize("event", [None, [], {}, {"error": None}, {"error": []}, {"error": "text"}, "x" * 1_000_000, 5])
def test_an_event_of_another_form_is_explained_as_such(context: Context, event: object) -> None:
    answer = handler.handle(event, context)
    assert answer["error"] == "UnknownFailure"
    assert answer["cause"].startswith("the field 'error' of the event is")


@pytest.mark.parametrize(
    "details", [{}, {"Error": 5, "Cause": {"a": 1}}, {"Cause": "[" * 100_000}, {"Error": "é" * 10_000, "Cause": "\x00"}]
)
def test_details_of_another_form_are_explained_all_the_same(context: Context, details: Any) -> None:
    answer = handler.handle({"error": details}, context)
    assert answer["error"]
    assert answer["cause"]


@settings(max_examples=50, deadline=None)
@given(JSON, JSON, JSON)
def test_every_failure_gets_a_name_and_a_cause_that_fit(step: Any, error: Any, cause: Any) -> None:
    for given_cause in (cause, json.dumps(cause)):
        failure = explain({"step": step, "error": {"Error": error, "Cause": given_cause}})
        assert 0 < len(failure.error) <= 80
        assert 0 < len(failure.cause) <= 900
        assert "\n" not in failure.cause
