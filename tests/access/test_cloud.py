"""The templates are read as CloudFormation will: small templates of two accounts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.access.cloud import Cloud, Stack, UnresolvedError, read_assembly
from tests.access.landscape import survey

HERE, THERE = "111122223333", "222233334444"
ROLE: dict[str, Any] = {
    "Type": "AWS::IAM::Role",
    "Metadata": {"aws:cdk:path": "one/Role/Resource"},
    "Properties": {
        "Path": "/team/",
        "RoleName": "reader",
        "AssumeRolePolicyDocument": {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*"}]},
        "PermissionsBoundary": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/team"},
    },
}
BUCKET: dict[str, Any] = {
    "Type": "AWS::S3::Bucket",
    "Properties": {"BucketName": {"Fn::Sub": "data-${AWS::AccountId}"}},
}


def cloud(resources: dict[str, Any], **more: Any) -> tuple[Cloud, Stack]:
    one = Stack("one", HERE, "eu-west-1", {"Resources": resources, **more}, {"Given": "value"})
    return Cloud([one]), one


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "AWS::AccountId"}, HERE),
        ({"Ref": "Given"}, "value"),
        ({"Ref": "Bucket"}, f"data-{HERE}"),
        ({"Fn::GetAtt": ["Bucket", "Arn"]}, f"arn:aws:s3:::data-{HERE}"),
        ({"Fn::GetAtt": "Role.Arn"}, f"arn:aws:iam::{HERE}:role/team/reader"),
        ({"Fn::Join": ["/", [{"Fn::GetAtt": ["Bucket", "Arn"]}, "*"]]}, f"arn:aws:s3:::data-{HERE}/*"),
        ({"Fn::Sub": "${Bucket.Arn}/${!aws:userid}/${Role}"}, f"arn:aws:s3:::data-{HERE}/${{aws:userid}}/reader"),
        ({"Fn::Sub": ["${Name}-${AWS::Region}", {"Name": {"Ref": "Given"}}]}, "value-eu-west-1"),
        ({"Fn::Select": [1, {"Fn::Split": [":", "a:b:c"]}]}, "b"),
        ([{"Ref": "AWS::NoValue"}, {"Fn::If": ["Is", "yes", {"Ref": "AWS::NoValue"}]}], ["yes"]),
        ({"a": {"Fn::If": ["IsNot", 1, {"Ref": "AWS::NoValue"}]}, "b": 2}, {"b": 2}),
    ],
)
def test_intrinsic_functions_are_answered(value: Any, expected: Any) -> None:
    conditions = {
        "Is": {"Fn::Equals": [{"Ref": "Given"}, "value"]},
        "IsNot": {"Fn::Not": [{"Condition": "Is"}]},
    }
    world, stack = cloud({"Bucket": BUCKET, "Role": ROLE}, Conditions=conditions)
    assert world.resolve(stack, value) == expected


def test_values_are_imported_from_the_same_account_and_region_only() -> None:
    outputs = {"Arn": {"Value": {"Fn::GetAtt": ["Bucket", "Arn"]}, "Export": {"Name": "bucket"}}}
    places = [(HERE, "eu-west-1"), (THERE, "eu-west-1"), (THERE, "us-east-1")]
    here, there, elsewhere = (Stack("x", account, region, {"Resources": {}}) for account, region in places)
    exporter = Stack("two", THERE, "eu-west-1", {"Resources": {"Bucket": BUCKET}, "Outputs": outputs})
    world = Cloud([here, there, elsewhere, exporter])
    assert world.resolve(there, {"Fn::ImportValue": "bucket"}) == f"arn:aws:s3:::data-{THERE}"
    assert world.output("two", "Arn") == f"arn:aws:s3:::data-{THERE}"
    for stack in (here, elsewhere):
        with pytest.raises(UnresolvedError, match="which nothing in"):
            world.resolve(stack, {"Fn::ImportValue": "bucket"})


@pytest.mark.parametrize("value", [{"Ref": "Missing"}, {"Fn::Transform": {}}], ids=["parameter", "function"])
def test_what_is_not_known_is_refused(value: Any) -> None:
    world, stack = cloud({})
    with pytest.raises(UnresolvedError):
        world.resolve(stack, value)


def test_an_assembly_is_read_with_its_accounts(tmp_path: Path) -> None:
    artifact: dict[str, Any] = {"type": "aws:cloudformation:stack", "environment": f"aws://{THERE}/us-east-1"}
    artifact |= {"properties": {"templateFile": "t.json"}}
    (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": {"one": artifact, "tree": {"type": "cdk:tree"}}}))
    (tmp_path / "t.json").write_text(json.dumps({"Resources": {}}))
    assert read_assembly(tmp_path) == [Stack("one", THERE, "us-east-1", {"Resources": {}})]


def test_a_role_has_its_attached_and_inline_policies_and_its_boundary() -> None:
    def statement(action: str) -> dict[str, Any]:
        return {"Statement": {"Effect": "Allow", "Action": action, "Resource": "*"}}

    inline = {"PolicyName": "inline", "PolicyDocument": statement("s3:GetObject")}
    role = {**ROLE, "Properties": {**ROLE["Properties"], "Policies": [inline]}}
    attached = {"PolicyDocument": statement("s3:PutObject"), "Roles": [{"Ref": "Role"}]}
    boundary = {"ManagedPolicyName": "team", "PolicyDocument": statement("s3:*")}
    world, _ = cloud(
        {
            "Role": role,
            "Policy": {"Type": "AWS::IAM::ManagedPolicy", "Properties": attached},
            "Boundary": {"Type": "AWS::IAM::ManagedPolicy", "Properties": boundary},
        }
    )
    landscape = survey(world)
    found = landscape.role("one/Role")
    assert [one.body["Action"] for each in found.permissions for one in each.statements] == [
        "s3:GetObject",
        "s3:PutObject",
    ]
    assert found.boundary in landscape.managed
    assert landscape.role("reader") is found


GUARDED: dict[str, tuple[dict[str, Any], str]] = {
    "AWS::S3::BucketPolicy": ({"Bucket": {"Ref": "Bucket"}, "PolicyDocument": "DOCUMENT"}, f"arn:aws:s3:::data-{HERE}"),
    "AWS::KMS::Key": ({"KeyPolicy": "DOCUMENT"}, f"arn:aws:kms:eu-west-1:{HERE}:key/one-Guarded"),
    "AWS::ECR::Repository": (
        {"RepositoryName": "r", "RepositoryPolicyText": "DOCUMENT"},
        f"arn:aws:ecr:eu-west-1:{HERE}:repository/r",
    ),
    "AWS::SageMaker::ModelPackageGroup": (
        {"ModelPackageGroupName": "g", "ModelPackageGroupPolicy": "DOCUMENT"},
        f"arn:aws:sagemaker:eu-west-1:{HERE}:model-package-group/g",
    ),
    "AWS::Events::EventBusPolicy": (
        {"EventBusName": "b", "StatementId": "S", "Statement": "STATEMENT"},
        f"arn:aws:events:eu-west-1:{HERE}:event-bus/b",
    ),
    "AWS::SNS::TopicPolicy": (
        {"Topics": [{"Ref": "Topic"}], "PolicyDocument": "DOCUMENT"},
        f"arn:aws:sns:eu-west-1:{HERE}:t",
    ),
    "AWS::SQS::QueuePolicy": (
        {"Queues": [{"Ref": "Queue"}], "PolicyDocument": "DOCUMENT"},
        f"arn:aws:sqs:eu-west-1:{HERE}:q",
    ),
    "AWS::Lambda::Permission": (
        {
            "FunctionName": "f",
            "Action": "lambda:InvokeFunction",
            "Principal": "events.amazonaws.com",
            "SourceAccount": HERE,
        },
        f"arn:aws:lambda:eu-west-1:{HERE}:function:f",
    ),
}


@pytest.mark.parametrize("kind", GUARDED)
def test_the_policy_of_a_resource_is_found_by_its_arn(kind: str) -> None:
    properties, arn = GUARDED[kind]
    statement = {"Effect": "Allow", "Principal": "*", "Action": "*"}
    stand_ins = {"DOCUMENT": {"Statement": [statement]}, "STATEMENT": statement}
    written = {name: stand_ins.get(str(value), value) for name, value in properties.items()}
    world, _ = cloud(
        {
            "Guarded": {"Type": kind, "Properties": written},
            "Bucket": BUCKET,
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "t"}},
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q"}},
        }
    )
    landscape = survey(world)
    assert list(landscape.guards) == [arn]
    assert landscape.owners == {arn: HERE}
    assert len(landscape.guards[arn].statements) == 1


def test_a_policy_of_an_unknown_kind_is_not_overlooked() -> None:
    policy = {"ResourcePolicy": {"Statement": [{"Effect": "Allow"}]}}
    world, _ = cloud({"Secret": {"Type": "AWS::SecretsManager::ResourcePolicy", "Properties": policy}})
    with pytest.raises(UnresolvedError, match="does not read"):
        survey(world)
