from __future__ import annotations

import json

import boto3
import pytest

from mlops.rehearsal.iam_conditions import as_list
from mlops.rehearsal.iam_evaluator import Policies, Policy, Principal, Request, decide
from tests.compliance.reading import plain, resources
from tests.sandbox.conftest import SCIENCE, TOOLS, World, reader
from tests.sandbox.policies import Role

SCALING_ROLE = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
EVERYTHING = Policy("administrator", {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})


def within(role: Role, action: str, resource: str, boundary: Policy, **context: str) -> bool:
    """Whether the boundary lets an administrator's policy through."""
    principal = Principal(role.account, role.arn)
    example = resource.replace("*", "x") if resource != "*" else "*"
    return decide(
        principal, Request(action, (example,), context), Policies(identity=[EVERYTHING], boundary=boundary)
    ).allowed


def stopped(world: World) -> list[tuple[str, str, str]]:
    """What the policies of a role allow and its boundary does not."""
    read, found = reader(world), []
    for role in read.roles:
        boundary = read.boundary(role.account)
        for policy in role.identity:
            for statement in as_list(policy.document["Statement"]):
                asked = statement.get("Condition", {}).get("StringEquals", {})
                services = as_list(asked.get("iam:PassedToService", ""))
                linked = {"iam:awsservicename": str(asked.get("iam:AWSServiceName", ""))}
                for action in as_list(statement["Action"]):
                    found += [
                        (role.resource.path, action, resource)
                        for resource in as_list(statement["Resource"])
                        for service in services
                        if not within(role, action, resource, boundary, **{"iam:passedtoservice": service}, **linked)
                    ]
    return found


def test_the_boundary_lets_through_whatever_a_role_needs(world: World) -> None:
    assert stopped(world) == []


def test_every_role_carries_the_boundary(world: World) -> None:
    without = [
        role.path
        for role in resources(world.templates, "AWS::IAM::Role")
        if "policy/mlops-boundary" not in plain(role.properties.get("PermissionsBoundary", ""))
    ]
    assert without == []


def test_every_account_has_its_boundary(apart: World) -> None:
    places = {one.account for one in reader(apart).roles}
    assert len(places) == 3
    for account in places:
        assert reader(apart).boundary(account).document["Statement"]


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("iam:CreateRole", "arn:aws:iam::111122223333:role/mlops-new"),
        ("iam:DeleteRolePermissionsBoundary", "arn:aws:iam::111122223333:role/mlops-approver"),
        ("iam:PutRolePermissionsBoundary", "arn:aws:iam::111122223333:role/mlops-approver"),
        ("iam:CreatePolicyVersion", "arn:aws:iam::111122223333:policy/mlops-boundary"),
        ("iam:SetDefaultPolicyVersion", "arn:aws:iam::111122223333:policy/mlops-boundary"),
        ("iam:AttachRolePolicy", "arn:aws:iam::111122223333:role/mlops-approver"),
        ("iam:UpdateAssumeRolePolicy", "arn:aws:iam::111122223333:role/mlops-approver"),
        ("iam:PassRole", "arn:aws:iam::111122223333:role/administrator"),
        ("iam:GetRole", "arn:aws:iam::111122223333:role/administrator"),
        ("iam:CreateAccessKey", "arn:aws:iam::111122223333:user/eve"),
        ("sts:AssumeRole", "arn:aws:iam::111122223333:role/administrator"),
        ("sts:AssumeRole", "arn:aws:iam::999999999999:role/mlops-prod-pipeline"),
        ("organizations:LeaveOrganization", "*"),
        ("account:CloseAccount", "*"),
        ("billing:UpdateBillingPreferences", "*"),
        ("ec2:RunInstances", "*"),
        ("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:x"),
        ("s3:PutBucketPolicy", "arn:aws:s3:::mlops-data-111122223333-eu-west-1"),
        ("s3:DeleteBucket", "arn:aws:s3:::mlops-data-111122223333-eu-west-1"),
        ("s3:DeleteObjectVersion", "arn:aws:s3:::mlops-data-111122223333-eu-west-1/x"),
        ("kms:PutKeyPolicy", "arn:aws:kms:eu-west-1:111122223333:key/x"),
        ("kms:ScheduleKeyDeletion", "arn:aws:kms:eu-west-1:111122223333:key/x"),
        ("ecr:SetRepositoryPolicy", "arn:aws:ecr:eu-west-1:111122223333:repository/mlops-iris"),
        ("lambda:UpdateFunctionCode", "arn:aws:lambda:eu-west-1:111122223333:function:mlops-x"),
        ("lambda:AddPermission", "arn:aws:lambda:eu-west-1:111122223333:function:mlops-x"),
        ("codepipeline:UpdatePipeline", "arn:aws:codepipeline:eu-west-1:111122223333:mlops-churn"),
        (
            "sagemaker:PutModelPackageGroupPolicy",
            "arn:aws:sagemaker:eu-west-1:111122223333:model-package-group/mlops-x",
        ),
        ("sagemaker:DeleteModelPackageGroupPolicy", "arn:aws:sagemaker:eu-west-1:111122223333:model-package-group/x"),
    ],
)
def test_an_administrator_within_the_boundary_is_stopped(apart: World, action: str, resource: str) -> None:
    read = reader(apart)
    approver = read.role("mlops-approver")
    context = {"iam:passedtoservice": "sagemaker.amazonaws.com"}
    assert not within(approver, action, resource, read.boundary(TOOLS), **context)


def test_a_role_is_passed_to_services_of_the_project_only(apart: World) -> None:
    read = reader(apart)
    role, arn = read.role("mlops-data-scientist"), f"arn:aws:iam::{SCIENCE}:role/mlops-sandbox-Execution"
    boundary = read.boundary(SCIENCE)
    assert within(role, "iam:PassRole", arn, boundary, **{"iam:passedtoservice": "sagemaker.amazonaws.com"})
    assert not within(role, "iam:PassRole", arn, boundary, **{"iam:passedtoservice": "ec2.amazonaws.com"})


def test_nothing_of_iam_is_made_but_the_role_that_scales_endpoints(apart: World) -> None:
    read = reader(apart)
    role, boundary, make = read.role("mlops-approver"), read.boundary(TOOLS), "iam:CreateServiceLinkedRole"
    scaler = "sagemaker.application-autoscaling.amazonaws.com"
    linked = f"arn:aws:iam::{TOOLS}:role/aws-service-role/{scaler}/{SCALING_ROLE}"
    assert within(role, make, linked, boundary, **{"iam:awsservicename": scaler})
    assert not within(role, make, linked, boundary, **{"iam:awsservicename": "ecs.amazonaws.com"})
    assert not within(role, make, linked.replace(SCALING_ROLE, "Other"), boundary, **{"iam:awsservicename": scaler})
    operations = boto3.client("iam", region_name="us-east-1").meta.service_model.operation_names
    made = [f"iam:{name}" for name in operations if name.startswith("Create") and f"iam:{name}" != make]
    assert len(made) > 10
    assert [name for name in made if not denied(boundary, name)] == []


def denied(boundary: Policy, action: str) -> bool:
    """Whether an administrator is denied an action by name, and not only because nothing allows it."""
    wide = Policy("boundary", {"Statement": [EVERYTHING.document["Statement"], *boundary.document["Statement"]]})
    policies = Policies(identity=[EVERYTHING], boundary=wide)
    return not decide(Principal(TOOLS, f"arn:aws:iam::{TOOLS}:role/x"), Request(action, ("*",), {}), policies).allowed


def test_a_role_that_needs_more_than_the_boundary_would_be_noticed(apart: World) -> None:
    read = reader(apart)
    assert not within(read.role("mlops-approver"), "dynamodb:DeleteTable", "*", read.boundary(TOOLS))


def test_the_boundary_fits_into_a_managed_policy(world: World) -> None:
    """IAM takes 6,144 characters without white space."""
    for stack, template in world.templates.items():
        if stack.startswith("mlops-boundary"):
            (policy,) = resources({stack: template}, "AWS::IAM::ManagedPolicy")
            document = json.dumps(plain(policy.properties["PolicyDocument"]), separators=(",", ":"))
            assert len(document) < 6144
