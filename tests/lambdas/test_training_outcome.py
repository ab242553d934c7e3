from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest

from lambdas.training_outcome import handler

if TYPE_CHECKING:
    from tests.lambdas.conftest import Aws, Context, Json

EXECUTION = "arn:aws:states:eu-west-1:111122223333:execution:mlops-churn-training:run-1"
OUTPUT = {
    "modelPackageArn": "arn:aws:sagemaker:eu-west-1:111122223333:model-package/mlops-churn/3",
    "modelPackageVersion": 3,
    "modelDataUrl": "s3://mlops-artifacts/churn/runs/run-1/model/job-1/output/model.tar.gz",
    "imageUri": "image:3.0-5",
    "trainingJobName": "job-1",
}
VARIABLES = {
    "Run": "run-1",
    "ModelPackageArn": OUTPUT["modelPackageArn"],
    "ModelDataUrl": OUTPUT["modelDataUrl"],
    "ImageUri": "image:3.0-5",
    "TrainingJobName": "job-1",
}
STATUSES = botocore.session.Session().get_service_model("stepfunctions").shape_for("ExecutionStatus").enum


@pytest.fixture
def finish(aws: Aws, job_of: Callable[..., Json], context: Context) -> Callable[..., Json]:
    def run(**execution: Any) -> Json:
        response = {
            "executionArn": EXECUTION,
            "stateMachineArn": "arn",
            "startDate": "2026-11-12T00:00:00Z",
        } | execution
        aws.stub("stepfunctions").add_response("describe_execution", response, {"executionArn": EXECUTION})
        result: Json = handler.handle(job_of("training_outcome"), context)
        return result

    return run


def test_a_succeeded_training_hands_its_model_to_the_pipeline(
    finish: Callable[..., Json], expect_answer: Callable[..., None]
) -> None:
    expect_answer(variables=VARIABLES)
    assert finish(status="SUCCEEDED", output=json.dumps(OUTPUT))["answer"] == "Succeeded"


@pytest.mark.parametrize("status", [status for status in STATUSES if status != "SUCCEEDED"] + ["DREAMING"])
def test_every_other_status_is_a_failure(
    finish: Callable[..., Json], expect_answer: Callable[..., None], status: str
) -> None:
    expect_answer(words=(status,))
    assert finish(status=status, output=json.dumps(OUTPUT))["answer"] == "Failed"


def test_the_failure_carries_error_and_cause(finish: Callable[..., Json], expect_answer: Callable[..., None]) -> None:
    expect_answer(words=("DataGateFailed: the label 'churned' is blank in line 57",))
    finish(status="FAILED", error="DataGateFailed", cause="the label 'churned' is blank in line 57")


@pytest.mark.parametrize("output", [None, "", "{", "null", "[]", "{}", json.dumps(OUTPUT | {"modelDataUrl": 5})])
def test_a_success_without_usable_output_is_a_failure(
    finish: Callable[..., Json], expect_answer: Callable[..., None], output: str | None
) -> None:
    if output == "{":
        expect_answer(words=("output of the training workflow is not JSON",))
    else:
        expect_answer(kind="ConfigurationError", words=("output of the training workflow", "field"))
    assert finish(status="SUCCEEDED", **({} if output is None else {"output": output}))["answer"] == "Failed"


@pytest.mark.parametrize("arn", ["", "#{Train.ExecutionArn}", None, "arn:aws:states:eu-west-1:1:execution:m:r"])
@pytest.mark.usefixtures("aws")
def test_an_execution_that_is_not_named_is_a_failure(
    job_of: Callable[..., Json], expect_answer: Callable[..., None], context: Context, arn: str | None
) -> None:
    expect_answer(kind="ConfigurationError", words=("field 'executionArn'",))
    handler.handle(job_of("training_outcome", executionArn=arn), context)


def test_an_execution_that_cannot_be_read_is_a_failure(
    aws: Aws, job_of: Callable[..., Json], expect_answer: Callable[..., None], context: Context
) -> None:
    aws.stub("stepfunctions").add_client_error("describe_execution", "AccessDeniedException", "not authorized")
    expect_answer(kind="PermissionError", words=("DescribeExecution", "not authorized"))
    assert handler.handle(job_of("training_outcome"), context)["answer"] == "Failed"
