"""What the networks of the environments must satisfy, each alone and all together."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Network, NetmaskValueError
from typing import TYPE_CHECKING, Final

from mlops_constructs.settings.allowed import allowed_at
from mlops_constructs.settings.network import Network
from mlops_constructs.settings.prefix_lists import S3
from mlops_constructs.settings.problems import Finding, Path
from mlops_constructs.settings.section import UnknownSettingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_constructs.settings.environments import Environment, Environments

EXISTING: Final = ("vpc_id", "subnet_ids", "security_group_ids")
"""The settings of a VPC that exists; all of them are needed."""
MADE: Final = ("zones", "prefix_lists")
"""The settings that only a VPC which the project makes can have."""
ENVIRONMENTS: Final = ("tools", "data_science", "dev", "staging", "prod")
_LARGEST, _SMALLEST = 16, 22
_PRIVATE: Final = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
_DOCKER: Final = IPv4Network("172.17.0.0/16")
"""The addresses that Docker gives to containers, those of SageMaker and CodeBuild, too."""
_RANGE: Final = f"a range of private addresses from /{_LARGEST} to /{_SMALLEST}, such as 10.60.0.0/16"
_EITHER: Final = "either 'cidr', or a VPC that exists by vpc_id, subnet_ids and security_group_ids"
_LOOK_UP: Final = "aws ec2 describe-prefix-lists --region"


def networks(environments: Environments) -> Iterator[tuple[str, Environment, Network]]:
    """Yield every environment whose network is known, with the name of the environment."""
    for name in ENVIRONMENTS:
        try:
            environment = getattr(environments, name)
            network = environment.network if environment is not None else None
        except UnknownSettingError:
            continue
        if network is not None:
            yield name, environment, network


def network_of(environments: Environments, account: str, region: str) -> Network | None:
    """Return the network of everything in an account and region; None where SageMaker's own is used."""
    for _, environment, network in networks(environments):
        if (environment.account, environment.region) == (account, region):
            return network
    return None


def check_networks(environments: Environments) -> Iterator[Finding]:
    """Require for every network either all that names a VPC, or the addresses of a new one."""
    for name, _, network in networks(environments):
        path: Path = (name, "network")
        existing = [key for key in EXISTING if _stands(network, key)]
        made = _stands(network, "cidr")
        if made and existing:
            message, remedy = f"is there besides {existing[0]}", "remove the line, or remove those of the existing VPC"
            yield Finding(path=(*path, "cidr"), message=message, allowed=_EITHER, remedy=remedy)
        elif existing:
            yield from _check_existing(network, path)
        elif not made:
            remedy = "add the line 'cidr: ...', or name the VPC"
            yield Finding(path=(*path, "cidr"), message="is missing", allowed=_EITHER, remedy=remedy)


def _stands(network: Network, key: str) -> bool:
    """Whether a setting is in the file, rightly or wrongly; what is wrong has been reported."""
    return key in network.model_fields_set or key not in network.__dict__


def _check_existing(network: Network, path: Path) -> Iterator[Finding]:
    for key in EXISTING:
        if not _stands(network, key):
            allowed = f"{allowed_at(Network, (key,), {})}; or 'cidr' alone, for a new VPC"
            remedy = f"add the line '{key}: ...'"
            yield Finding(path=(*path, key), message="is missing", allowed=allowed, remedy=remedy)
    for key in MADE:
        if _stands(network, key):
            message, allowed = "has no meaning for a VPC that exists", "only besides 'cidr'"
            yield Finding(path=(*path, key), message=message, allowed=allowed, remedy=f"remove '{key}'")


def check_addresses(environments: Environments) -> Iterator[Finding]:
    """Require private addresses that are enough, and that no container has already."""
    for name, _, network in networks(environments):
        cidr = network.__dict__.get("cidr")
        if cidr is None:
            continue
        path: Path = (name, "network", "cidr")
        try:
            block = IPv4Network(cidr)
        except (AddressValueError, NetmaskValueError):
            message, remedy = "is not a range of addresses", "write four numbers up to 255 and a length"
            yield Finding(path=path, message=message, allowed=_RANGE, remedy=remedy)
        except ValueError:
            start = IPv4Network(cidr, strict=False)
            message = "does not begin at the first address of the range"
            yield Finding(path=path, message=message, allowed=_RANGE, remedy=f"write {start}")
        else:
            yield from _check_block(block, path)


def _check_block(block: IPv4Network, path: Path) -> Iterator[Finding]:
    if not _LARGEST <= block.prefixlen <= _SMALLEST:
        few = block.prefixlen > _SMALLEST
        message = "has too few addresses for endpoints, functions and jobs" if few else "is larger than a VPC can be"
        remedy = f"write /{_SMALLEST if few else _LARGEST}"
        yield Finding(path=path, message=message, allowed=_RANGE, remedy=remedy)
    elif not any(block.subnet_of(private) for private in _PRIVATE):
        remedy = f"choose addresses in one of {', '.join(map(str, _PRIVATE))}"
        yield Finding(path=path, message="is not private", allowed=_RANGE, remedy=remedy)
    elif block.overlaps(_DOCKER):
        message = f"overlaps {_DOCKER}, the addresses that Docker gives to containers"
        yield Finding(path=path, message=message, allowed=_RANGE, remedy="choose other addresses")


def check_prefix_lists(environments: Environments) -> Iterator[Finding]:
    """Require the prefix lists of a region of which they are not known."""
    for name, environment, network in networks(environments):
        region = getattr(environment, "region", None)
        known = network.__dict__
        if known.get("cidr") is None or region is None or "prefix_lists" not in known or network.prefix_lists:
            continue
        if region not in S3:
            yield Finding(
                path=(name, "network", "prefix_lists"),
                message=f"is missing, and those of {region} are not known",
                allowed="a mapping with the keys s3, dynamodb; not needed in " + ", ".join(S3),
                remedy=f"add the line 'prefix_lists: {{s3: ..., dynamodb: ...}}'; {_LOOK_UP} {region}",
            )


def check_one_network(environments: Environments) -> Iterator[Finding]:
    """Refuse two networks in one account and region: what runs there runs in the same one."""
    seen: dict[tuple[str, str], tuple[str, Network]] = {}
    for name, environment, network in networks(environments):
        try:
            place = (environment.account, environment.region)
            first, other = seen.setdefault(place, (name, network))
            differs = network.model_dump() != other.model_dump()
        except UnknownSettingError:
            continue
        if differs:
            yield Finding(
                path=(name, "network"),
                message=f"is another one than that of {first}, in the same account and region",
                allowed="one network for each account and region",
                remedy=f"write the network of {first}, or leave it out, which means the same",
            )


def check_ways_out(environments: Environments) -> Iterator[Finding]:
    """Refuse a made VPC for functions that have to reach another region: it has no way there."""
    tools = environments.tools
    network = network_of(environments, tools.account, tools.region)
    if network is None or network.cidr is None:
        return
    for name in ENVIRONMENTS:
        environment = getattr(environments, name)
        if environment is not None and environment.region != tools.region:
            yield Finding(
                path=(name, "region"),
                message="cannot be reached from the network of tools, which has endpoints of its own region only",
                allowed=f"the region of tools, {tools.region}, while 'network' of tools has 'cidr'",
                remedy="name a VPC that exists and has a way to this region, by its ids, in 'network' of tools",
            )
