"""What a call of EC2 is authorized against."""

from __future__ import annotations

from typing import Any

import pytest

from mlops.rehearsal import credentials, iam_ec2
from mlops.rehearsal.iam_needs import ApiCall
from mlops.rehearsal.iam_resources import UnknownCallError
from tests.rehearsal import iam_world as world

PREFIX = f"arn:aws:ec2:{world.REGION}:{world.ACCOUNT}:"


def needs(operation: str, **params: Any) -> list[tuple[str, str]]:
    call = ApiCall("ec2", operation, params, world.ACCOUNT, world.REGION)
    return [(need.action, need.resources[0].removeprefix(PREFIX)) for need in iam_ec2.needs_of(call)]


@pytest.mark.parametrize(
    ("operation", "params", "resources"),
    [
        ("CreateVpc", {"CidrBlock": "10.0.0.0/16"}, ["vpc/*"]),
        ("CreateSubnet", {"VpcId": "vpc-1"}, ["subnet/*", "vpc/vpc-1"]),
        (
            "CreateVpcEndpoint",
            {"VpcId": "vpc-1", "SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]},
            ["vpc-endpoint/*", "vpc/vpc-1", "subnet/subnet-1", "subnet/subnet-2", "security-group/sg-1"],
        ),
        ("CreateFlowLogs", {"ResourceIds": ["vpc-1"], "ResourceType": "VPC"}, ["vpc-flow-log/*", "vpc/vpc-1"]),
        ("DeleteTags", {"Resources": ["sg-1", "rtb-1"]}, ["security-group/sg-1", "route-table/rtb-1"]),
        ("DescribeSubnets", {}, ["*"]),
    ],
)
def test_a_call_names_all_that_it_touches(operation: str, params: dict[str, Any], resources: list[str]) -> None:
    assert needs(operation, **params) == [(f"ec2:{operation}", one) for one in resources]


def test_tags_at_creation_are_an_action_of_their_own() -> None:
    tags = [{"ResourceType": "vpc", "Tags": [{"Key": "k", "Value": "v"}]}]
    assert ("ec2:CreateTags", "vpc/*") in needs("CreateVpc", CidrBlock="10.0.0.0/16", TagSpecifications=tags)


def test_the_role_of_a_flow_log_is_passed() -> None:
    role = "arn:aws:iam::111122223333:role/traffic"
    found = needs("CreateFlowLogs", ResourceIds=["vpc-1"], DeliverLogsPermissionArn=role)
    assert ("iam:PassRole", role) in found


@pytest.mark.parametrize(("operation", "params"), [("RunInstances", {}), ("DeleteTags", {"Resources": ["i-1"]})])
def test_what_is_not_known_is_denied(operation: str, params: dict[str, Any]) -> None:
    with pytest.raises(UnknownCallError):
        needs(operation, **params)


@pytest.mark.usefixtures("aws")
def test_the_end_of_an_association_is_about_its_table_and_its_subnet() -> None:
    operator = credentials.client("ec2")
    vpc = operator.create_vpc(CidrBlock="10.62.0.0/16")["Vpc"]["VpcId"]
    subnet = operator.create_subnet(VpcId=vpc, CidrBlock="10.62.0.0/24")["Subnet"]["SubnetId"]
    table = operator.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    association = operator.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
    found = needs("DisassociateRouteTable", AssociationId=association)
    assert [resource for _, resource in found] == [f"route-table/{table}", f"subnet/{subnet}"]
    role = world.role(world.allow("ec2:DisassociateRouteTable", on=f"{PREFIX}route-table/{table}"))
    call = world.as_role(role, "ec2").disassociate_route_table
    assert world.refused(call, AssociationId=association) == "AccessDenied"
