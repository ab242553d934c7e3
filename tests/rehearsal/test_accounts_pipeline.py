"""A pipeline that deploys to another account and region, as the product's pipelines do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mlops.rehearsal import credentials
from mlops.rehearsal.server import EmulatedAws
from tests.rehearsal import accounts_world as world
from tests.rehearsal.iam_world import allow, document
from tests.rehearsal.pipeline_world import World, action, message

TEMPLATE = {
    "Resources": {"P": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "deployed"}}},
    "Outputs": {"Name": {"Value": {"Ref": "P"}}},
}
STACKS = ["CreateChangeSet", "DescribeChangeSet", "DescribeStacks", "ExecuteChangeSet", "DeleteChangeSet"]


class Crossing(World):
    """A pipeline in the tools account, a target in staging, artifact buckets in two regions."""

    def __init__(self, aws: EmulatedAws) -> None:
        super().__init__(aws)
        self.pipeline_role = world.role(
            world.TOOLS,
            allow("s3:*", "kms:*", "sts:AssumeRole"),
            trusts={
                "Effect": "Allow",
                "Principal": {"Service": "codepipeline.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": world.TOOLS}},
            },
            path="/p/pipeline/",
        )
        self.deployment = world.role(
            world.STAGING,
            allow("ssm:*"),
            trusts={
                "Effect": "Allow",
                "Principal": {"Service": "cloudformation.amazonaws.com"},
                "Action": "sts:AssumeRole",
            },
        )
        self.target = world.role(
            world.STAGING,
            allow(*(f"cloudformation:{name}" for name in STACKS)),
            allow("iam:PassRole", on=self.deployment),
            allow("s3:GetObject", "kms:Decrypt"),
            trusts=world.admit(world.TOOLS, "/p/pipeline/*", "sts:AssumeRole", on=None),
        )
        self.stores = {region: self.store(region) for region in (world.HERE, world.THERE)}
        self.stack = world.unique("stack")

    def store(self, region: str) -> dict[str, Any]:
        path = self.target.partition(":role")[2]
        through = {"StringEquals": {"kms:ViaService": f"s3.{region}.amazonaws.com"}}
        key = world.key(world.TOOLS, world.admit(world.STAGING, path, "kms:Decrypt", **through), region=region)
        read = world.admit(world.STAGING, path, "s3:GetObject", on="{bucket}/*")
        bucket = world.bucket(world.TOOLS, read, kms=key, region=region)
        return {"type": "S3", "location": bucket, "encryptionKey": {"id": key, "type": "KMS"}}

    def deploy(self, region: str = world.HERE) -> tuple[str, dict[str, dict[str, Any]]]:
        self.upload({"t.json": json.dumps(TEMPLATE)})
        shared = {"ActionMode": "CHANGE_SET_REPLACE", "StackName": self.stack, "ChangeSetName": "c"}
        more = {"roleArn": self.target, **({"region": region} if region != world.HERE else {})}
        create = action(
            "Create",
            "Deploy/CloudFormation",
            {**shared, "TemplatePath": "CodeZip::t.json", "RoleArn": self.deployment},
            inputs=["CodeZip"],
            **more,
        )
        execute = action(
            "Execute",
            "Deploy/CloudFormation",
            {**shared, "ActionMode": "CHANGE_SET_EXECUTE"},
            order=2,
            namespace="Stack",
            **more,
        )
        single = {"artifactStore": self.stores[world.HERE]}
        several = {"artifactStore": None, "artifactStores": self.stores}
        declared = self.declare([self.source_action(namespace="Code")], [create, execute])
        declared |= {"roleArn": self.pipeline_role, **(single if region == world.HERE else several)}
        declared = {name: value for name, value in declared.items() if value is not None}
        return self.run(self.codepipeline.create_pipeline(pipeline=declared)["pipeline"]["name"])

    def deployed(self, region: str) -> str:
        client = credentials.client("cloudformation", account=world.STAGING, region=region)
        return str(client.describe_stacks(StackName=self.stack)["Stacks"][0]["StackStatus"])

    def put_policy(self, region: str, *statements: dict[str, Any]) -> None:
        bucket = self.stores[region]["location"]
        policy = document(*statements).replace("{bucket}", f"arn:aws:s3:::{bucket}")
        credentials.client("s3").put_bucket_policy(Bucket=bucket, Policy=policy)


@pytest.fixture
def crossing(aws: EmulatedAws) -> Crossing:
    return Crossing(aws)


@pytest.mark.parametrize("region", [world.HERE, world.THERE])
def test_a_stack_is_deployed_to_another_account(crossing: Crossing, region: str) -> None:
    end, actions = crossing.deploy(region)
    assert end == "Succeeded", {name: message(details) for name, details in actions.items()}
    assert crossing.deployed(region) == "CREATE_COMPLETE"
    assert actions["Execute"]["output"]["outputVariables"]["Name"]
    assert actions["Create"]["input"]["region"] == region
    [artifact] = actions["Create"]["input"]["inputArtifacts"]
    assert artifact["s3location"]["bucket"] == crossing.stores[region]["location"]


def test_without_the_trust_of_the_target_it_is_not(crossing: Crossing) -> None:
    trust = world.admit(world.TOOLS, "/p/intake/*", "sts:AssumeRole", on=None)
    credentials.client("iam", account=world.STAGING).update_assume_role_policy(
        RoleName=crossing.target.rsplit("/", 1)[-1], PolicyDocument=document(trust)
    )
    end, actions = crossing.deploy()
    assert end == "Failed"
    assert "cannot assume the action's role" in message(actions["Create"])


@pytest.mark.parametrize("region", [world.HERE, world.THERE])
def test_without_the_statement_of_the_artifact_bucket_it_is_not(crossing: Crossing, region: str) -> None:
    crossing.put_policy(region, world.admit(world.PRODUCTION, "/*", "s3:GetObject", on="{bucket}/*"))
    end, actions = crossing.deploy(region)
    assert end == "Failed"
    assert "Unable to access the artifact" in message(actions["Create"])
    assert "no resource-based policy allows the s3:GetObject" in message(actions["Create"])


def test_without_the_statement_of_the_artifact_key_it_is_not(crossing: Crossing) -> None:
    kms, key = credentials.client("kms"), crossing.stores[world.HERE]["encryptionKey"]["id"]
    admin = {"Effect": "Allow", "Principal": world.root(world.TOOLS), "Action": "kms:*", "Resource": "*"}
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=document(admin))
    end, actions = crossing.deploy()
    assert end == "Failed"
    assert "kms:Decrypt" in message(actions["Create"])


def test_without_permission_to_pass_the_deployment_role_it_is_not(crossing: Crossing) -> None:
    statements = [allow(*(f"cloudformation:{name}" for name in STACKS)), allow("s3:GetObject", "kms:Decrypt")]
    credentials.client("iam", account=world.STAGING).put_role_policy(
        RoleName=crossing.target.rsplit("/", 1)[-1], PolicyName="policy", PolicyDocument=document(*statements)
    )
    end, actions = crossing.deploy()
    assert end == "Failed"
    assert "iam:PassRole" in message(actions["Create"])


def test_an_artifact_that_the_pipelines_role_cannot_copy_to_the_region_stops_the_action(crossing: Crossing) -> None:
    here = [allow("s3:GetObject", "s3:GetBucketVersioning", "kms:*", "sts:AssumeRole")]
    here.append(allow("s3:PutObject", on=f"arn:aws:s3:::{crossing.stores[world.HERE]['location']}/*"))
    credentials.client("iam").put_role_policy(
        RoleName=crossing.pipeline_role.rsplit("/", 1)[-1],
        PolicyName="policy",
        PolicyDocument=document(*here, allow("s3:GetObjectVersion")),
    )
    end, actions = crossing.deploy(world.THERE)
    assert end == "Failed"
    assert f"to '{crossing.stores[world.THERE]['location']}' in {world.THERE}" in message(actions["Create"])
