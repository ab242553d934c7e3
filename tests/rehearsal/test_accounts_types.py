"""Resource types of CloudFormation that let other accounts in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlops.rehearsal import credentials
from tests.rehearsal import accounts_world as world
from tests.rehearsal.cloudformation_world import Stack

pytestmark = pytest.mark.usefixtures("aws")


def bus_template(name: str, *sids: str) -> dict[str, Any]:
    resources: dict[str, Any] = {"Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": name}}}
    for sid in sids:
        statement = world.admit(world.DATA_SCIENCE, "/p/*", "events:PutEvents", on={"Fn::GetAtt": ["Bus", "Arn"]})
        properties = {"EventBusName": {"Ref": "Bus"}, "StatementId": sid, "Statement": statement}
        resources[sid] = {"Type": "AWS::Events::EventBusPolicy", "Properties": properties}
    return {"Resources": resources, "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Bus", "Arn"]}}}}


def sids(name: str) -> list[str]:
    described = credentials.client("events").describe_event_bus(Name=name)
    return [one["Sid"] for one in json.loads(described.get("Policy", '{"Statement": []}'))["Statement"]]


def test_an_event_bus_has_the_statements_of_its_policies() -> None:
    stack, name = Stack(), world.unique("bus")
    stack.deploy(bus_template(name, "One", "Two"))
    assert stack.outputs()["Arn"] == f"arn:aws:events:{world.HERE}:{world.TOOLS}:event-bus/{name}"
    assert sorted(sids(name)) == ["One", "Two"]
    stack.deploy(bus_template(name, "Two"))
    assert sids(name) == ["Two"]
    stack.delete()
    with pytest.raises(ClientError, match="does not exist"):
        credentials.client("events").describe_event_bus(Name=name)


def test_a_rule_stands_on_its_bus() -> None:
    stack, name = Stack(), world.unique("bus")
    template = bus_template(name)
    properties = {"EventBusName": {"Ref": "Bus"}, "EventPattern": {"source": ["x"]}}
    template["Resources"]["Rule"] = {"Type": "AWS::Events::Rule", "Properties": properties}
    stack.deploy(template)
    [rule] = credentials.client("events").list_rules(EventBusName=name)["Rules"]
    assert rule["Arn"].startswith(f"arn:aws:events:{world.HERE}:{world.TOOLS}:rule/{name}/")
    stack.delete()


def group_template(name: str, *actions: str) -> dict[str, Any]:
    properties: dict[str, Any] = {"ModelPackageGroupName": name}
    if actions:
        statement = world.admit(world.TOOLS, "/p/intake/*", *actions)
        properties["ModelPackageGroupPolicy"] = {"Version": "2012-10-17", "Statement": [statement]}
    return {"Resources": {"G": {"Type": "AWS::SageMaker::ModelPackageGroup", "Properties": properties}}}


def test_a_model_package_group_has_its_policy() -> None:
    stack, name, client = Stack(), world.unique("group"), credentials.client("sagemaker")

    def actions() -> list[str]:
        policy = client.get_model_package_group_policy(ModelPackageGroupName=name)["ResourcePolicy"]
        return list(json.loads(policy)["Statement"][0]["Action"])

    stack.deploy(group_template(name, "sagemaker:DescribeModelPackage"))
    assert actions() == ["sagemaker:DescribeModelPackage"]
    stack.deploy(group_template(name, "sagemaker:ListModelPackages"))
    assert actions() == ["sagemaker:ListModelPackages"]
    stack.deploy(group_template(name))
    with pytest.raises(ClientError, match="Cannot find Resource Policy"):
        actions()


def test_a_repository_has_its_policy() -> None:
    stack, name = Stack(), world.unique("images")
    statement = world.admit(world.STAGING, "/*", "ecr:BatchGetImage", on=None)
    properties = {"RepositoryName": name, "RepositoryPolicyText": {"Version": "2012-10-17", "Statement": [statement]}}
    stack.deploy({"Resources": {"R": {"Type": "AWS::ECR::Repository", "Properties": properties}}})
    policy = credentials.client("ecr").get_repository_policy(repositoryName=name)["policyText"]
    assert json.loads(policy)["Statement"] == [statement]


def test_a_managed_policy_has_its_name_and_path() -> None:
    stack, name = Stack(), world.unique("policy")
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:List*", "Resource": "*"}]}
    properties = {"ManagedPolicyName": name, "Path": "/p/", "PolicyDocument": document}
    resource = {"Type": "AWS::IAM::ManagedPolicy", "Properties": properties}
    stack.deploy({"Resources": {"P": resource}, "Outputs": {"Arn": {"Value": {"Ref": "P"}}}})
    assert stack.outputs()["Arn"] == f"arn:aws:iam::{world.TOOLS}:policy/p/{name}"
