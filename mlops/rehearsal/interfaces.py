"""The network interfaces that AWS services make in a VPC with the role of what runs there: may the role do that?

None is made here: an interface would lead nowhere. The services ask before something runs, so a role that lacks a
permission is found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlops.rehearsal import iam

_DESCRIBE = (
    "DescribeDhcpOptions",
    "DescribeNetworkInterfaces",
    "DescribeSecurityGroups",
    "DescribeSubnets",
    "DescribeVpcs",
)
_Asked = Iterator[tuple[str, str, dict[str, Any]]]
"""Calls of EC2, each with the resource and its condition keys."""


def refused_to_function(role_arn: str, config: Mapping[str, Any] | None, *, region: str) -> str | None:
    """Return the first call of EC2 that Lambda may not make with the role of a function; None if there is none.

    Which ones it makes: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
    """
    subnets, groups = (list((config or {}).get(name) or []) for name in ("SubnetIds", "SecurityGroupIds"))
    if not subnets:
        return None
    prefix = _prefix(role_arn, region)
    interfaces = f"{prefix}network-interface/*"
    asked = [
        *_made(prefix, subnets, groups),
        *((call, "*", {}) for call in ("DescribeNetworkInterfaces", "DescribeSubnets")),
        *(
            (call, interfaces, {})
            for call in ("DeleteNetworkInterface", "AssignPrivateIpAddresses", "UnassignPrivateIpAddresses")
        ),
    ]
    return _first_refused(role_arn, iter(asked), region)


def refused_to_job(role_arn: str, config: Mapping[str, Any] | None, *, region: str) -> str | None:
    """Return the first call of EC2 that SageMaker may not make with the role of a job or model; None if there is none.

    Which ones it makes: https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html
    """
    subnets, groups = (list((config or {}).get(name) or []) for name in ("Subnets", "SecurityGroupIds"))
    if not subnets:
        return None
    asked = [
        *_permitted(_prefix(role_arn, region), subnets, groups, service="sagemaker.amazonaws.com"),
        ("DeleteNetworkInterfacePermission", "*", {}),
    ]
    return _first_refused(role_arn, iter(asked), region)


def refused_to_build(role_arn: str, config: Mapping[str, Any] | None, *, region: str) -> str | None:
    """Return the first call of EC2 that CodeBuild may not make with the role of a project; None if there is none.

    Which ones it makes: https://docs.aws.amazon.com/codebuild/latest/userguide/auth-and-access-control-iam-identity-based-access-control.html
    """
    subnets, groups = (list((config or {}).get(name) or []) for name in ("subnets", "securityGroupIds"))
    if not subnets:
        return None
    asked = _permitted(_prefix(role_arn, region), subnets, groups, service="codebuild.amazonaws.com")
    return _first_refused(role_arn, asked, region)


def _prefix(role_arn: str, region: str) -> str:
    return f"arn:aws:ec2:{region}:{role_arn.split(':')[4]}:"


def _made(prefix: str, subnets: Sequence[str], groups: Sequence[str]) -> _Asked:
    """Yield what making one interface is decided on: the interface, its subnet and its groups, each for itself."""
    parts = ["network-interface/*", *(f"subnet/{one}" for one in subnets), *(f"security-group/{one}" for one in groups)]
    yield from (("CreateNetworkInterface", prefix + part, {}) for part in parts)


def _permitted(prefix: str, subnets: Sequence[str], groups: Sequence[str], *, service: str) -> _Asked:
    """Yield what a service needs that makes an interface, lends it to itself, and deletes it."""
    yield from ((call, "*", {}) for call in _DESCRIBE)
    yield from _made(prefix, subnets, groups)
    for subnet in subnets:
        place = {"ec2:Subnet": f"{prefix}subnet/{subnet}"}
        interfaces = f"{prefix}network-interface/*"
        yield "CreateNetworkInterfacePermission", interfaces, {**place, "ec2:AuthorizedService": service}
        yield "DeleteNetworkInterface", interfaces, place


def _first_refused(role_arn: str, asked: _Asked, region: str) -> str | None:
    for call, resource, keys in asked:
        if not iam.check(role_arn, f"ec2:{call}", resource, {"ec2:Region": region, **keys}, region=region).allowed:
            return call
    return None
