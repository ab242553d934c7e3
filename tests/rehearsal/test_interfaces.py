"""A function, a job or a build in a VPC needs a role that may have its network interfaces made."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlops.rehearsal import credentials, interfaces
from tests.rehearsal import iam_world as world
from tests.rehearsal import lambda_world

pytestmark = pytest.mark.usefixtures("aws")
SUBNET, GROUP = "subnet-0123456789abcdef0", "sg-0123456789abcdef0"
PREFIX = f"arn:aws:ec2:{world.REGION}:{world.ACCOUNT}:"
PARTS = [f"{PREFIX}network-interface/*", f"{PREFIX}subnet/{SUBNET}", f"{PREFIX}security-group/{GROUP}"]
FUNCTION = {"SubnetIds": [SUBNET], "SecurityGroupIds": [GROUP]}
JOB = {"Subnets": [SUBNET], "SecurityGroupIds": [GROUP]}
BUILD = {"vpcId": "vpc-0123456789abcdef0", "subnets": [SUBNET], "securityGroupIds": [GROUP]}
CODE = "def handle(event, context): return 1\n"
LAMBDA = world.allow("ec2:*NetworkInterface*", "ec2:*PrivateIpAddresses", "ec2:DescribeSubnets")


def test_a_function_in_a_vpc_runs() -> None:
    name = lambda_world.function(CODE, role=world.role(lambda_world.LOGS, LAMBDA), VpcConfig=FUNCTION)
    assert lambda_world.invoke(name).payload == 1


def test_a_function_whose_role_may_not_make_interfaces_is_refused() -> None:
    with pytest.raises(ClientError, match="permissions to call CreateNetworkInterface on EC2"):
        lambda_world.function(CODE, VpcConfig=FUNCTION)


def test_a_function_does_not_move_into_a_vpc_without_the_permission() -> None:
    name = lambda_world.function(CODE)
    change = credentials.client("lambda").update_function_configuration
    with pytest.raises(ClientError, match="permissions to call CreateNetworkInterface on EC2"):
        change(FunctionName=name, VpcConfig=FUNCTION)
    change(FunctionName=name, VpcConfig={"SubnetIds": [], "SecurityGroupIds": []})


@pytest.mark.parametrize("missing", PARTS)
def test_every_part_of_an_interface_is_asked_for(missing: str) -> None:
    rest = [part for part in PARTS if part != missing]
    role = world.role(world.allow("ec2:CreateNetworkInterface", on=rest), world.allow("ec2:Describe*"))
    for refused, config in (
        (interfaces.refused_to_function, FUNCTION),
        (interfaces.refused_to_job, JOB),
        (interfaces.refused_to_build, BUILD),
    ):
        assert refused(role, config, region=world.REGION) == "CreateNetworkInterface"


def test_interfaces_are_lent_to_the_service_in_the_subnet_alone() -> None:
    def role(**condition: str) -> str:
        lends = world.allow("ec2:CreateNetworkInterfacePermission", Condition={"StringEquals": condition})
        others = world.allow("ec2:Describe*", "ec2:CreateNetworkInterface", "ec2:Delete*")
        return world.role(lends, others)

    builds = role(**{"ec2:AuthorizedService": "codebuild.amazonaws.com", "ec2:Subnet": PARTS[1]})
    assert interfaces.refused_to_build(builds, BUILD, region=world.REGION) is None
    assert interfaces.refused_to_job(builds, JOB, region=world.REGION) == "CreateNetworkInterfacePermission"
    elsewhere = role(**{"ec2:Subnet": f"{PREFIX}subnet/subnet-other"})
    assert interfaces.refused_to_build(elsewhere, BUILD, region=world.REGION) == "CreateNetworkInterfacePermission"


def test_a_project_whose_role_may_not_make_interfaces_is_refused() -> None:
    role = world.role(trusts=world.trust("codebuild.amazonaws.com"))
    with pytest.raises(ClientError, match="Not authorized to perform Describe"):
        credentials.client("codebuild").create_project(
            name="in-a-vpc",
            source={"type": "NO_SOURCE", "buildspec": "version: 0.2"},
            artifacts={"type": "NO_ARTIFACTS"},
            environment={"type": "LINUX_CONTAINER", "image": "i", "computeType": "BUILD_GENERAL1_SMALL"},
            serviceRole=role,
            vpcConfig=BUILD,
        )


def test_a_model_whose_role_may_not_make_interfaces_is_refused() -> None:
    role = world.role(trusts=world.trust("sagemaker.amazonaws.com"))
    image = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.0-5"
    with pytest.raises(ClientError, match="needs the permission ec2:Describe"):
        credentials.client("sagemaker").create_model(
            ModelName="in-a-vpc", ExecutionRoleArn=role, PrimaryContainer={"Image": image}, VpcConfig=JOB
        )


@pytest.mark.parametrize("config", [None, {}, {"SubnetIds": []}])
def test_without_a_vpc_nothing_is_asked(config: dict[str, Any] | None) -> None:
    assert interfaces.refused_to_function(world.role(), config, region=world.REGION) is None
