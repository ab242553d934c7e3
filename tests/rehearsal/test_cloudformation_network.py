"""The stack that makes a network, and the types of EC2 that it needs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlops.rehearsal import assembly, credentials, iam
from mlops.rehearsal.cloudformation_types import recorded_only
from mlops.rehearsal.cloudformation_types_network import given
from tests.conftest import Template, assemble, read_templates
from tests.network.conftest import EXISTING, MADE, alike, configure
from tests.rehearsal import cloudformation_world as world

pytestmark = pytest.mark.usefixtures("aws")
STACK = "mlops-network"
EVERYTHING = "0.0.0.0/0"
VPC: dict[str, Any] = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.61.0.0/16"}}


def ec2() -> Any:
    return credentials.client("ec2")


def in_vpc(vpc: str) -> list[dict[str, Any]]:
    return [{"Name": "vpc-id", "Values": [vpc]}]


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::EC2::{kind}", "Properties": {"VpcId": {"Ref": "Vpc"}, **properties}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The assembly of a project whose account gets a network."""
    place = tmp_path_factory.mktemp("network")
    return assemble(place / "cdk.out", config=configure(place / "config", alike(MADE)))


@pytest.fixture(scope="module")
def template(folder: Path) -> Template:
    return read_templates(folder)[STACK]


@pytest.fixture(scope="module")
def exports(folder: Path) -> Iterator[dict[str, str]]:
    """What the deployed network exports; it is deleted at the end."""
    assembly.deploy(folder, [STACK])
    client = credentials.client("cloudformation")
    found = client.list_exports()["Exports"]
    yield {one["Name"].removeprefix(f"{STACK}:"): one["Value"] for one in found if one["Name"].startswith(STACK)}
    client.delete_stack(StackName=STACK)  # no error if the last test has deleted it


def test_nothing_of_the_project_is_refused(folder: Path) -> None:
    assert assembly.coverage(folder) == []


def test_what_other_stacks_import_exists(exports: dict[str, str]) -> None:
    groups = ("JobSecurityGroup", "FunctionSecurityGroup", "EndpointSecurityGroup")
    assert set(exports) == {"Vpc", "Subnet1", "Subnet2", *groups}
    (vpc,) = ec2().describe_vpcs(VpcIds=[exports["Vpc"]])["Vpcs"]
    assert vpc["CidrBlock"] == MADE["cidr"]
    subnets = ec2().describe_subnets(SubnetIds=[exports["Subnet1"], exports["Subnet2"]])["Subnets"]
    assert {one["AvailabilityZone"] for one in subnets} == {"eu-west-1a", "eu-west-1b"}
    assert {one["MapPublicIpOnLaunch"] for one in subnets} == {False}
    found = ec2().describe_security_groups(GroupIds=[exports[name] for name in groups])["SecurityGroups"]
    assert {one["VpcId"] for one in [*subnets, *found]} == {exports["Vpc"]}


def test_names_lead_to_the_endpoints(exports: dict[str, str]) -> None:
    for name in ("enableDnsSupport", "enableDnsHostnames"):
        answer = ec2().describe_vpc_attribute(VpcId=exports["Vpc"], Attribute=name)
        assert answer[name[0].upper() + name[1:]] == {"Value": True}


def test_no_group_of_the_stack_lets_everything_out(exports: dict[str, str]) -> None:
    for name in ("JobSecurityGroup", "FunctionSecurityGroup", "EndpointSecurityGroup"):
        filters = [{"Name": "group-id", "Values": [exports[name]]}]
        rules = ec2().describe_security_group_rules(Filters=filters)["SecurityGroupRules"]
        assert any(rule["IsEgress"] for rule in rules)
        assert EVERYTHING not in [rule.get("CidrIpv4") for rule in rules]


def test_rules_of_their_own_are_made(exports: dict[str, str]) -> None:
    filters = [{"Name": "group-id", "Values": [exports["JobSecurityGroup"]]}]
    rules = ec2().describe_security_group_rules(Filters=filters)["SecurityGroupRules"]
    among = {
        (rule["IsEgress"], rule["IpProtocol"], rule["FromPort"], rule["ToPort"])
        for rule in rules
        if rule.get("ReferencedGroupInfo", {}).get("GroupId") == exports["JobSecurityGroup"]
    }
    ports = [("tcp", 0, 65535), ("udp", 500, 500), ("50", -1, -1)]
    assert among == {(egress, *one) for one in ports for egress in (True, False)}


def test_no_route_leads_out(exports: dict[str, str]) -> None:
    tables = ec2().describe_route_tables(Filters=in_vpc(exports["Vpc"]))["RouteTables"]
    assert EVERYTHING not in [route.get("DestinationCidrBlock") for table in tables for route in table["Routes"]]
    associated = {one.get("SubnetId") for table in tables for one in table["Associations"]}
    assert {exports["Subnet1"], exports["Subnet2"]} <= associated


def test_endpoints_have_their_policies(exports: dict[str, str], template: Template) -> None:
    wanted = [one for one in template["Resources"].values() if one["Type"] == "AWS::EC2::VPCEndpoint"]
    made = ec2().describe_vpc_endpoints(Filters=in_vpc(exports["Vpc"]))["VpcEndpoints"]
    assert len(made) == len(wanted) > 5
    for one in made:
        statements = json.loads(one["PolicyDocument"])["Statement"]
        assert statements[0]["Condition"]["StringEquals"]["aws:PrincipalAccount"] == ["111122223333"]
        assert bool(one["SubnetIds"]) == (one["VpcEndpointType"] == "Interface")


def test_traffic_is_recorded_with_a_role_that_was_passed(exports: dict[str, str]) -> None:
    logs = ec2().describe_flow_logs(Filters=[{"Name": "resource-id", "Values": [exports["Vpc"]]}])["FlowLogs"]
    (record,) = logs
    assert (record["DeliverLogsStatus"], record["TrafficType"]) == ("SUCCESS", "ALL")
    passed = [one for one in iam.trace() if one.action == "iam:PassRole"]
    assert record["DeliverLogsPermissionArn"] in [one.resource for one in passed]


def test_the_role_of_the_stack_makes_everything(exports: dict[str, str]) -> None:
    made = [one for one in iam.trace() if one.action in ("ec2:CreateSubnet", "ec2:CreateTags")]
    assert exports
    assert {one.resource.rpartition(":")[2].split("/")[0] for one in made} >= {"subnet", "vpc", "security-group"}
    assert {"cfn-exec-role" in one.role_arn for one in made} == {True}


def test_deletion_takes_everything_away(exports: dict[str, str]) -> None:
    end = world.Stack(STACK)
    end.stack_id = end.describe()["StackId"]
    assert end.delete()["StackStatus"] == "DELETE_COMPLETE"
    for call, names in (
        ("describe_vpcs", {"VpcIds": [exports["Vpc"]]}),
        ("describe_subnets", {"SubnetIds": [exports["Subnet1"]]}),
        ("describe_security_groups", {"GroupIds": [exports["JobSecurityGroup"]]}),
    ):
        with pytest.raises(ClientError, match="NotFound"):
            getattr(ec2(), call)(**names)


def test_a_resource_that_fails_takes_the_network_back() -> None:
    stack = world.Stack()
    resources = {
        "Vpc": VPC,
        "Subnet": resource("Subnet", CidrBlock="10.61.0.0/24"),
        "Group": resource("SecurityGroup", GroupDescription="d"),
        "Fails": {
            "Type": "AWS::EC2::SubnetRouteTableAssociation",
            "Properties": {"SubnetId": {"Ref": "Subnet"}, "RouteTableId": "rtb-00000000000000000"},
            "DependsOn": "Group",
        },
    }
    end = stack.deploy({"Resources": resources})
    assert end["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "rtb-00000000000000000" in stack.reasons("Fails")
    assert stack.told("Vpc")[-1] == "DELETE_COMPLETE"
    blocks = [one["CidrBlock"] for one in ec2().describe_vpcs()["Vpcs"]]
    assert VPC["Properties"]["CidrBlock"] not in blocks


def test_a_role_without_the_permission_makes_no_endpoint() -> None:
    stack = world.Stack()
    may = ("CreateVpc", "DeleteVpc", "DescribeSecurityGroups", "DescribeNetworkAcls")
    arn = world.role(*(f"ec2:{one}" for one in may))
    endpoint = resource("VPCEndpoint", ServiceName="com.amazonaws.eu-west-1.sts", VpcEndpointType="Interface")
    end = stack.deploy({"Resources": {"Vpc": VPC, "Endpoint": endpoint}}, RoleARN=arn)
    assert end["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "not authorized to perform: ec2:CreateVpcEndpoint" in stack.reasons("Endpoint")


def test_everything_changes_in_place() -> None:
    def network(port: int, name: str, *, dns: bool) -> dict[str, Any]:
        out = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIp": "10.0.0.0/8"}
        group, tags = {"Fn::GetAtt": ["Group", "GroupId"]}, [{"Key": "Name", "Value": name}]
        statement = {"Effect": "Allow", "Principal": "*", "Action": f"sts:{name}", "Resource": "*"}
        vpc = {**VPC["Properties"], "EnableDnsHostnames": dns, "Tags": tags}
        return {
            "Vpc": {"Type": "AWS::EC2::VPC", "Properties": vpc},
            "Subnet": resource("Subnet", CidrBlock="10.61.0.0/24", MapPublicIpOnLaunch=dns),
            "Table": resource("RouteTable", Tags=tags),
            "Group": resource("SecurityGroup", GroupDescription="d", SecurityGroupEgress=[out]),
            "Rule": {
                "Type": "AWS::EC2::SecurityGroupIngress",
                "Properties": {
                    "GroupId": group,
                    "SourceSecurityGroupId": group,
                    "IpProtocol": "-1",
                    "Description": name,
                },
            },
            "Endpoint": resource(
                "VPCEndpoint",
                ServiceName="com.amazonaws.eu-west-1.sts",
                VpcEndpointType="Interface",
                SecurityGroupIds=[group],
                SubnetIds=[{"Ref": "Subnet"}] if dns else [],
                PolicyDocument={"Statement": [statement]},
            ),
        }

    stack = world.Stack()
    stack.deploy({"Resources": network(443, "before", dns=False)})
    before = {name: stack.physical(name) for name in network(0, "", dns=True)}
    end = stack.deploy({"Resources": network(80, "after", dns=True)})
    assert end["StackStatus"] == "UPDATE_COMPLETE", end.get("StackStatusReason")
    assert {name: stack.physical(name) for name in before} == before
    (vpc,) = ec2().describe_vpcs(VpcIds=[before["Vpc"]])["Vpcs"]
    assert {"Key": "Name", "Value": "after"} in vpc["Tags"]
    (group,) = ec2().describe_security_groups(GroupIds=[before["Group"]])["SecurityGroups"]
    assert [one["FromPort"] for one in group["IpPermissionsEgress"]] == [80]
    (endpoint,) = ec2().describe_vpc_endpoints(VpcEndpointIds=[before["Endpoint"]])["VpcEndpoints"]
    assert "sts:after" in endpoint["PolicyDocument"]
    assert endpoint["SubnetIds"] == [before["Subnet"]]
    (subnet,) = ec2().describe_subnets(SubnetIds=[before["Subnet"]])["Subnets"]
    assert subnet["MapPublicIpOnLaunch"] is True
    assert stack.delete()["StackStatus"] == "DELETE_COMPLETE"


def test_attributes_are_those_of_aws() -> None:
    outputs = {
        "Default": {"Value": {"Fn::GetAtt": ["Vpc", "DefaultSecurityGroup"]}},
        "Id": {"Value": {"Fn::GetAtt": ["Vpc", "VpcId"]}},
        "Zone": {"Value": {"Fn::GetAtt": ["Subnet", "AvailabilityZone"]}},
        "Table": {"Value": {"Fn::GetAtt": ["Table", "RouteTableId"]}},
    }
    zone = {"Fn::Select": [1, {"Fn::GetAZs": ""}]}
    resources = {
        "Vpc": VPC,
        "Table": resource("RouteTable"),
        "Subnet": resource("Subnet", CidrBlock="10.61.1.0/24", AvailabilityZone=zone),
    }
    stack = world.Stack()
    stack.deploy({"Resources": resources, "Outputs": outputs})
    found = stack.outputs()
    assert found["Id"] == stack.physical("Vpc")
    assert found["Zone"] == "eu-west-1b"
    assert found["Table"] == stack.physical("Table")
    (group,) = ec2().describe_security_groups(GroupIds=[found["Default"]])["SecurityGroups"]
    assert (group["GroupName"], group["VpcId"]) == ("default", found["Id"])
    assert stack.delete()["StackStatus"] == "DELETE_COMPLETE"


def test_what_has_no_effect_is_listed(folder: Path) -> None:
    listed = dict(assembly.Assembly(folder).recorded())
    assert {"AWS::SSM::Association", "flow logs", "policies of VPC endpoints"} <= set(listed)
    assert "routes, security groups and endpoints of a VPC" in listed
    assert "pl-6da54004, pl-6fa54006" in listed  # the prefix lists of S3 and DynamoDB are AWS's
    assert recorded_only({"Type": "AWS::S3::Bucket"}) == []


def test_ids_of_a_network_that_exists_are_listed_as_given() -> None:
    config = {"VpcConfig": {"SubnetIds": EXISTING["subnet_ids"], "SecurityGroupIds": EXISTING["security_group_ids"]}}
    ((what, why),) = given([json.dumps(config)])
    assert what == ", ".join(sorted([*EXISTING["security_group_ids"], *EXISTING["subnet_ids"]]))
    assert "as given" in why
    assert given([json.dumps({"Name": "svg-0123456789abcdef0"})]) == []
