"""Resource types of EC2: a VPC with its subnets, routes, security groups, endpoints and flow logs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from mlops.rehearsal.cloudformation_resource import (
    Call,
    Made,
    Properties,
    ResourceFailedError,
    ResourceType,
    as_json,
    pick,
    tag_changes,
)

_PACKETS = (
    (
        "routes, security groups and endpoints of a VPC",
        "they are made through the API of EC2, but programs here reach every service on the loopback interface",
    ),
)
_GIVEN = re.compile(r"\b(?:pl|sg|subnet|vpc)-[0-9a-f]{8,17}\b")
_EVERYTHING = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
"""The egress rule that EC2 gives to a new security group, and CloudFormation takes away when a template has others."""
_WITH_PORTS = ("tcp", "udp", "6", "17")


def given(templates: Iterable[str]) -> list[tuple[str, str]]:
    """Return what templates name of a network that no stack makes, such as a VPC in the settings, with the reason."""
    ids = sorted({found for template in templates for found in _GIVEN.findall(template)})
    return [(", ".join(ids), "no stack makes these; they are taken as given, whether they exist or not")] if ids else []


class _InVpc(ResourceType):
    """Something that EC2 tags at its creation and that no packet ever meets here."""

    limits: ClassVar[Sequence[tuple[str, str]]] = _PACKETS
    kind: ClassVar[str]
    """What EC2 calls it where it is tagged."""

    def _specification(self, properties: Properties) -> dict[str, Any]:
        tags = properties.get("Tags")
        return {"TagSpecifications": [{"ResourceType": self.kind, "Tags": tags}]} if tags else {}

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:
        """Change the tags."""
        ec2, resources = call.client("ec2"), [made.physical_id]
        gone, tags = tag_changes(before, after)
        if gone:
            ec2.delete_tags(Resources=resources, Tags=[{"Key": key} for key in gone])
        if tags:
            ec2.create_tags(Resources=resources, Tags=tags)
        return made


class Vpc(_InVpc):
    """A VPC."""

    type_name = "AWS::EC2::VPC"
    properties = frozenset({"CidrBlock", "InstanceTenancy", "EnableDnsSupport", "EnableDnsHostnames", "Tags"})
    kind = "vpc"

    def create(self, call: Call, properties: Properties) -> Made:
        """Create the VPC, then set how names are resolved in it."""
        ec2 = call.client("ec2")
        vpc = ec2.create_vpc(**pick(properties, "CidrBlock", "InstanceTenancy"), **self._specification(properties))
        vpc_id = vpc["Vpc"]["VpcId"]
        begun = Made(vpc_id, {"VpcId": vpc_id})
        call.begun(begun)
        self._names(ec2, vpc_id, {}, properties)
        inside = [{"Name": "vpc-id", "Values": [vpc_id]}]
        groups = ec2.describe_security_groups(Filters=[*inside, {"Name": "group-name", "Values": ["default"]}])
        lists = ec2.describe_network_acls(Filters=[*inside, {"Name": "default", "Values": ["true"]}])
        blocks = vpc["Vpc"].get("CidrBlockAssociationSet", [])
        attributes = {
            "CidrBlock": vpc["Vpc"]["CidrBlock"],
            "CidrBlockAssociations": [block["AssociationId"] for block in blocks],
            "DefaultNetworkAcl": lists["NetworkAcls"][0]["NetworkAclId"],
            "DefaultSecurityGroup": groups["SecurityGroups"][0]["GroupId"],
            "Ipv6CidrBlocks": [],
        }
        return Made(vpc_id, {**begun.attributes, **attributes})

    @staticmethod
    def _names(ec2: Any, vpc_id: str, before: Properties, after: Properties) -> None:
        # Support comes first: there are no host names without it.
        for name, usual in (("EnableDnsSupport", True), ("EnableDnsHostnames", False)):
            wanted = after.get(name, usual)
            if before.get(name, usual) != wanted:
                ec2.modify_vpc_attribute(VpcId=vpc_id, **{name: {"Value": wanted}})

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:
        """Change names and tags."""
        if before.get("InstanceTenancy") != after.get("InstanceTenancy"):
            call.client("ec2").modify_vpc_tenancy(
                VpcId=made.physical_id, InstanceTenancy=after.get("InstanceTenancy", "default")
            )
        self._names(call.client("ec2"), made.physical_id, before, after)
        return super().update(call, made, before, after)

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Delete the VPC; nothing of the stack's may be in it any more."""
        call.client("ec2").delete_vpc(VpcId=made.physical_id)


class Subnet(_InVpc):
    """A subnet."""

    type_name = "AWS::EC2::Subnet"
    properties = frozenset({"VpcId", "CidrBlock", "AvailabilityZone", "MapPublicIpOnLaunch", "Tags"})
    kind = "subnet"

    def create(self, call: Call, properties: Properties) -> Made:
        """Create the subnet, then set whether what starts in it gets a public address."""
        ec2 = call.client("ec2")
        given = pick(properties, "VpcId", "CidrBlock", "AvailabilityZone")
        subnet = ec2.create_subnet(**given, **self._specification(properties))["Subnet"]
        made = Made(
            subnet["SubnetId"],
            {
                **{name: subnet[name] for name in ("SubnetId", "VpcId", "CidrBlock")},
                **{name: subnet.get(name, "") for name in ("AvailabilityZone", "AvailabilityZoneId")},
                "Ipv6CidrBlocks": [],
            },
        )
        call.begun(made)
        self._addresses(ec2, made, {}, properties)
        return made

    @staticmethod
    def _addresses(ec2: Any, made: Made, before: Properties, after: Properties) -> None:
        wanted = after.get("MapPublicIpOnLaunch", False)
        if before.get("MapPublicIpOnLaunch", False) != wanted:
            ec2.modify_subnet_attribute(SubnetId=made.physical_id, MapPublicIpOnLaunch={"Value": wanted})

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:
        """Change addresses and tags."""
        self._addresses(call.client("ec2"), made, before, after)
        return super().update(call, made, before, after)

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Delete the subnet."""
        call.client("ec2").delete_subnet(SubnetId=made.physical_id)


class RouteTable(_InVpc):
    """A route table."""

    type_name = "AWS::EC2::RouteTable"
    properties = frozenset({"VpcId", "Tags"})
    kind = "route-table"

    def create(self, call: Call, properties: Properties) -> Made:
        """Create the table."""
        answer = call.client("ec2").create_route_table(VpcId=properties["VpcId"], **self._specification(properties))
        table = answer["RouteTable"]["RouteTableId"]
        return Made(table, {"RouteTableId": table})

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Delete the table."""
        call.client("ec2").delete_route_table(RouteTableId=made.physical_id)


class SubnetRouteTableAssociation(ResourceType):
    """The route table of a subnet."""

    type_name = "AWS::EC2::SubnetRouteTableAssociation"
    properties = frozenset({"SubnetId", "RouteTableId"})
    limits = _PACKETS

    def create(self, call: Call, properties: Properties) -> Made:
        """Associate the two."""
        association = call.client("ec2").associate_route_table(**properties)["AssociationId"]
        return Made(association, {"Id": association})

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Give the subnet back to the main table of its VPC."""
        call.client("ec2").disassociate_route_table(AssociationId=made.physical_id)


class SecurityGroup(_InVpc):
    """A security group in a VPC, with the rules that stand in its own properties."""

    type_name = "AWS::EC2::SecurityGroup"
    name_property = "GroupName"
    properties = frozenset(
        {"GroupName", "GroupDescription", "VpcId", "SecurityGroupEgress", "SecurityGroupIngress", "Tags"}
    )
    kind = "security-group"

    def create(self, call: Call, properties: Properties) -> Made:
        """Create the group, then give it its rules."""
        ec2 = call.client("ec2")
        group = ec2.create_security_group(
            GroupName=call.name,
            Description=properties["GroupDescription"],
            **pick(properties, "VpcId"),
            **self._specification(properties),
        )["GroupId"]
        made = Made(group, {"GroupId": group, "Id": group, "GroupName": call.name, **pick(properties, "VpcId")})
        call.begun(made)
        if properties.get("SecurityGroupEgress"):
            ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[_EVERYTHING])
        self._rules(ec2, group, {}, properties)
        return made

    @staticmethod
    def _rules(ec2: Any, group: str, before: Properties, after: Properties) -> None:
        for direction in ("egress", "ingress"):
            name = f"SecurityGroup{direction.title()}"
            old, new = before.get(name, []), after.get(name, [])
            for verb, rules in (
                ("revoke", [rule for rule in old if rule not in new]),
                ("authorize", [rule for rule in new if rule not in old]),
            ):
                if rules:
                    change = getattr(ec2, f"{verb}_security_group_{direction}")
                    change(GroupId=group, IpPermissions=[_permission(rule) for rule in rules])

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:
        """Change rules and tags."""
        self._rules(call.client("ec2"), made.physical_id, before, after)
        return super().update(call, made, before, after)

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Delete the group."""
        call.client("ec2").delete_security_group(GroupId=made.physical_id)


def _permission(rule: Properties) -> dict[str, Any]:
    """Return a rule of a template as the API of EC2 takes it."""
    protocol = str(rule["IpProtocol"])
    ports = pick(rule, "FromPort", "ToPort")
    if protocol not in _WITH_PORTS:
        ports = {"FromPort": -1, "ToPort": -1, **ports}  # moto wants ports even where a protocol has none
    permission: dict[str, Any] = {"IpProtocol": protocol, **ports}
    for place, name, member in (
        ("IpRanges", "CidrIp", "CidrIp"),
        ("Ipv6Ranges", "CidrIpv6", "CidrIpv6"),
        ("PrefixListIds", "SourcePrefixListId", "PrefixListId"),
        ("PrefixListIds", "DestinationPrefixListId", "PrefixListId"),
        ("UserIdGroupPairs", "SourceSecurityGroupId", "GroupId"),
        ("UserIdGroupPairs", "DestinationSecurityGroupId", "GroupId"),
    ):
        if name in rule:
            permission[place] = [{member: rule[name], **pick(rule, "Description")}]
    return permission


class _Rule(ResourceType):
    """A rule of a security group that is a resource of its own."""

    limits = _PACKETS
    direction: ClassVar[str]

    def create(self, call: Call, properties: Properties) -> Made:
        """Add the rule."""
        authorize = getattr(call.client("ec2"), f"authorize_security_group_{self.direction}")
        answer = authorize(GroupId=properties["GroupId"], IpPermissions=[_permission(properties)])
        rule = answer["SecurityGroupRules"][0]["SecurityGroupRuleId"]
        return Made(rule, {"Id": rule})

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:  # noqa: ARG002
        """Change the description, nothing else can change."""
        describe = getattr(call.client("ec2"), f"update_security_group_rule_descriptions_{self.direction}")
        description = {"SecurityGroupRuleId": made.physical_id, **pick(after, "Description")}
        describe(GroupId=after["GroupId"], SecurityGroupRuleDescriptions=[description])
        return made

    def delete(self, call: Call, made: Made, properties: Properties) -> None:
        """Remove the rule."""
        revoke = getattr(call.client("ec2"), f"revoke_security_group_{self.direction}")
        revoke(GroupId=properties["GroupId"], SecurityGroupRuleIds=[made.physical_id])


_RULE = frozenset({"GroupId", "IpProtocol", "FromPort", "ToPort", "CidrIp", "CidrIpv6", "Description"})


class SecurityGroupIngress(_Rule):
    """What a security group lets in."""

    type_name = "AWS::EC2::SecurityGroupIngress"
    properties = _RULE | {"SourceSecurityGroupId", "SourcePrefixListId"}
    direction = "ingress"


class SecurityGroupEgress(_Rule):
    """What a security group lets out."""

    type_name = "AWS::EC2::SecurityGroupEgress"
    properties = _RULE | {"DestinationSecurityGroupId", "DestinationPrefixListId"}
    direction = "egress"


class VpcEndpoint(_InVpc):
    """A way from a VPC to an AWS service."""

    type_name = "AWS::EC2::VPCEndpoint"
    properties = frozenset(
        {
            "VpcId",
            "VpcEndpointType",
            "ServiceName",
            "SubnetIds",
            "SecurityGroupIds",
            "RouteTableIds",
            "PrivateDnsEnabled",
            "PolicyDocument",
            "Tags",
        }
    )
    limits = (
        *_PACKETS,
        ("policies of VPC endpoints", "EC2 keeps them; no call passes an endpoint here, so none is asked"),
        ("which services have endpoints in a region and its zones", "moto takes every name of a service"),
    )
    kind = "vpc-endpoint"

    def create(self, call: Call, properties: Properties) -> Made:
        """Create the endpoint."""
        given = {name: value for name, value in properties.items() if name not in {"PolicyDocument", "Tags"}}
        answer = call.client("ec2").create_vpc_endpoint(
            **given, **_policy(properties), **self._specification(properties)
        )["VpcEndpoint"]
        names = [f"{entry['HostedZoneId']}:{entry['DnsName']}" for entry in answer.get("DnsEntries", [])]
        attributes = {
            "Id": answer["VpcEndpointId"],
            "CreationTimestamp": answer["CreationTimestamp"].isoformat(),
            "DnsEntries": names,
            "NetworkInterfaceIds": answer.get("NetworkInterfaceIds", []),
        }
        return Made(answer["VpcEndpointId"], attributes)

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:
        """Change where the endpoint is, who reaches it, its policy and its tags."""
        changes: dict[str, Any] = {}
        for name, member in (("SubnetIds", "SubnetIds"), ("SecurityGroupIds",) * 2, ("RouteTableIds",) * 2):
            old, new = before.get(name, []), after.get(name, [])
            for verb, items in (
                ("Add", [item for item in new if item not in old]),
                ("Remove", [item for item in old if item not in new]),
            ):
                if items:
                    changes[f"{verb}{member}"] = items
        if before.get("PolicyDocument") != after.get("PolicyDocument"):
            changes |= _policy(after) or {"ResetPolicy": True}
        if before.get("PrivateDnsEnabled") != after.get("PrivateDnsEnabled"):
            changes["PrivateDnsEnabled"] = after.get("PrivateDnsEnabled", False)
        if changes:
            call.client("ec2").modify_vpc_endpoint(VpcEndpointId=made.physical_id, **changes)
        return super().update(call, made, before, after)

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Delete the endpoint."""
        _successful(call.client("ec2").delete_vpc_endpoints(VpcEndpointIds=[made.physical_id]))


def _policy(properties: Properties) -> dict[str, Any]:
    return {"PolicyDocument": as_json(properties["PolicyDocument"])} if "PolicyDocument" in properties else {}


class FlowLog(_InVpc):
    """A record of the traffic in a VPC, a subnet or an interface."""

    type_name = "AWS::EC2::FlowLog"
    properties = frozenset(
        {
            "ResourceId",
            "ResourceType",
            "TrafficType",
            "LogDestinationType",
            "LogDestination",
            "LogGroupName",
            "LogFormat",
            "DeliverLogsPermissionArn",
            "MaxAggregationInterval",
            "Tags",
        }
    )
    limits = (("flow logs", "they are made through the API of EC2; there is no traffic that they could record"),)
    kind = "vpc-flow-log"

    def create(self, call: Call, properties: Properties) -> Made:
        """Create the flow log."""
        given = {name: value for name, value in properties.items() if name not in {"ResourceId", "Tags"}}
        answer = call.client("ec2").create_flow_logs(
            ResourceIds=[properties["ResourceId"]], **given, **self._specification(properties)
        )
        (record,) = _successful(answer)["FlowLogIds"]
        return Made(record, {"Id": record})

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Delete the flow log."""
        _successful(call.client("ec2").delete_flow_logs(FlowLogIds=[made.physical_id]))


def _successful(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    for failed in answer.get("Unsuccessful", []):
        error = failed["Error"]
        msg = f"{error.get('Message', '')} (Error Code: {error.get('Code', '')})"
        raise ResourceFailedError(msg)
    return answer
