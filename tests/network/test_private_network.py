"""The VPC that the project makes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mlops_constructs.settings import Network
from mlops_constructs.settings.prefix_lists import DYNAMODB, S3, prefix_lists
from mlops_constructs.settings.xgboost_images import ACCOUNTS
from tests.compliance.reading import Resource, Template, plain, resources

ALLOWED_PEERS = ("SourceSecurityGroupId", "DestinationSecurityGroupId", "DestinationPrefixListId")
NOBODY = "255.255.255.255/32"


def rules(template: dict[str, Template]) -> list[tuple[str, dict[str, Any]]]:
    """Every rule of every security group, with the way it goes."""
    found: list[tuple[str, dict[str, Any]]] = []
    for group in resources(template, "AWS::EC2::SecurityGroup"):
        for way in ("Ingress", "Egress"):
            found += [(way, plain(rule)) for rule in group.properties.get(f"SecurityGroup{way}", [])]
    for way in ("Ingress", "Egress"):
        found += [(way, plain(rule.properties)) for rule in resources(template, f"AWS::EC2::SecurityGroup{way}")]
    return found


def only(template: dict[str, Template], kind: str) -> Resource:
    (found,) = resources(template, kind)
    return found


def test_there_is_no_way_to_the_internet(network_template: dict[str, Template]) -> None:
    kinds = {one.body["Type"] for one in resources(network_template)}
    for way in ("InternetGateway", "NatGateway", "EgressOnlyInternetGateway", "Route", "TransitGatewayAttachment"):
        assert f"AWS::EC2::{way}" not in kinds
    assert not kinds & {"AWS::Lambda::Function", "AWS::CloudFormation::CustomResource"}
    for subnet in resources(network_template, "AWS::EC2::Subnet"):
        assert subnet.properties["MapPublicIpOnLaunch"] is False


def test_no_template_opens_anything_to_everybody(private_templates: dict[str, Template]) -> None:
    assert not [name for name, template in private_templates.items() if "0.0.0.0/0" in json.dumps(template)]
    assert not [name for name, template in private_templates.items() if "::/0" in json.dumps(template)]


def test_every_security_group_says_what_it_lets_out(network_template: dict[str, Template]) -> None:
    """EC2 gives a rule for everything to a group that has none."""
    groups = resources(network_template, "AWS::EC2::SecurityGroup")
    assert len(groups) == 3
    assert all(group.properties["SecurityGroupEgress"] for group in groups)


def test_every_rule_names_a_group_or_a_service(network_template: dict[str, Template]) -> None:
    found = rules(network_template)
    assert len(found) > 10
    for _, rule in found:
        assert rule["Description"]
        peers = [rule[key] for key in ALLOWED_PEERS if key in rule] or [rule["CidrIp"]]
        assert len(peers) == 1
        assert str(peers[0]).startswith(("<Network", "pl-")) or peers == [NOBODY]


def test_who_talks_to_whom(network_template: dict[str, Template]) -> None:
    def short(value: object) -> str:
        return str(value).removeprefix("<Network").partition("Group")[0].lower()

    admitted = {
        (short(rule["GroupId"]), short(rule["SourceSecurityGroupId"]), rule["IpProtocol"], rule.get("FromPort"))
        for way, rule in rules(network_template)
        if way == "Ingress"
    }
    assert admitted == {
        ("endpoint", "job", "tcp", 443),
        ("endpoint", "function", "tcp", 443),
        ("job", "job", "tcp", 0),
        ("job", "job", "udp", 500),
        ("job", "job", "50", None),
    }


def test_jobs_reach_s3_and_functions_dynamodb_besides(network_template: dict[str, Template]) -> None:
    lists = {
        group.path.rpartition("/")[2]: {
            rule["DestinationPrefixListId"]
            for rule in group.properties["SecurityGroupEgress"]
            if "DestinationPrefixListId" in rule
        }
        for group in resources(network_template, "AWS::EC2::SecurityGroup")
    }
    s3, dynamodb = S3["eu-west-1"], DYNAMODB["eu-west-1"]
    assert lists == {"EndpointGroup": set(), "JobGroup": {s3}, "FunctionGroup": {s3, dynamodb}}


def test_the_rules_of_the_default_group_are_taken_away(network_template: dict[str, Template]) -> None:
    association = only(network_template, "AWS::SSM::Association").properties
    vpc = only(network_template, "AWS::EC2::VPC")
    assert association["Name"].endswith("RemoveVPCDefaultSecurityGroupRules")
    assert plain(association["Parameters"]["GroupId"]) == [f"<{vpc.logical_id}.DefaultSecurityGroup>"]
    assert association["ScheduleExpression"] == "rate(1 day)"


def test_the_traffic_is_recorded_and_encrypted(network_template: dict[str, Template]) -> None:
    record, group = (
        only(network_template, "AWS::EC2::FlowLog").properties,
        only(network_template, "AWS::Logs::LogGroup"),
    )
    assert record["TrafficType"] == "ALL"
    assert record["ResourceType"] == "VPC"
    assert plain(record["LogGroupName"]) == f"<{group.logical_id}>"
    assert plain(group.properties["KmsKeyId"]) == f"<{only(network_template, 'AWS::KMS::Key').logical_id}.Arn>"
    assert group.body["DeletionPolicy"] == "RetainExceptOnCreate"


def test_subnets_share_the_addresses_and_differ_in_their_zone(network_template: dict[str, Template]) -> None:
    subnets = [one.properties for one in resources(network_template, "AWS::EC2::Subnet")]
    assert [one["CidrBlock"] for one in subnets] == ["10.60.0.0/18", "10.60.64.0/18"]
    assert len({str(one["AvailabilityZone"]) for one in subnets}) == 2


def test_a_third_zone_does_not_move_the_others() -> None:
    two, three = (Network(cidr="10.60.0.0/16", zones=zones).subnets() for zones in (2, 3))
    assert three[:2] == two
    assert len(three) == 3


def test_what_others_need_is_exported_by_name(network_template: dict[str, Template]) -> None:
    names = {output["Export"]["Name"] for output in network_template["mlops-network"]["Outputs"].values()}
    parts = ("Vpc", "Subnet1", "Subnet2", "JobSecurityGroup", "FunctionSecurityGroup", "EndpointSecurityGroup")
    assert names == {f"mlops-network:{part}" for part in parts}


def test_prefix_lists_are_of_known_regions() -> None:
    assert S3.keys() == DYNAMODB.keys()
    assert S3.keys() <= ACCOUNTS.keys()
    assert all(S3[region] != DYNAMODB[region] for region in S3)


def test_prefix_lists_that_are_given_are_taken() -> None:
    lists = {"s3": "pl-12345678", "dynamodb": "pl-87654321"}
    network = Network.model_validate({"cidr": "10.60.0.0/16", "prefix_lists": lists})
    assert prefix_lists(network, "eu-west-1") == prefix_lists(network, "mars-1") == ("pl-12345678", "pl-87654321")


def test_a_region_without_prefix_lists_is_named() -> None:
    with pytest.raises(ValueError, match="'mars-1' are not known"):
        prefix_lists(Network(cidr="10.60.0.0/16"), "mars-1")
