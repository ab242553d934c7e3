"""What a call of EC2 needs: it names what it touches by ids, several in one call, and tags under an action of its own.

Only the calls are known that make and take down a network; another one of EC2 is denied, as every unknown call is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlops.rehearsal.iam_needs import ApiCall, Need
from mlops.rehearsal.iam_resources import UnknownCallError, resource_types, values_at

_MADE = ""
"""In the place of a parameter: the resource is made by the call, so it has no id yet."""
_GROUP = (("security-group", "GroupId"),)
# operation -> (type of resource, parameter that names it)
_TOUCHED: dict[str, tuple[tuple[str, str], ...]] = {
    "CreateVpc": (("vpc", _MADE),),
    "ModifyVpcAttribute": (("vpc", "VpcId"),),
    "ModifyVpcTenancy": (("vpc", "VpcId"),),
    "DeleteVpc": (("vpc", "VpcId"),),
    "CreateSubnet": (("subnet", _MADE), ("vpc", "VpcId")),
    "ModifySubnetAttribute": (("subnet", "SubnetId"),),
    "DeleteSubnet": (("subnet", "SubnetId"),),
    "CreateRouteTable": (("route-table", _MADE), ("vpc", "VpcId")),
    "AssociateRouteTable": (("route-table", "RouteTableId"), ("subnet", "SubnetId")),
    "DisassociateRouteTable": (("route-table", "RouteTableId"), ("subnet", "SubnetId")),
    "DeleteRouteTable": (("route-table", "RouteTableId"),),
    "CreateSecurityGroup": (("security-group", _MADE), ("vpc", "VpcId")),
    "AuthorizeSecurityGroupIngress": _GROUP,
    "AuthorizeSecurityGroupEgress": _GROUP,
    "RevokeSecurityGroupIngress": _GROUP,
    "RevokeSecurityGroupEgress": _GROUP,
    "UpdateSecurityGroupRuleDescriptionsIngress": _GROUP,
    "UpdateSecurityGroupRuleDescriptionsEgress": _GROUP,
    "DeleteSecurityGroup": _GROUP,
    "CreateVpcEndpoint": (
        ("vpc-endpoint", _MADE),
        ("vpc", "VpcId"),
        ("route-table", "RouteTableIds[]"),
        ("subnet", "SubnetIds[]"),
        ("security-group", "SecurityGroupIds[]"),
    ),
    "ModifyVpcEndpoint": (
        ("vpc-endpoint", "VpcEndpointId"),
        ("route-table", "AddRouteTableIds[]"),
        ("route-table", "RemoveRouteTableIds[]"),
        ("subnet", "AddSubnetIds[]"),
        ("subnet", "RemoveSubnetIds[]"),
        ("security-group", "AddSecurityGroupIds[]"),
        ("security-group", "RemoveSecurityGroupIds[]"),
    ),
    "DeleteVpcEndpoints": (("vpc-endpoint", "VpcEndpointIds[]"),),
    "DeleteFlowLogs": (("vpc-flow-log", "FlowLogIds[]"),),
}
_KINDS = {
    "vpc": "vpc",
    "subnet": "subnet",
    "rtb": "route-table",
    "sg": "security-group",
    "sgr": "security-group-rule",
    "vpce": "vpc-endpoint",
    "fl": "vpc-flow-log",
    "eni": "network-interface",
}
"""What an id is the id of, by what it begins with."""


def needs_of(call: ApiCall) -> list[Need]:
    """Return everything that the caller must be allowed.

    Raises:
        UnknownCallError: the call, or the way in which it names its resources, is not known.

    """
    context = {"ec2:region": call.region}
    if not resource_types(call.name):
        return [Need(call.name, ("*",), context)]
    context |= _tag_keys(call.params.get("Tags", []))
    return [
        *(Need(call.name, (arn,), context) for arn in _touched(call)),
        *_tagging(call),
        *_passed_role(call),
    ]


def _touched(call: ApiCall) -> Iterator[str]:
    match call.operation:
        case "CreateTags" | "DeleteTags":
            yield from (_arn_of(call, one) for one in values_at(call.params, "Resources[]"))
            return
        case "CreateFlowLogs":
            yield _arn(call, "vpc-flow-log", "*")
            yield from (_arn_of(call, one) for one in values_at(call.params, "ResourceIds[]"))
            return
    rules = _TOUCHED.get(call.operation)
    if rules is None:
        msg = f"the rehearsal's IAM evaluator does not know how a request names the resources of {call.name}"
        raise UnknownCallError(msg)
    params = {**call.params, **_association(call)}
    for kind, path in rules:
        for name in ["*"] if path == _MADE else values_at(params, path):
            yield _arn(call, kind, name)


def _arn(call: ApiCall, kind: str, name: str) -> str:
    return f"arn:aws:ec2:{call.region}:{call.account}:{kind}/{name}"


def _arn_of(call: ApiCall, name: str) -> str:
    kind = _KINDS.get(name.partition("-")[0])
    if kind is None:
        msg = f"the rehearsal's IAM evaluator does not know what {name} is in a request of {call.name}"
        raise UnknownCallError(msg)
    return _arn(call, kind, name)


def _association(call: ApiCall) -> dict[str, str]:
    """Return the two ends of what ends: the request names their association only."""
    if call.operation != "DisassociateRouteTable":
        return {}
    from moto.ec2.models import ec2_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    name = str(call.params.get("AssociationId"))
    for table in ec2_backends[call.account][call.region].route_tables.values():
        for association in table.associations:
            if association["RouteTableAssociationId"] == name:
                return {member: association[member] for member in ("RouteTableId", "SubnetId") if member in association}
    return {"RouteTableId": "*", "SubnetId": "*"}


def _tagging(call: ApiCall) -> Iterator[Need]:
    for specification in call.params.get("TagSpecifications", []):
        keys = {"ec2:createaction": call.operation, "ec2:region": call.region}
        kind = str(specification.get("ResourceType"))
        yield Need("ec2:CreateTags", (_arn(call, kind, "*"),), keys | _tag_keys(specification.get("Tags", [])))


def _tag_keys(tags: list[Mapping[str, Any]]) -> dict[str, Any]:
    keys: dict[str, Any] = {
        f"aws:requesttag/{str(tag['Key']).lower()}": str(tag["Value"]) for tag in tags if "Value" in tag
    }
    return keys | {"aws:tagkeys": [str(tag["Key"]) for tag in tags]} if tags else keys


def _passed_role(call: ApiCall) -> Iterator[Need]:
    role = call.params.get("DeliverLogsPermissionArn")
    if role is not None:
        yield Need("iam:PassRole", (str(role),), {"iam:passedtoservice": "vpc-flow-logs.amazonaws.com"})
