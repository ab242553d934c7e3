from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest

from lambdas.record_approval import handler
from lambdas.record_approval.logic import identity

if TYPE_CHECKING:
    from tests.lambdas.conftest import Aws, Bucket, Context, Json

GROUP = "arn:aws:sagemaker:eu-west-1:111122223333:model-package/mlops-churn"
EXECUTION = "22222222-abcd-1111-abcd-111111abcdef"
PERSON = "arn:aws:sts::111122223333:assumed-role/Approver/zoe"
REGISTRAR = "arn:aws:sts::111122223333:assumed-role/mlops-register/function"
MARK = f"Approved in execution {EXECUTION} of mlops-churn by {PERSON}: looks good"
AT = datetime(2026, 11, 12, 9, 30, tzinfo=UTC)
SAGEMAKER = botocore.session.Session().get_service_model("sagemaker")
CODEPIPELINE = botocore.session.Session().get_service_model("codepipeline")


class World:
    """What CodePipeline and the registry say, call by call."""

    def __init__(self, aws: Aws) -> None:
        self.pipeline, self.sagemaker = aws.stub("codepipeline"), aws.stub("sagemaker")

    def actions(self, *details: Json) -> None:
        expected = {"pipelineName": "mlops-churn", "filter": {"pipelineExecutionId": EXECUTION}}
        self.pipeline.add_response("list_action_executions", {"actionExecutionDetails": list(details)}, expected)

    def state(self, *, by: str | None = PERSON, execution: str = EXECUTION) -> None:
        latest = {"status": "Succeeded", "summary": "looks good"} | ({"lastUpdatedBy": by} if by else {})
        stage = {
            "stageName": "Approve",
            "latestExecution": {"pipelineExecutionId": execution, "status": "InProgress"},
            "actionStates": [{"actionName": "Approve", "latestExecution": latest}],
        }
        self.pipeline.add_response("get_pipeline_state", {"stageStates": [stage]}, {"name": "mlops-churn"})

    def package(self, status: str = "PendingManualApproval", description: str = "", by: str = REGISTRAR) -> None:
        response = {
            "ModelPackageName": "mlops-churn/3",
            "ModelPackageArn": f"{GROUP}/3",
            "ModelPackageGroupName": "mlops-churn",
            "CreationTime": AT,
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": []},
            "ModelApprovalStatus": status,
            "ApprovalDescription": description,
            "CreatedBy": {"IamIdentity": {"Arn": by}},
        }
        self.sagemaker.add_response("describe_model_package", response, {"ModelPackageName": f"{GROUP}/3"})

    def newest(self, *packages: tuple[int, str]) -> None:
        summaries = [
            {
                "ModelPackageArn": f"{GROUP}/{version}",
                "CreationTime": AT,
                "ModelPackageStatus": "Completed",
                "ModelApprovalStatus": status,
            }
            for version, status in packages
        ]
        self.sagemaker.add_response("list_model_packages", {"ModelPackageSummaryList": summaries})

    def approves(self) -> None:
        expected = {"ModelPackageArn": f"{GROUP}/3", "ModelApprovalStatus": "Approved", "ApprovalDescription": MARK}
        self.sagemaker.add_response("update_model_package", {"ModelPackageArn": f"{GROUP}/3"}, expected)


def approved(status: str = "Succeeded", **changes: Any) -> Json:
    return {
        "pipelineExecutionId": EXECUTION,
        "stageName": "Approve",
        "actionName": "Approve",
        "status": status,
        "updatedBy": PERSON,
        "lastUpdateTime": AT,
        "output": {"executionResult": {"externalExecutionSummary": "looks good"}},
    } | changes


@pytest.fixture
def world(aws: Aws) -> World:
    return World(aws)


@pytest.fixture
def record(bucket: Bucket, job_of: Callable[..., Json], context: Context) -> Callable[..., Json]:
    del bucket
    return lambda: handler.handle(job_of("record_approval"), context)


def test_an_approval_is_written_on_the_package_and_in_the_folder_of_the_run(
    world: World, record: Callable[..., Json], expect_answer: Callable[..., None], bucket: Bucket
) -> None:
    world.actions(approved())
    world.state()
    world.package()
    world.newest((3, "PendingManualApproval"))
    world.approves()
    expect_answer(variables={"ApprovedBy": PERSON})
    record()
    assert bucket.read("churn/runs/run-1/approval.json") == {
        "version": 1,
        "modelPackageArn": f"{GROUP}/3",
        "pipeline": "mlops-churn",
        "executionId": EXECUTION,
        "approvedBy": PERSON,
        "approvedAt": "2026-11-12T09:30:00+00:00",
        "summary": "looks good",
    }


def test_a_second_try_of_the_same_execution_changes_nothing_and_succeeds(
    world: World, record: Callable[..., Json], expect_answer: Callable[..., None]
) -> None:
    world.actions(approved())
    world.state()
    world.package("Approved", MARK)
    expect_answer(variables={"ApprovedBy": PERSON})
    record()


@pytest.mark.parametrize(
    "description", ["", MARK.replace(EXECUTION, "another"), MARK.replace("mlops-churn ", "other ")]
)
def test_a_package_that_somebody_else_approved_is_refused(
    world: World, record: Callable[..., Json], expect_answer: Callable[..., None], description: str
) -> None:
    world.actions(approved())
    world.state()
    world.package("Approved", description)
    expect_answer(words=("is Approved", "not PendingManualApproval"))
    record()


@pytest.mark.parametrize(
    "status",
    [
        each
        for each in SAGEMAKER.shape_for("ModelApprovalStatus").enum
        if each not in {"Approved", "PendingManualApproval"}
    ]
    + ["", "Perhaps"],
)
def test_every_other_approval_status_is_refused(
    world: World, record: Callable[..., Json], expect_answer: Callable[..., None], status: str
) -> None:
    world.actions(approved())
    world.state()
    world.package(status, MARK)
    expect_answer(words=(status or "without approval status", "not PendingManualApproval"))
    record()


@pytest.mark.parametrize(
    "status", [each for each in CODEPIPELINE.shape_for("ActionExecutionStatus").enum if each != "Succeeded"] + ["Maybe"]
)
def test_an_action_that_was_not_approved_is_refused(
    world: World, record: Callable[..., Json], expect_answer: Callable[..., None], status: str
) -> None:
    world.actions(approved(status))
    expect_answer(words=("has not been approved", status))
    record()


@pytest.mark.parametrize("details", [[], [approved(actionName="Record")], [approved(stageName="Staging")]])
def test_an_action_that_did_not_run_is_refused(
    world: World, record: Callable[..., Json], expect_answer: Callable[..., None], details: list[Json]
) -> None:
    world.actions(*details)
    expect_answer(words=("has not been approved", "not there"))
    record()


def test_the_newest_of_several_tries_counts(
    world: World, record: Callable[..., Json], expect_answer: Callable[..., None]
) -> None:
    world.actions(approved("Failed"), approved())
    expect_answer(words=("it is Failed",))
    record()


def test_nobody_is_no_approver(world: World, record: Callable[..., Json], expect_answer: Callable[..., None]) -> None:
    detail = approved()
    del detail["updatedBy"]
    world.actions(detail)
    world.state(by=None)
    expect_answer(words=("does not tell who approved",))
    record()


def test_the_approver_of_another_execution_does_not_count(
    world: World, record: Callable[..., Json], expect_answer: Callable[..., None]
) -> None:
    detail = approved()
    del detail["updatedBy"]
    world.actions(detail)
    world.state(execution="another")
    expect_answer(words=("does not tell who approved",))
    record()


@pytest.mark.parametrize("session_name", ["function", "another-session"])
def test_whoever_registered_the_model_may_not_approve_it(
    world: World, record: Callable[..., Json], expect_answer: Callable[..., None], session_name: str
) -> None:
    by = REGISTRAR.rsplit("/", 1)[0] + "/" + session_name
    world.actions(approved(updatedBy=by))
    world.state(by=by)
    world.package()
    expect_answer(words=("registered model package", "may not approve"))
    record()


@pytest.mark.parametrize("newer", ["PendingManualApproval", "Approved"])
def test_a_package_that_is_not_the_newest_is_refused(
    world: World, record: Callable[..., Json], expect_answer: Callable[..., None], newer: str
) -> None:
    world.actions(approved())
    world.state()
    world.package()
    world.newest((4, newer), (3, "PendingManualApproval"))
    expect_answer(words=("is not the newest", f"{GROUP}/4"))
    record()


def test_a_newer_package_that_was_rejected_does_not_count(
    world: World, record: Callable[..., Json], expect_answer: Callable[..., None]
) -> None:
    world.actions(approved())
    world.state()
    world.package()
    world.newest((4, "Rejected"), (3, "PendingManualApproval"))
    world.approves()
    expect_answer(variables={"ApprovedBy": PERSON})
    record()


def test_a_package_that_is_not_listed_is_refused(
    world: World, record: Callable[..., Json], expect_answer: Callable[..., None]
) -> None:
    world.actions(approved())
    world.state()
    world.package()
    world.newest()
    expect_answer(words=("not among the newest",))
    record()


def test_a_role_is_the_same_whatever_its_session() -> None:
    assert identity(f"{REGISTRAR}-2") == identity(REGISTRAR)
    assert identity("arn:aws:iam::1:user/a/zoe") == "arn:aws:iam::1:user/a/zoe"
    assert identity(PERSON) != identity(REGISTRAR)
