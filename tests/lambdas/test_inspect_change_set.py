from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.inspect_change_set import handler
from lambdas.inspect_change_set.logic import STATELESS, refuse

if TYPE_CHECKING:
    from tests.lambdas.conftest import Aws, Context, Json

MODEL = botocore.session.Session().get_service_model("cloudformation")
NAMES = {"StackName": "mlops-churn-prod", "ChangeSetName": "mlops-churn-prod-pipeline"}
STATEFUL = (
    "AWS::SageMaker::Endpoint",
    "AWS::S3::Bucket",
    "AWS::KMS::Key",
    "AWS::DynamoDB::Table",
    "AWS::SageMaker::ModelPackageGroup",
    "AWS::Logs::LogGroup",
    "AWS::SQS::Queue",
    "AWS::SNS::Topic",
    "AWS::ECR::Repository",
    "AWS::SageMaker::FeatureGroup",
    "AWS::SageMaker::Domain",
    "AWS::CloudFormation::Stack",
    "Custom::Something",
    "AWS::Tomorrow::Thing",
)


def change(action: str, kind: str, replacement: str | None = None) -> Json:
    resource = {"Action": action, "LogicalResourceId": "Thing1A2B", "ResourceType": kind}
    return {"Type": "Resource", "ResourceChange": resource | ({"Replacement": replacement} if replacement else {})}


def removal(logical_id: str) -> Json:
    removed = change("Remove", "AWS::SageMaker::Endpoint")
    removed["ResourceChange"]["LogicalResourceId"] = logical_id
    return removed


HARMLESS = change("Modify", "AWS::SageMaker::Endpoint", "False")


@pytest.fixture
def inspect(aws: Aws, job_of: Callable[..., Json], context: Context) -> Callable[..., Json]:
    def run(
        *pages: list[Json], status: str = "CREATE_COMPLETE", execution: str = "AVAILABLE", reason: str = ""
    ) -> Json:
        for number, changes in enumerate(pages):
            response: Json = NAMES | {"Status": status, "ExecutionStatus": execution, "Changes": changes}
            response |= {"StatusReason": reason} if reason else {}
            response |= {"NextToken": f"page{number + 1}"} if number + 1 < len(pages) else {}
            expected: Json = NAMES | ({"NextToken": f"page{number}"} if number else {})
            aws.stub("cloudformation").add_response("describe_change_set", response, expected)
        result: Json = handler.handle(job_of("inspect_change_set"), context)
        return result

    return run


def test_a_new_model_in_the_same_endpoint_may_be_deployed(
    inspect: Callable[..., Json], expect_answer: Callable[..., None]
) -> None:
    expect_answer(variables={"Changes": "3"})
    inspect([change("Modify", "AWS::SageMaker::Model", "True"), change("Add", "AWS::S3::Bucket"), HARMLESS])


def test_a_change_set_of_another_account_is_described_with_the_role_there(
    aws: Aws, job_of: Callable[..., Json], expect_answer: Callable[..., None], context: Context
) -> None:
    access = {"roleArn": "arn:aws:iam::444455556666:role/mlops-prod-observer", "region": "eu-central-1"}
    aws.stub("cloudformation")
    there = aws.elsewhere(role_arn=access["roleArn"], region=access["region"]).stub("cloudformation")
    lost = [change("Remove", "AWS::S3::Bucket")]
    response = NAMES | {"Status": "CREATE_COMPLETE", "ExecutionStatus": "AVAILABLE", "Changes": lost}
    there.add_response("describe_change_set", response, NAMES)
    expect_answer(words=("AWS::S3::Bucket",))
    handler.handle(job_of("inspect_change_set", access=access), context)


def test_what_stands_on_the_last_page_is_seen(inspect: Callable[..., Json], expect_answer: Callable[..., None]) -> None:
    expect_answer(words=("Thing1A2B (AWS::S3::Bucket): Remove",))
    assert inspect([HARMLESS], [HARMLESS], [change("Remove", "AWS::S3::Bucket")])["answer"] == "Failed"


@pytest.mark.parametrize("kind", STATEFUL)
@pytest.mark.parametrize(
    ("action", "replacement"),
    [
        ("Remove", None),
        ("Modify", "True"),
        ("Modify", "Conditional"),
        ("Modify", None),
        ("Modify", "Perhaps"),
        ("Dynamic", None),
        ("Import", None),
        ("SyncWithActual", None),
        ("Explode", None),
    ],
)
def test_nothing_stateful_is_lost(kind: str, action: str, replacement: str | None) -> None:
    refusal = refuse(change(action, kind, replacement))
    assert refusal is not None
    assert refusal.startswith(f"Thing1A2B ({kind}): {action}")
    assert replacement is None or f"replacement {replacement}" in refusal


@pytest.mark.parametrize("action", [*MODEL.shape_for("ChangeAction").enum, "Explode"])
@pytest.mark.parametrize("replacement", [*MODEL.shape_for("Replacement").enum, "Perhaps", None])
def test_only_additions_and_changes_in_place_of_a_stateful_resource_are_allowed(
    action: str, replacement: str | None
) -> None:
    allowed = refuse(change(action, "AWS::SageMaker::Endpoint", replacement)) is None
    assert allowed == (action == "Add" or (action, replacement) == ("Modify", "False"))


@pytest.mark.parametrize("kind", sorted(STATELESS))
def test_what_holds_nothing_may_be_replaced(kind: str) -> None:
    assert refuse(change("Modify", kind, "True")) is None
    assert refuse(change("Remove", kind)) is None
    assert refuse(change("Dynamic", kind)) is not None


@pytest.mark.parametrize(
    "document", [{}, {"Type": "Hook"}, {"Type": "Resource"}, {"Type": "Resource", "ResourceChange": {}}]
)
def test_a_change_of_another_kind_is_refused(document: Json) -> None:
    assert refuse(document) is not None


@pytest.mark.parametrize(
    "reason",
    [
        "The submitted information didn't contain changes. Submit different information to create a change set.",
        "No updates are to be performed.",
    ],
)
def test_a_change_set_without_changes_is_fine(
    inspect: Callable[..., Json], expect_answer: Callable[..., None], reason: str
) -> None:
    expect_answer(variables={"Changes": "0"})
    inspect([], status="FAILED", execution="UNAVAILABLE", reason=reason)


def test_a_change_set_that_failed_for_another_reason_stops(
    inspect: Callable[..., Json], expect_answer: Callable[..., None]
) -> None:
    expect_answer(words=("FAILED", "Parameter ImageUri must exist"))
    inspect([], status="FAILED", execution="UNAVAILABLE", reason="Parameter ImageUri must exist")


@pytest.mark.parametrize("status", [*MODEL.shape_for("ChangeSetStatus").enum, "DREAMING"])
@pytest.mark.parametrize("execution", [*MODEL.shape_for("ExecutionStatus").enum, "DREAMING"])
def test_only_a_complete_and_available_change_set_passes(
    inspect: Callable[..., Json], expect_answer: Callable[..., None], status: str, execution: str
) -> None:
    if (status, execution) == ("CREATE_COMPLETE", "AVAILABLE"):
        expect_answer(variables={"Changes": "1"})
    else:
        expect_answer(words=(status, execution))
    inspect([HARMLESS], status=status, execution=execution)


def test_many_refusals_make_a_message_that_fits(
    inspect: Callable[..., Json], expect_answer: Callable[..., None]
) -> None:
    expect_answer(words=("and 490 more", "review"))
    inspect([change("Remove", "AWS::S3::Bucket")] * 500)


def test_a_change_set_that_is_gone_is_a_failure(
    aws: Aws, job_of: Callable[..., Json], expect_answer: Callable[..., None], context: Context
) -> None:
    aws.stub("cloudformation").add_client_error("describe_change_set", "ChangeSetNotFound", "does not exist", 404)
    expect_answer(words=("does not exist",))
    handler.handle(job_of("inspect_change_set"), context)


@settings(max_examples=50, deadline=None)
@given(st.text(), st.one_of(st.none(), st.text()), st.text())
def test_no_unknown_type_or_action_slips_through(action: str, replacement: str | None, kind: str) -> None:
    if action not in {"Add", "Modify", "Remove"} or (
        kind not in STATELESS and action != "Add" and replacement != "False"
    ):
        assert refuse(change(action, kind, replacement)) is not None


def test_additions_need_no_review() -> None:
    added: list[Any] = [refuse(change("Add", kind)) for kind in STATEFUL]
    assert added == [None] * len(STATEFUL)


def test_of_all_endpoints_only_that_of_a_trial_may_go() -> None:
    assert refuse(removal("PreviewEndpoint"), ["PreviewEndpoint"]) is None
    assert refuse(removal("PreviewEndpoint")) is not None
    assert refuse(removal("Endpoint8024A810"), ["PreviewEndpoint"]) is not None
