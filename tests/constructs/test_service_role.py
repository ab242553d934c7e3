from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms
from aws_cdk.assertions import Template

from mlops_constructs import ServiceRole
from mlops_constructs.roles import permissions_boundary

TABLE = "arn:aws:dynamodb:eu-west-1:111122223333:table/starts"


def stack(**options: Any) -> cdk.Stack:
    return cdk.Stack(cdk.App(), "Stack", env=cdk.Environment(account="111122223333", region="eu-west-1"), **options)


def role(scope: cdk.Stack, construct_id: str = "Role", service: str = "lambda.amazonaws.com") -> ServiceRole:
    return ServiceRole(scope, construct_id, service=service, description="A role under test")


def statements(scope: cdk.Stack) -> list[dict[str, Any]]:
    policies = Template.from_stack(scope).find_resources("AWS::IAM::ManagedPolicy").values()
    return [one for policy in policies for one in policy["Properties"]["PolicyDocument"]["Statement"]]


@pytest.mark.parametrize("action", ["*", "s3:*", "s3:Get*"])
def test_a_wildcard_action_is_refused(action: str) -> None:
    with pytest.raises(ValueError, match="never gets a wildcard action"):
        role(stack()).allow(action, on=TABLE, because="there is no reason for this")


@pytest.mark.parametrize("action", ["iam:PassRole", "iam:passrole", "IAM:PASSROLE"])
def test_passing_a_role_without_its_service_is_refused(action: str) -> None:
    with pytest.raises(ValueError, match="allow_pass"):
        role(stack()).allow(action, on=TABLE)


@pytest.mark.parametrize("resource", ["*", "arn:aws:s3:::bucket/*"])
def test_a_wildcard_resource_needs_a_reason(resource: str) -> None:
    with pytest.raises(ValueError, match="without a reason; say why"):
        role(stack()).allow("s3:GetObject", on=resource)


def test_a_wildcard_that_only_synthesis_resolves_needs_a_reason_too() -> None:
    scope = stack()
    objects = cdk.Fn.join("", [kms.Key(scope, "Key").key_arn, "/*"])
    with pytest.raises(ValueError, match="without a reason"):
        role(scope).allow("s3:GetObject", on=objects)


def test_a_refused_permission_is_not_given() -> None:
    scope = stack()
    one = role(scope)
    with pytest.raises(ValueError, match="wildcard"):
        one.allow("s3:*", on=TABLE)
    assert statements(scope) == []


def test_a_role_trusts_its_service_for_its_own_account_only() -> None:
    scope = stack()
    role(scope)
    Template.from_stack(scope).has_resource_properties(
        "AWS::IAM::Role",
        {
            "AssumeRolePolicyDocument": {
                "Statement": [
                    {
                        "Action": "sts:AssumeRole",
                        "Effect": "Allow",
                        "Principal": {"Service": "lambda.amazonaws.com"},
                        "Condition": {"StringEquals": {"aws:SourceAccount": "111122223333"}},
                    }
                ]
            }
        },
    )


def test_a_role_is_passed_to_the_one_service_that_may_assume_it() -> None:
    scope = stack()
    role(scope).allow_pass(role(scope, "Passed", service="sagemaker.amazonaws.com"))
    (statement,) = statements(scope)
    assert statement["Action"] == "iam:PassRole"
    assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}


@pytest.mark.parametrize(("write", "actions"), [(False, "kms:Decrypt"), (True, ["kms:Decrypt", "kms:GenerateDataKey"])])
def test_a_key_is_used_through_a_service_only(write: bool, actions: object) -> None:  # noqa: FBT001 - a case
    scope = stack()
    role(scope).allow_use_of_key(kms.Key(scope, "Key"), write=write, via="s3")
    (statement,) = statements(scope)
    assert statement["Action"] == actions
    assert statement["Condition"] == {"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("team-boundary", "arn:aws:iam::111122223333:policy/team-boundary"),
        ("arn:aws:iam::111122223333:policy/team/boundary", "arn:aws:iam::111122223333:policy/team/boundary"),
    ],
)
def test_a_boundary_is_given_by_name_or_by_arn(given: str, found: str) -> None:
    scope = stack(permissions_boundary=permissions_boundary(given))
    role(scope)
    (resource,) = Template.from_stack(scope).find_resources("AWS::IAM::Role").values()
    boundary = resource["Properties"]["PermissionsBoundary"]
    assert (boundary if isinstance(boundary, str) else "".join(map(str, boundary["Fn::Join"][1]))).replace(
        "{'Ref': 'AWS::Partition'}", "aws"
    ) == found


def test_without_a_boundary_there_is_none() -> None:
    assert permissions_boundary(None) is None
