"""Stacks of one cloud assembly in several accounts and regions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlops.rehearsal import assembly, credentials
from tests.rehearsal import accounts_world as world

pytestmark = pytest.mark.usefixtures("aws")


class Written:
    """A cloud assembly, written by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.artifacts: dict[str, Any] = {}

    def add(
        self,
        stack: str,
        template: dict[str, Any],
        *,
        account: str,
        region: str = world.HERE,
        name: str | None = None,
    ) -> None:
        body = json.dumps(template)
        (self.folder / f"{stack}.template.json").write_text(body)
        place = {"bucketName": "cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}", "objectKey": f"{stack}.json"}
        source = {"path": f"{stack}.template.json", "packaging": "file"}
        assets = {"files": {"template": {"source": source, "destinations": {"there": place}}}}
        (self.folder / f"{stack}.assets.json").write_text(json.dumps(assets))
        self.artifacts[f"{stack}.assets"] = {
            "type": "cdk:asset-manifest",
            "properties": {"file": f"{stack}.assets.json"},
        }
        bucket = f"cdk-hnb659fds-assets-{account}-{region}"
        role = f"arn:${{AWS::Partition}}:iam::{account}:role/cdk-hnb659fds-cfn-exec-role-{account}-{region}"
        self.artifacts[stack] = {
            "type": "aws:cloudformation:stack",
            "environment": f"aws://{account}/{region}",
            "properties": {
                "templateFile": f"{stack}.template.json",
                "stackName": name or stack,
                "stackTemplateAssetObjectUrl": f"s3://{bucket}/{stack}.json",
                "cloudFormationExecutionRoleArn": role,
            },
            "dependencies": [f"{stack}.assets"],
        }
        (self.folder / "manifest.json").write_text(json.dumps({"version": "55.0.0", "artifacts": self.artifacts}))


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path)


def parameter(name: str) -> dict[str, Any]:
    where = {"Fn::Sub": "${AWS::AccountId} ${AWS::Region} ${Given}"}
    properties = {"Name": name, "Type": "String", "Value": where}
    return {
        "Parameters": {"Given": {"Type": "String"}},
        "Resources": {"P": {"Type": "AWS::SSM::Parameter", "Properties": properties}},
        "Outputs": {"Value": {"Value": {"Fn::GetAtt": ["P", "Value"]}}},
    }


def test_each_stack_goes_to_its_own_account_and_region(written: Written) -> None:
    name = world.unique()
    places = [(world.TOOLS, world.HERE), (world.STAGING, world.THERE), (world.PRODUCTION, world.HERE)]
    for account, region in places:
        written.add(f"{name}-{account}", parameter(name), account=account, region=region)
    values = {stack: {"Given": f"given-{stack}"} for stack in written.artifacts if not stack.endswith(".assets")}
    outputs = assembly.deploy(written.folder, parameters=values)
    for account, region in places:
        stack = f"{name}-{account}"
        expected = f"{account} {region} given-{stack}"
        assert outputs[stack] == {"Value": expected}
        ssm = credentials.client("ssm", account=account, region=region)
        assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == expected
        found = credentials.client("cloudformation", account=account, region=region).describe_stacks(StackName=stack)
        assert f":{account}:role/cdk-" in found["Stacks"][0]["RoleARN"]
    with pytest.raises(ClientError, match="does not exist"):
        credentials.client("cloudformation").describe_stacks(StackName=f"{name}-{world.STAGING}")


def test_only_the_chosen_stacks_need_their_accounts_bootstrapped(written: Written) -> None:
    name = world.unique()
    written.add(f"{name}-here", parameter(f"{name}-a"), account=world.TOOLS)
    written.add(f"{name}-there", parameter(f"{name}-b"), account=world.DATA_SCIENCE, region="us-west-2")
    assembly.deploy(written.folder, [f"{name}-here"], parameters={f"{name}-here": {"Given": "x"}})
    there = credentials.client("s3", account=world.DATA_SCIENCE, region="us-west-2")
    assert not [one for one in there.list_buckets()["Buckets"] if one["Name"].endswith("us-west-2")]


def test_stacks_of_one_name_in_two_accounts_go_by_their_ids(written: Written) -> None:
    name, stack = world.unique(), world.unique()
    ids = {f"{stack}-{account}": account for account in (world.TOOLS, world.STAGING)}
    for artifact, account in ids.items():
        written.add(artifact, parameter(name), account=account, name=stack)
    outputs = assembly.deploy(written.folder, parameters={artifact: {"Given": artifact} for artifact in ids})
    expected = {artifact: {"Value": f"{account} {world.HERE} {artifact}"} for artifact, account in ids.items()}
    assert outputs == expected
    for account in ids.values():
        found = credentials.client("cloudformation", account=account).describe_stacks(StackName=stack)["Stacks"]
        assert f":{account}:stack/{stack}/" in found[0]["StackId"]


def test_a_name_is_exported_within_one_account_and_region(written: Written) -> None:
    name = world.unique()
    queue = {"Q": {"Type": "AWS::SQS::Queue"}}
    export = {"Arn": {"Value": {"Fn::GetAtt": ["Q", "Arn"]}, "Export": {"Name": name}}}
    written.add(f"{name}-out", {"Resources": queue, "Outputs": export}, account=world.STAGING)
    imported = {
        "P": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Fn::ImportValue": name}}}
    }
    written.add(f"{name}-in", {"Resources": imported}, account=world.PRODUCTION)
    with pytest.raises(assembly.AssemblyError, match=f"No export named {name} found"):
        assembly.deploy(written.folder)


def test_a_role_with_a_name_and_a_path_leads_to_its_construct(written: Written) -> None:
    name = world.unique()
    trust = {"Statement": [world.admit(world.TOOLS, "/p/*", "sts:AssumeRole", on=None)]}
    properties = {"RoleName": name, "Path": "/p/handover/", "AssumeRolePolicyDocument": trust}
    resource = {"Type": "AWS::IAM::Role", "Properties": properties, "Metadata": {"aws:cdk:path": "the/Role"}}
    written.add(name, {"Resources": {"R": resource}}, account=world.PRODUCTION)
    assembly.deploy(written.folder)
    arn = f"arn:aws:iam::{world.PRODUCTION}:role/p/handover/{name}"
    assert credentials.client("iam", account=world.PRODUCTION).get_role(RoleName=name)["Role"]["Arn"] == arn
    assert assembly.role_owner(arn) == "the/Role"
    assert assembly.role_owner(arn.replace(world.PRODUCTION, world.STAGING)) is None
