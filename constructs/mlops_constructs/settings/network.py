"""The VPC that everything of an environment runs in: one that exists, or one that the project makes."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Annotated, Final

from pydantic import Field

from mlops_constructs.settings.section import (
    Cidr,
    PrefixListId,
    Section,
    SecurityGroupId,
    SubnetId,
    VpcId,
)

ZONES: Final = 2
"""Availability zones of a network that does not say how many it has."""
BLOCKS: Final = 4
"""Parts of the address range, one for each zone: a zone more, up to this many, does not move the others."""


class PrefixLists(Section):
    """The prefix lists of a region: the addresses of two services, by which security groups name them."""

    s3: PrefixListId
    """The list com.amazonaws.<region>.s3."""
    dynamodb: PrefixListId
    """The list com.amazonaws.<region>.dynamodb."""


class Network(Section):
    """The VPC of jobs, endpoints and functions: either `vpc_id` and what belongs to it, or `cidr`."""

    vpc_id: VpcId | None = None
    """A VPC that exists."""
    subnet_ids: Annotated[tuple[SubnetId, ...], Field(min_length=1, max_length=16)] = ()
    """Its subnets; two in different availability zones survive the loss of a zone."""
    security_group_ids: Annotated[tuple[SecurityGroupId, ...], Field(min_length=1, max_length=5)] = ()
    """The security groups of jobs, endpoints, functions and builds."""
    cidr: Cidr | None = None
    """The addresses of a VPC that the project makes: without a way to the internet, with endpoints of AWS services."""
    zones: Annotated[int | None, Field(ge=2, le=3)] = None
    """In how many availability zones it has a subnet; two when not given."""
    prefix_lists: PrefixLists | None = None
    """The prefix lists of its region, where the project does not know them."""

    def subnets(self) -> list[IPv4Network]:
        """Return the address ranges of the subnets of a VPC that the project makes, one for each zone."""
        whole = IPv4Network(self.cidr or "")
        parts = list(whole.subnets(prefixlen_diff=BLOCKS.bit_length() - 1))
        return parts[: self.zones or ZONES]
