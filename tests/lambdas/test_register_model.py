from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.register_model import handler
from lambdas.register_model.logic import RegisterEvent, lineage, package
from lambdas.shared.errors import EventError, RegistryError
from lambdas.shared.metrics import Task

if TYPE_CHECKING:
    from tests.lambdas.conftest import Aws, Bucket, Context, Json

ARN = "arn:aws:sagemaker:eu-west-1:111122223333:model-package/mlops-churn/3"
REPORT = {
    "version": 1,
    "task": "binary",
    "binary_classification_metrics": {"auc": {"value": 0.8712345}, "f1": {"value": float("nan")}},
}
NOW = "2026-11-12T00:00:00Z"
MODEL = botocore.session.Session().get_service_model("sagemaker")


@pytest.fixture
def sagemaker(moto: Aws) -> Any:
    """The registry of moto."""
    client = moto.create_client("sagemaker")
    client.create_model_package_group(ModelPackageGroupName="mlops-churn")
    return client


@pytest.fixture
def register(bucket: Bucket, event_of: Callable[..., Json], context: Context) -> Callable[..., Json]:
    bucket.put("churn/runs/run-1/evaluation/evaluation.json", REPORT)
    return lambda **changes: handler.handle(event_of("register_model", **changes), context)


def test_a_model_is_registered_as_pending_with_metrics_and_lineage(
    sagemaker: Any, register: Callable[..., Json]
) -> None:
    answer = register()
    made = sagemaker.describe_model_package(ModelPackageName=answer["modelPackageArn"])
    assert answer["modelPackageVersion"] == 1
    assert made["ModelApprovalStatus"] == "PendingManualApproval"
    assert made["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"].endswith("/evaluation/evaluation.json")
    assert made["InferenceSpecification"]["SupportedContentTypes"] == ["text/csv"]
    assert made["InferenceSpecification"]["Containers"][0]["ModelDataUrl"] == answer["modelDataUrl"]
    metadata = made["CustomerMetadataProperties"]
    assert (metadata["run"], metadata["task"]) == ("run-1", "binary")
    assert metadata["auc"] == "0.871235"
    assert metadata["data_version"] == "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e"
    assert "f1" not in metadata


@pytest.mark.usefixtures("sagemaker")
def test_the_registration_is_written_with_everything_that_leads_back(
    register: Callable[..., Json], bucket: Bucket
) -> None:
    answer = register()
    written = bucket.read("churn/runs/run-1/registration.json")
    assert written.items() >= answer.items()
    assert written["trainingJobArn"].endswith("training-job/job-1")
    assert (written["codeVersion"], written["metrics"]) == ("k9.TqvXYZ", {"auc": 0.8712345})


def test_a_model_that_was_handed_over_names_its_candidate_and_who_trained_it(
    sagemaker: Any, register: Callable[..., Json], bucket: Bucket
) -> None:
    candidate = "arn:aws:sagemaker:eu-west-1:444455556666:model-package/mlops-churn-candidates/7"
    answer = register(candidate=candidate, trainedBy="arn:aws:sts::444455556666:assumed-role/scientist/ann")
    metadata = sagemaker.describe_model_package(ModelPackageName=answer["modelPackageArn"])[
        "CustomerMetadataProperties"
    ]
    assert metadata["candidate"] == candidate
    assert metadata["trained_by"].endswith("/ann")
    assert bucket.read("churn/runs/run-1/registration.json")["candidate"] == candidate


@pytest.mark.usefixtures("sagemaker")
def test_a_model_that_was_trained_here_names_no_candidate(register: Callable[..., Json], bucket: Bucket) -> None:
    register()
    assert not {"candidate", "trainedBy"} & bucket.read("churn/runs/run-1/registration.json").keys()


def test_a_second_try_adopts_the_package_of_the_first(sagemaker: Any, register: Callable[..., Json]) -> None:
    assert register() == register()
    assert len(sagemaker.list_model_packages(ModelPackageGroupName="mlops-churn")["ModelPackageSummaryList"]) == 1


def test_another_run_gets_another_version(sagemaker: Any, register: Callable[..., Json]) -> None:
    del sagemaker
    assert [register(run=run)["modelPackageVersion"] for run in ("run-1", "run-2")] == [1, 2]


def test_a_package_that_was_rejected_is_not_adopted(sagemaker: Any, register: Callable[..., Json]) -> None:
    arn = register()["modelPackageArn"]
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected")
    with pytest.raises(RegistryError, match="Rejected"):
        register()


@pytest.mark.parametrize(
    "status",
    [status for status in MODEL.shape_for("ModelPackageStatus").enum if status in {"Failed", "Deleting"}] + ["New"],
)
def test_a_package_that_is_not_usable_is_an_error(aws: Aws, register: Callable[..., Json], status: str) -> None:
    stub = aws.stub("sagemaker")
    stub.add_response("list_model_packages", {"ModelPackageSummaryList": []})
    stub.add_response("create_model_package", {"ModelPackageArn": ARN})
    described = {
        "ModelPackageName": "mlops-churn/3",
        "ModelPackageArn": ARN,
        "ModelPackageGroupName": "mlops-churn",
        "CreationTime": NOW,
        "ModelPackageStatus": status,
        "ModelPackageStatusDetails": {"ValidationStatuses": []},
    }
    stub.add_response("describe_model_package", described, {"ModelPackageName": ARN})
    with pytest.raises(RegistryError, match=f"{ARN} is {status}"):
        register()


@pytest.mark.parametrize(
    ("task", "group", "metrics"),
    [
        ("multiclass", "multiclass_classification_metrics", {"accuracy": 0.95, "log_loss": 0.2}),
        ("regression", "regression_metrics", {"rmse": 54.25, "r2": -0.125}),
    ],
)
def test_the_metrics_of_each_task_are_registered(
    sagemaker: Any, register: Callable[..., Json], bucket: Bucket, task: str, group: str, metrics: dict[str, float]
) -> None:
    document = {"task": task, group: {name: {"value": value} for name, value in metrics.items()}}
    bucket.put("churn/runs/run-1/evaluation/evaluation.json", document)
    arn = register(task=task)["modelPackageArn"]
    metadata = sagemaker.describe_model_package(ModelPackageName=arn)["CustomerMetadataProperties"]
    assert {name: float(metadata[name]) for name in metrics} == metrics
    assert bucket.read("churn/runs/run-1/registration.json")["task"] == task


@pytest.mark.parametrize("report", [{}, [], {"binary_classification_metrics": {"auc": {"value": "high"}}}])
def test_a_report_without_metrics_is_an_error(register: Callable[..., Json], bucket: Bucket, report: Any) -> None:
    bucket.put("churn/runs/run-1/evaluation/evaluation.json", report)
    with pytest.raises(EventError, match="no metric"):
        register()


def test_the_token_is_made_of_run_and_job_and_fits(event_of: Callable[..., Json]) -> None:
    def token(**changes: str) -> str:
        made = package(RegisterEvent.model_validate(event_of("register_model", **changes)), {}, "d")
        return str(made["ClientToken"])

    shape = MODEL.shape_for("ClientToken").metadata
    assert token() == token()
    assert len({token(), token(run="run-2"), token(trainingJobName="job-2")}) == 3
    assert re.fullmatch(shape["pattern"], token())
    assert len(token()) <= shape["max"]


@settings(max_examples=50, deadline=None)
@given(st.text(min_size=1, max_size=2000))
def test_lineage_of_any_text_is_allowed_by_sagemaker(text: str) -> None:
    event = RegisterEvent(
        run=text,
        task=Task.BINARY,
        model="churn",
        group="g",
        image_uri="i",
        model_data_url="s3://bucket/k",
        training_job_name="j",
        training_job_arn="a",
        evaluation_uri="s3://bucket/k",
        registration_uri="s3://bucket/k",
        data_version="v",
        data_uri="s3://bucket/k",
        code_version="c",
    )
    value = lineage(event, {})["run"]
    assert 0 < len(value) <= 256
    assert all(unicodedata.category(each)[0] in "LZN" or each in "_.:/=+-@" for each in value)
