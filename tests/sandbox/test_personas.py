"""Each persona can do its job and is stopped at the others'."""

from __future__ import annotations

import pytest

from tests.compliance.reading import plain, resources
from tests.sandbox.conftest import ORGANIZATION, SCIENCE, TOOLS, World, reader
from tests.sandbox.policies import Reader

R = "eu-west-1"
PIPELINE = f"arn:aws:codepipeline:{R}:{TOOLS}:mlops-churn"
APPROVAL = f"{PIPELINE}/Approve/Approve"
REGISTRY = f"arn:aws:sagemaker:{R}:{TOOLS}:model-package"
PACKAGE = f"{REGISTRY}/mlops-churn/7"
CANDIDATE = f"arn:aws:sagemaker:{R}:{SCIENCE}:model-package/mlops-abalone-candidates/3"
DATA = f"arn:aws:s3:::mlops-data-{TOOLS}-{R}/churn/data.csv"
REPORT = f"arn:aws:s3:::mlops-artifacts-{TOOLS}-{R}/churn/runs/1/evaluation.json"
MODEL = f"arn:aws:s3:::mlops-artifacts-{TOOLS}-{R}/churn/runs/1/model.tar.gz"
HANDED_OVER = f"arn:aws:s3:::mlops-candidates-{SCIENCE}-{R}/abalone/1/model.tar.gz"
FILES = f"arn:aws:s3:::mlops-sandbox-{SCIENCE}-{R}/abalone/train.csv"
NOTEBOOK = f"arn:aws:sagemaker:{R}:{SCIENCE}:notebook-instance/mlops-sandbox-alice"
PROFILE = f"arn:aws:sagemaker:{R}:{SCIENCE}:user-profile/d-abc/alice"
RELEASE = f"arn:aws:states:{R}:{TOOLS}:stateMachine:mlops-iris-release"
STACK = f"arn:aws:cloudformation:{R}:{TOOLS}:stack/mlops-churn/1"
KEY = f"arn:aws:kms:{R}:{TOOLS}:key/1"
BUCKET = f"arn:aws:s3:::mlops-data-{TOOLS}-{R}"

SCIENTIST, ENGINEER, APPROVER, AUDITOR = (
    f"mlops-{name}" for name in ("data-scientist", "ml-engineer", "approver", "auditor")
)
T, D = {ENGINEER, APPROVER, AUDITOR}, {SCIENTIST}
DUTIES: list[tuple[str, str, set[str]]] = [
    ("codepipeline:PutApprovalResult", APPROVAL, {APPROVER}),
    ("codepipeline:PutApprovalResult", f"{PIPELINE}/Train/Train", set()),
    ("codepipeline:StartPipelineExecution", PIPELINE, {ENGINEER}),
    ("codepipeline:RetryStageExecution", f"{PIPELINE}/Train", {ENGINEER}),
    ("codepipeline:RollbackStage", f"{PIPELINE}/Prod", {ENGINEER}),
    ("codepipeline:UpdatePipeline", PIPELINE, set()),
    ("codepipeline:DisableStageTransition", f"{PIPELINE}/Approve", set()),
    ("codepipeline:PutJobSuccessResult", "*", set()),
    ("codepipeline:GetPipelineState", PIPELINE, T),
    ("states:StartExecution", RELEASE, {ENGINEER}),
    ("states:StartExecution", RELEASE.replace("release", "training"), set()),
    ("states:DescribeExecution", f"arn:aws:states:{R}:{TOOLS}:execution:mlops-iris-release:1", T),
    ("sagemaker:DescribeModelPackage", PACKAGE, T),
    ("sagemaker:UpdateModelPackage", PACKAGE, set()),
    ("sagemaker:CreateModelPackage", PACKAGE, set()),
    ("sagemaker:CreateTrainingJob", f"arn:aws:sagemaker:{R}:{TOOLS}:training-job/mlops-churn-1", set()),
    ("sagemaker:CreateEndpoint", f"arn:aws:sagemaker:{R}:{TOOLS}:endpoint/mlops-churn-prod", set()),
    ("sagemaker:UpdateEndpoint", f"arn:aws:sagemaker:{R}:{TOOLS}:endpoint/mlops-churn-prod", set()),
    ("sagemaker:InvokeEndpoint", f"arn:aws:sagemaker:{R}:{TOOLS}:endpoint/mlops-churn-prod", set()),
    ("sagemaker:DescribeEndpoint", f"arn:aws:sagemaker:{R}:{TOOLS}:endpoint/mlops-churn-prod", {ENGINEER, AUDITOR}),
    ("sagemaker:CreateModelPackage", CANDIDATE, D),
    ("sagemaker:UpdateModelPackage", CANDIDATE, D),
    ("sagemaker:UpdateModelPackage", CANDIDATE.replace("abalone", "churn"), set()),
    ("s3:PutObject", HANDED_OVER, D),
    ("s3:PutObject", HANDED_OVER.replace("/abalone/", "/churn/"), set()),
    ("s3:DeleteObject", HANDED_OVER, set()),
    ("s3:GetObject", FILES, D),
    ("s3:PutObject", DATA, {ENGINEER}),
    ("s3:GetObject", DATA, {ENGINEER}),
    ("s3:GetObject", REPORT, {ENGINEER, APPROVER}),
    ("s3:GetObject", MODEL, set()),
    ("s3:PutObject", MODEL, set()),
    ("s3:DeleteObject", DATA, set()),
    ("s3:GetBucketPolicy", BUCKET, {AUDITOR}),
    ("s3:PutBucketPolicy", BUCKET, set()),
    ("cloudformation:GetTemplate", STACK, {AUDITOR}),
    ("cloudformation:DescribeStacks", STACK, {ENGINEER, AUDITOR}),
    ("cloudformation:DescribeStackEvents", STACK, {ENGINEER, AUDITOR}),
    ("cloudformation:UpdateStack", STACK, set()),
    ("cloudtrail:LookupEvents", "*", {AUDITOR}),
    ("kms:GetKeyPolicy", KEY, {AUDITOR}),
    ("kms:Decrypt", KEY, set()),  # but through S3, for those who read objects
    ("kms:PutKeyPolicy", KEY, set()),
    ("logs:GetLogEvents", f"arn:aws:logs:{R}:{TOOLS}:log-group:/aws/sagemaker/TrainingJobs:x", {ENGINEER}),
    ("sqs:ReceiveMessage", f"arn:aws:sqs:{R}:{TOOLS}:mlops-x", set()),
    ("iam:GetRole", f"arn:aws:iam::{TOOLS}:role/mlops-approver", {AUDITOR}),
    ("iam:CreateRole", f"arn:aws:iam::{TOOLS}:role/mlops-new", set()),
    ("iam:AttachRolePolicy", f"arn:aws:iam::{TOOLS}:role/mlops-approver", set()),
    ("iam:CreatePolicyVersion", f"arn:aws:iam::{TOOLS}:policy/mlops-boundary", set()),
    ("iam:DeleteRolePermissionsBoundary", f"arn:aws:iam::{TOOLS}:role/mlops-approver", set()),
    ("iam:PassRole", f"arn:aws:iam::{TOOLS}:role/mlops-churn-deployment", set()),
    ("sts:AssumeRole", f"arn:aws:iam::{TOOLS}:role/mlops-approver", set()),
    ("lambda:InvokeFunction", f"arn:aws:lambda:{R}:{TOOLS}:function:mlops-record-approval", set()),
    ("servicecatalog:ProvisionProduct", f"arn:aws:catalog:{R}:{TOOLS}:product/prod-1", D),
    ("servicecatalog:CreateConstraint", "*", set()),
]


@pytest.mark.parametrize(("action", "resource", "who"), DUTIES, ids=[f"{one[0]}-{n}" for n, one in enumerate(DUTIES)])
def test_who_may_do_what(people: Reader, action: str, resource: str, who: set[str]) -> None:
    assert {name for name in T | D if people.role(name).can(action, resource)} == who


def test_objects_are_decrypted_through_s3_only(people: Reader) -> None:
    keys = {
        statement["Resource"] for statement in _statements(people, APPROVER) if "kms:Decrypt" in statement["Action"]
    }
    (key,) = keys
    assert people.role(APPROVER).can("kms:Decrypt", key, **{"kms:ViaService": f"s3.{R}.amazonaws.com"})
    assert not people.role(APPROVER).can("kms:Decrypt", key, **{"kms:ViaService": f"sagemaker.{R}.amazonaws.com"})
    assert not people.role(APPROVER).can("kms:GenerateDataKey", key, **{"kms:ViaService": f"s3.{R}.amazonaws.com"})


def _statements(people: Reader, name: str) -> list[dict[str, str]]:
    return [one for policy in people.role(name).identity for one in policy.document["Statement"]]


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("sagemaker:CreatePresignedNotebookInstanceUrl", NOTEBOOK),
        ("sagemaker:CreatePresignedDomainUrl", PROFILE),
        ("sagemaker:StartNotebookInstance", NOTEBOOK),
    ],
)
def test_only_the_owner_opens_a_sandbox(people: Reader, action: str, resource: str) -> None:
    scientist = people.role(SCIENTIST)
    owner = {"aws:ResourceTag/owner": "alice@example.com"}
    assert scientist.can(action, resource, session="alice@example.com", **owner)
    assert not scientist.can(action, resource, session="malice@example.com", **owner)
    assert not scientist.can(action, resource, session="bob@example.com", **owner)
    assert not scientist.can(action, resource, session="alice@example.com")
    assert not scientist.can(action, resource, session="bob", **{"aws:ResourceTag/owner": "*"})
    for name in T:
        assert not people.role(name).can(action, resource.replace(SCIENCE, TOOLS), **owner)


def test_the_role_of_a_sandbox_opens_no_sandbox(people: Reader) -> None:
    execution = people.role("Sandbox/Execution")
    owner = {"aws:ResourceTag/owner": "alice@example.com"}
    assert not execution.can("sagemaker:CreatePresignedNotebookInstanceUrl", NOTEBOOK, **owner)
    assert not execution.can("codepipeline:PutApprovalResult", APPROVAL)


def test_people_manage_what_they_launched_themselves(people: Reader) -> None:
    scientist = people.role(SCIENTIST)
    for level, allowed in (("self", True), ("account", False), ("role", False)):
        given = {"servicecatalog:userLevel": level}
        assert scientist.can("servicecatalog:TerminateProvisionedProduct", "*", **given) is allowed


RESERVED = f"arn:aws:iam::{TOOLS}:role/aws-reserved/sso.amazonaws.com"
SUFFIX = "0123456789abcdef"


@pytest.mark.parametrize(
    ("arn", "admitted"),
    [
        (f"{RESERVED}/{R}/AWSReservedSSO_mlops-approver_{SUFFIX}", True),
        (f"{RESERVED}/AWSReservedSSO_mlops-approver_{SUFFIX}", True),
        (f"{RESERVED}/{R}/AWSReservedSSO_mlops-ml-engineer_{SUFFIX}", False),
        (f"{RESERVED}/{R}/AWSReservedSSO_mlops-approver_not_{SUFFIX}", False),
        (f"{RESERVED}/{R}/AWSReservedSSO_AWSReservedSSO_mlops-approver_{SUFFIX}", False),
        (f"arn:aws:iam::{TOOLS}:role/AWSReservedSSO_mlops-approver_{SUFFIX}", False),
        (f"arn:aws:iam::{TOOLS}:role/administrator", False),
        (f"arn:aws:iam::{TOOLS}:role/mlops-ml-engineer", False),
        (f"arn:aws:iam::{SCIENCE}:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_mlops-approver_{SUFFIX}", False),
        (
            f"arn:aws:iam::999999999999:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_mlops-approver_{SUFFIX}",
            False,
        ),
    ],
)
def test_only_the_permission_set_of_that_name_becomes_an_approver(people: Reader, arn: str, *, admitted: bool) -> None:
    assert people.role(APPROVER).admits(arn) is admitted


def test_nobody_takes_the_name_of_somebody_else(people: Reader) -> None:
    approver, arn = people.role(APPROVER), f"{RESERVED}/AWSReservedSSO_mlops-approver_{SUFFIX}"
    assert approver.admits(arn, session="bob", **{"aws:userid": "AROAEXAMPLE:bob"})
    assert not approver.admits(arn, session="alice", **{"aws:userid": "AROAEXAMPLE:bob"})
    assert not approver.admits(arn, session="ob", **{"aws:userid": "AROAEXAMPLE:bob"})


def test_nobody_outside_the_organization_is_admitted(people: Reader) -> None:
    arn = f"{RESERVED}/AWSReservedSSO_mlops-approver_{SUFFIX}"
    assert people.role(APPROVER).admits(arn, **{"aws:PrincipalOrgID": ORGANIZATION})
    assert not people.role(APPROVER).admits(arn, **{"aws:PrincipalOrgID": "o-somebodyelse"})


def test_an_iam_user_needs_a_second_factor_and_keeps_the_own_name(together: World) -> None:
    scientist, arn = reader(together).role(SCIENTIST), f"arn:aws:iam::{TOOLS}:user/science/alice"
    name = {"aws:username": "alice"}
    assert scientist.admits(arn, session="alice", **name, **{"aws:MultiFactorAuthPresent": "true"})
    assert not scientist.admits(arn, session="alice", **name, **{"aws:MultiFactorAuthPresent": "false"})
    assert not scientist.admits(arn, session="alice", **name)
    assert not scientist.admits(arn, session="bob", **name, **{"aws:MultiFactorAuthPresent": "true"})


def test_a_named_role_takes_the_place_of_the_permission_set(together: World) -> None:
    approver = reader(together).role(APPROVER)
    assert approver.admits(f"arn:aws:iam::{TOOLS}:role/lead-of-risk")
    assert not approver.admits(f"{RESERVED}/AWSReservedSSO_mlops-approver_{SUFFIX}")


def test_data_scientists_in_the_account_of_the_tools_are_stopped_at_the_same_doors(together: World) -> None:
    scientist = reader(together).role(SCIENTIST)
    for action, resource in (
        ("codepipeline:PutApprovalResult", APPROVAL),
        ("sagemaker:UpdateModelPackage", PACKAGE),
        ("s3:PutObject", DATA),
        ("s3:PutObject", MODEL),
    ):
        assert not scientist.can(action, resource), action
    assert scientist.can("sagemaker:UpdateModelPackage", CANDIDATE.replace(SCIENCE, TOOLS))


def test_the_action_that_an_approver_may_decide_is_the_one_of_the_pipelines(apart: World) -> None:
    names = {
        f"{stage['Name']}/{action['Name']}"
        for pipeline in resources(apart.templates, "AWS::CodePipeline::Pipeline")
        for stage in plain(pipeline.properties["Stages"])
        for action in stage["Actions"]
        if action["ActionTypeId"]["Category"] == "Approval"
    }
    assert names == {"Approve/Approve"}
