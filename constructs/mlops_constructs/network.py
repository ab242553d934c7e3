"""Where jobs, endpoints, functions and builds run: in the network of the account and region of their stack.

No construct is told its network, so none can be forgotten: the application declares the networks once, and whatever
runs somewhere asks here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import Fn, Stack
from constructs import IConstruct

from mlops_constructs.roles import ProductRole
from mlops_constructs.settings import Environments, Network
from mlops_constructs.settings.network import ZONES
from mlops_constructs.settings.network_rules import EXISTING, networks

NETWORKS = "mlops:networks"
"""The context that has the declared networks by account and region."""
INTERFACES = "an interface has no name before it is made; its subnet and its security groups are in the statement"
_OF_SUBNETS = "the interfaces in these subnets; an interface has no name before it is made"
_DESCRIBE = "EC2 has no resource-level permission to describe (Service Authorization Reference, Amazon EC2)"
_LAMBDA = "Lambda accepts no narrower resource than those of the account (its Developer Guide, configuration-vpc)"


@dataclass(frozen=True, kw_only=True)
class Placement:
    """The VPC, subnets and security groups of what runs in an account and region."""

    vpc_id: str
    subnet_ids: tuple[str, ...]
    job_groups: tuple[str, ...]
    """Security groups of jobs, endpoints and sandboxes."""
    function_groups: tuple[str, ...]
    """Security groups of functions and builds."""
    leads_out: bool
    """Whether there may be a way to package registries: the network that the project makes has none."""
    identity: dict[str, Any]
    """What tells this network from others, without ids that only a deployment knows."""

    @classmethod
    def of(cls, construct: IConstruct) -> Placement | None:
        """Return the placement of what is in `construct`; None for the networks of the services themselves."""
        networks = construct.node.try_get_context(NETWORKS)
        if not networks:
            return None
        stack = Stack.of(construct)
        declared = networks.get(f"{stack.account}/{stack.region}")
        if declared is None:
            return None
        identity = declared["identity"]
        if "maker" not in declared:
            groups = tuple(identity["security_group_ids"])
            return cls(
                vpc_id=identity["vpc_id"],
                subnet_ids=tuple(identity["subnet_ids"]),
                job_groups=groups,
                function_groups=groups,
                leads_out=True,
                identity=identity,
            )
        maker = stack.node.root.node.try_find_child(declared["maker"])
        if isinstance(maker, Stack):
            stack.add_stack_dependency(maker)
        name = declared["stack"]
        return cls(
            vpc_id=Fn.import_value(f"{name}:Vpc"),
            subnet_ids=tuple(Fn.import_value(f"{name}:Subnet{zone}") for zone in range(1, identity["zones"] + 1)),
            job_groups=(Fn.import_value(f"{name}:JobSecurityGroup"),),
            function_groups=(Fn.import_value(f"{name}:FunctionSecurityGroup"),),
            leads_out=False,
            identity=identity,
        )


def declare_networks(scope: IConstruct, environments: Environments) -> None:
    """Let everything below `scope` find its network; nothing may be there yet."""
    declared = {}
    for _, environment, network in networks(environments):
        place = (environment.account, environment.region)
        facts: dict[str, Any] = {"identity": _identity(network)}
        if network.cidr is not None:
            facts |= {"stack": network_stack(environments.project), "maker": maker_id(environments, *place)}
        declared["/".join(place)] = facts
    scope.node.set_context(NETWORKS, declared)


def network_stack(project: str) -> str:
    """Return the name of the stack that makes a network, in each account and region that asks for one."""
    return f"{project}-network"


def maker_id(environments: Environments, account: str, region: str) -> str:
    """Return the id of that stack inside the application, where the name alone may be there twice."""
    name = network_stack(environments.project)
    is_tools = (account, region) == (environments.tools.account, environments.tools.region)
    return name if is_tools else f"{name}-{account}-{region}"


def _identity(network: Network) -> dict[str, Any]:
    if network.cidr is not None:
        return {"cidr": network.cidr, "zones": network.zones or ZONES}
    return network.model_dump(mode="json", include=set(EXISTING))


def vpc_config(construct: IConstruct) -> dict[str, Any] | None:
    """Return SageMaker's VpcConfig for `construct`, or None for SageMaker's own network."""
    placement = Placement.of(construct)
    if placement is None:
        return None
    return {"Subnets": list(placement.subnet_ids), "SecurityGroupIds": list(placement.job_groups)}


def allow_function_interfaces(role: ProductRole, placement: Placement) -> None:
    """Allow the interfaces that Lambda makes for a function, to Lambda and not to the code of the function."""
    # The key is in a request of the code, never in one of Lambda itself:
    # https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
    lambda_itself = {"Null": {"lambda:SourceFunctionArn": "true"}}
    role.allow(
        "ec2:CreateNetworkInterface",
        on=_parts(role, placement.subnet_ids, placement.function_groups),
        when=lambda_itself,
        because=INTERFACES,
    )
    role.allow(
        "ec2:AssignPrivateIpAddresses",
        "ec2:DeleteNetworkInterface",
        "ec2:UnassignPrivateIpAddresses",
        on=Stack.of(role).format_arn(service="ec2", resource="*", resource_name="*"),
        when=lambda_itself,
        because=_LAMBDA,
    )
    role.allow("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", on="*", when=lambda_itself, because=_DESCRIBE)


def allow_job_interfaces(role: ProductRole, placement: Placement) -> None:
    """Allow the interfaces that SageMaker makes for jobs and endpoints (SageMaker Developer Guide, roles)."""
    _allow_interfaces(role, placement.subnet_ids, placement.job_groups, when={})
    role.allow(
        "ec2:DeleteNetworkInterfacePermission",
        on="*",
        when={"StringEquals": {"ec2:Region": Stack.of(role).region}},
        because="EC2 has no resource-level permission for it (Service Authorization Reference, Amazon EC2)",
    )


def allow_build_interfaces(role: ProductRole, placement: Placement) -> None:
    """Allow the interfaces that CodeBuild makes for builds (CodeBuild User Guide, vpc-support)."""
    service = {"StringEquals": {"ec2:AuthorizedService": "codebuild.amazonaws.com"}}
    _allow_interfaces(role, placement.subnet_ids, placement.function_groups, when=service)


def _allow_interfaces(
    role: ProductRole, subnets: Sequence[str], groups: Sequence[str], *, when: dict[str, Any]
) -> None:
    interfaces = _arns(role, "network-interface", "*")
    in_subnets = {"ArnEquals": {"ec2:Subnet": _arns(role, "subnet", *subnets)}}
    role.allow("ec2:CreateNetworkInterface", on=_parts(role, subnets, groups), because=INTERFACES)
    role.allow("ec2:CreateNetworkInterfacePermission", on=interfaces, when={**when, **in_subnets}, because=_OF_SUBNETS)
    role.allow("ec2:DeleteNetworkInterface", on=interfaces, when=in_subnets, because=_OF_SUBNETS)
    role.allow(
        "ec2:DescribeDhcpOptions",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
        on="*",
        because=_DESCRIBE,
    )


def _parts(role: ProductRole, subnets: Sequence[str], groups: Sequence[str]) -> list[str]:
    """Return all that a permission to make an interface has to name."""
    return [
        *_arns(role, "network-interface", "*"),
        *_arns(role, "subnet", *subnets),
        *_arns(role, "security-group", *groups),
    ]


def _arns(role: ProductRole, resource: str, *names: str) -> list[str]:
    stack = Stack.of(role)
    return [stack.format_arn(service="ec2", resource=resource, resource_name=name) for name in names]
