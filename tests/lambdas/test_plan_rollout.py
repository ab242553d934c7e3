from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from lambdas.plan_rollout import handler

if TYPE_CHECKING:
    from tests.lambdas.conftest import Aws, Context, Json

STACK = "mlops-churn-prod"
GROUP = "arn:aws:sagemaker:eu-west-1:111122223333:model-package/mlops-churn"
IMAGE = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.0-5"
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def data(version: int) -> str:
    return f"s3://mlops-artifacts/churn/runs/run-{version}/model/job-1/output/model.tar.gz"


def serving(version: int, release: str) -> Json:
    return {
        "ModelPackageArn": f"{GROUP}/{version}",
        "ModelDataUrl": data(version),
        "ImageUri": IMAGE,
        "Release": release,
    }


class Variables:
    """Equal to every set of variables; keeps them."""

    def __init__(self) -> None:
        self.seen: dict[str, str] = {}

    def __eq__(self, other: object) -> bool:
        assert isinstance(other, dict)
        self.seen = other
        return True

    __hash__ = None  # type: ignore[assignment] # it equals everything


@pytest.fixture
def plan(aws: Aws, job_of: Callable[..., Json], context: Context) -> Callable[..., dict[str, str]]:
    """Plan the deployment of version 4 in run-4; `before` are the parameters of the stack."""

    def run(before: Json | None, *, approval: str = "Approved", serves: str = "asked", **changes: object) -> Json:
        job = job_of("plan_rollout", **changes)
        arn = str(changes.get("modelPackageArn", f"{GROUP}/4"))
        package: Json = {
            "ModelPackageArn": arn,
            "ModelPackageName": "mlops-churn",
            "ModelPackageGroupName": "mlops-churn",
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": []},
            "ModelApprovalStatus": approval,
            "CreationTime": NOW,
        }
        sagemaker, formation = aws.stub("sagemaker"), aws.stub("cloudformation")
        sagemaker.add_response("describe_model_package", package, {"ModelPackageName": arn})
        if before is None:
            formation.add_client_error("describe_stacks", "ValidationError", f"Stack with id {STACK} does not exist")
        else:
            stack: Json = {"StackName": STACK, "CreationTime": NOW, "StackStatus": "UPDATE_COMPLETE"}
            stack["Parameters"] = [{"ParameterKey": key, "ParameterValue": value} for key, value in before.items()]
            outputs = {"EndpointName": STACK, "EndpointConfigName": "asked", "CandidateConfigName": "with-candidate"}
            stack["Outputs"] = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
            formation.add_response("describe_stacks", {"Stacks": [stack]}, {"StackName": STACK})
            endpoint: Json = {
                "EndpointName": STACK,
                "EndpointArn": f"arn:aws:sagemaker:eu-west-1:111122223333:endpoint/{STACK}",
                "EndpointConfigName": serves,
                "EndpointStatus": "InService",
                "CreationTime": NOW,
                "LastModifiedTime": NOW,
            }
            sagemaker.add_response("describe_endpoint", endpoint, {"EndpointName": STACK})
        variables = Variables()
        expected = {"jobId": job["CodePipeline.job"]["id"], "outputVariables": variables}
        aws.stub("codepipeline").add_response("put_job_success_result", {}, expected)
        assert handler.handle(job, context)["answer"] == "Succeeded"
        return variables.seen

    return run


def test_the_first_version_serves_at_once(plan: Callable[..., dict[str, str]]) -> None:
    planned = plan(None)
    assert planned["LivePackageArn"] == f"{GROUP}/4"
    assert planned["LiveRelease"] == planned["Release"]
    assert planned["CandidatePackageArn"] == "none"
    assert (planned["Mode"], planned["Trial"]) == ("guarded", "immediate")


def test_a_new_version_is_tried_beside_the_champion_which_stays_as_it_is(plan: Callable[..., dict[str, str]]) -> None:
    planned = plan(serving(3, "ab12"))
    live = {name.removeprefix("Live"): value for name, value in planned.items() if name.startswith("Live")}
    assert live == {"PackageArn": f"{GROUP}/3", "DataUrl": data(3), "ImageUri": IMAGE, "Release": "ab12"}
    assert planned["CandidatePackageArn"] == f"{GROUP}/4"
    assert planned["CandidateDataUrl"] == data(4)
    assert planned["CandidateRelease"] == planned["Release"] != "ab12"
    assert (planned["Mode"], planned["Trial"]) == ("guarded", "guarded")


def test_without_a_trial_a_new_version_takes_over_under_guard(plan: Callable[..., dict[str, str]]) -> None:
    planned = plan(serving(3, "ab12"), tries=False)
    assert planned["LivePackageArn"] == f"{GROUP}/4"
    assert (planned["Mode"], planned["Trial"]) == ("guarded", "immediate")


def test_the_way_back_is_immediate_and_tries_nothing(plan: Callable[..., dict[str, str]]) -> None:
    # Versions are numbers, not texts: 10 is newer than 4.
    planned = plan(serving(10, "ab12"))
    assert planned["LivePackageArn"] == f"{GROUP}/4"
    assert planned["CandidatePackageArn"] == "none"
    assert (planned["Mode"], planned["Trial"]) == ("immediate", "immediate")


def test_the_same_version_again_changes_nothing(plan: Callable[..., dict[str, str]]) -> None:
    first = plan(serving(3, "ab12"), tries=False)
    again = plan(serving(4, first["Release"]), tries=True)
    assert again["LivePackageArn"] == f"{GROUP}/4"
    assert again["LiveRelease"] == first["Release"]
    assert (again["Mode"], again["Trial"]) == ("guarded", "immediate")


@pytest.mark.parametrize("serves", ["asked", "with-candidate"])
def test_after_a_lost_trial_the_champion_stays_and_the_candidate_goes_whatever_rings(
    plan: Callable[..., dict[str, str]], serves: str
) -> None:
    """The stage runs again as it last succeeded: with the version that serves."""
    candidate = {"CandidateModelPackageArn": f"{GROUP}/5", "Mode": "guarded"}
    planned = plan(serving(4, "ab12") | candidate, serves=serves)
    assert (planned["LivePackageArn"], planned["LiveRelease"]) == (f"{GROUP}/4", "ab12")
    assert (planned["CandidatePackageArn"], planned["Release"]) == ("none", "ab12")
    assert (planned["Mode"], planned["Trial"]) == ("immediate", "immediate")


def test_after_a_silent_rollback_the_same_run_deploys_under_another_name(plan: Callable[..., dict[str, str]]) -> None:
    first = plan(serving(3, "ab12"), tries=False)
    again = plan(serving(4, first["Release"]), tries=False, serves="older")
    assert again["Release"] != first["Release"]
    assert again["Mode"] == "immediate"
    assert all(re.fullmatch("[0-9a-f]{4}", planned["Release"]) for planned in (first, again))


def test_a_rejected_version_is_not_deployed(
    aws: Aws, job_of: Callable[..., Json], expect_answer: Callable[..., None], context: Context
) -> None:
    package: Json = {
        "ModelPackageArn": f"{GROUP}/4",
        "ModelPackageName": "mlops-churn",
        "ModelPackageGroupName": "mlops-churn",
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": []},
        "ModelApprovalStatus": "Rejected",
        "CreationTime": NOW,
    }
    aws.stub("sagemaker").add_response("describe_model_package", package)
    aws.stub("cloudformation").add_client_error("describe_stacks", "ValidationError", "it does not exist")
    expect_answer(words=("mlops-churn/4 has been rejected", "approve it again"))
    handler.handle(job_of("plan_rollout"), context)
