"""What the environments must satisfy, alone and together with the models that run in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlops_constructs.settings import instances
from mlops_constructs.settings.api_rules import API_RULES
from mlops_constructs.settings.container_rules import check_image_region
from mlops_constructs.settings.environments import EnvironmentName
from mlops_constructs.settings.instances import Use
from mlops_constructs.settings.network_rules import (
    check_addresses,
    check_networks,
    check_one_network,
    check_prefix_lists,
    check_ways_out,
)
from mlops_constructs.settings.problems import Finding, Path, listed
from mlops_constructs.settings.sandbox import SANDBOX_RULES
from mlops_constructs.settings.section import UnknownSettingError
from mlops_constructs.settings.xgboost_hyperparameters import nearest
from mlops_constructs.settings.xgboost_images import ACCOUNTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlops_constructs.settings.environments import Environment, Environments
    from mlops_constructs.settings.model import ModelSettings

TOOLS: Final = "tools"
_NAMES: Final = (TOOLS, "data_science", *EnvironmentName)


def _each(environments: Environments) -> Iterator[tuple[str, Environment]]:
    for name in _NAMES:
        try:
            environment = getattr(environments, name)
        except UnknownSettingError:
            continue
        if environment is not None:
            yield name, environment


def check_regions(environments: Environments) -> Iterator[Finding]:
    """Require regions in which the algorithm's images are."""
    for name, environment in _each(environments):
        region = getattr(environment, "region", None)
        if region is not None and region not in ACCOUNTS:
            near = nearest(region, ACCOUNTS)
            remedy = f"did you mean {near}?" if near else "choose one of the regions"
            allowed = f"one of {', '.join(ACCOUNTS)}"
            message = "is not a region with SageMaker's XGBoost image"
            yield Finding(path=(name, "region"), message=message, allowed=allowed, remedy=remedy)


def check_boundaries(environments: Environments) -> Iterator[Finding]:
    """Require a permissions boundary of the environment's own account, or of AWS."""
    for name, environment in _each(environments):
        boundary, account = getattr(environment, "permissions_boundary", None), getattr(environment, "account", None)
        if account is None or boundary is None or not boundary.startswith("arn:"):
            continue
        if boundary.split(":")[4] not in (account, "aws"):
            message = "belongs to another account"
            allowed = f"a policy of account {account}, or of AWS"
            remedy = "write the name of the policy alone, or correct the account in the ARN"
            yield Finding(path=(name, "permissions_boundary"), message=message, allowed=allowed, remedy=remedy)


def check_tags(environments: Environments) -> Iterator[Finding]:
    """Refuse tags that only AWS may set."""
    for name, environment in _each(environments):
        for key in getattr(environment, "tags", {}):
            if key.lower().startswith("aws:"):
                allowed, remedy = "keys that do not start with aws:", "rename the tag"
                yield Finding(path=(name, "tags", key), message="is reserved by AWS", allowed=allowed, remedy=remedy)


def check_lists(environments: Environments) -> Iterator[Finding]:
    """Refuse the same subnet, security group or address twice."""
    for name, environment in _each(environments):
        network = getattr(environment, "network", None)
        lists: dict[Path, tuple[str, ...]] = {
            (name, "notify"): getattr(environment, "notify", ()),
            (name, "network", "subnet_ids"): getattr(network, "subnet_ids", ()),
            (name, "network", "security_group_ids"): getattr(network, "security_group_ids", ()),
        }
        for path, values in lists.items():
            for index, value in enumerate(values):
                if value in values[:index]:
                    message, remedy = "is listed twice", "remove one of the two"
                    yield Finding(path=(*path, index), message=message, allowed="each value once", remedy=remedy)


ENVIRONMENT_RULES: Final[tuple[Callable[[Environments], Iterator[Finding]], ...]] = (
    check_regions,
    check_boundaries,
    check_tags,
    check_lists,
    check_networks,
    check_addresses,
    check_prefix_lists,
    check_one_network,
    check_ways_out,
    *SANDBOX_RULES,
    *API_RULES,
)


def check_training_instances(model: ModelSettings, region: str) -> Iterator[Finding]:
    """Require training instance types that the region offers."""
    for index, instance_type in enumerate(model.training.instance_types):
        unfit = _unfit_for_model(model, instance_type)
        yield from _check_instance(instance_type, ("training", "instance_types", index), Use.TRAINING, region, unfit)


def check_processing_instance(model: ModelSettings, region: str) -> Iterator[Finding]:
    """Require a processing instance type that the region offers."""
    path = ("processing", "instance_type")
    instance_type = model.processing.instance_type  # where the XGBoost image runs, whatever learns
    unfit = instances.without_xgboost(instance_type)
    yield from _check_instance(instance_type, path, Use.PROCESSING, region, unfit)


def check_serving_instance(model: ModelSettings, region: str) -> Iterator[Finding]:
    """Require serving instance types that the region offers, where there are instances."""
    single, pools = getattr(model.serving, "instance_type", None), getattr(model.serving, "instance_pools", ())
    places: list[tuple[Path, str]] = [(("serving", "instance_type"), single)] if single is not None else []
    places += [(("serving", "instance_pools", index), each) for index, each in enumerate(pools)]
    for path, instance_type in places:
        unfit = _unfit_for_model(model, instance_type)
        use = Use.TRANSFORM if model.serving.type == "batch" else Use.HOSTING
        yield from _check_instance(instance_type, path, use, region, unfit)


REGION_RULES: Final[tuple[Callable[[ModelSettings, str], Iterator[Finding]], ...]] = (
    check_training_instances,
    check_processing_instance,
    check_serving_instance,
    check_image_region,
)


def _unfit_for_model(model: ModelSettings, instance_type: str) -> str | None:
    """Say why the model's own image cannot run on an instance type; None where it can, or nobody knows."""
    container = getattr(model, "container", None)
    if container is None:
        return instances.without_xgboost(instance_type)
    return instances.without_built_image(instance_type) if getattr(container, "path", None) is not None else None


def _check_instance(instance_type: str, path: Path, use: Use, region: str, unfit: str | None) -> Iterator[Finding]:
    offered = instances.offered(use, region)
    if instance_type not in offered and offered:
        exists = instance_type in instances.offered_anywhere(use)
        near = nearest(instance_type, sorted(offered, reverse=True))
        yield Finding(
            path=path,
            message=f"is not offered for {use} in {region}" if exists else f"is not an instance type for {use}",
            allowed=f"one of {listed(_same_family_first(instance_type, offered), most=12)}",
            remedy=f"did you mean {near}?" if near else "choose one of the types that the region offers",
        )
    elif unfit is not None:
        remedy = "choose a type of the families m5, c5, m6i or c6i"
        yield Finding(path=path, message=unfit, allowed="x86 types, with or without NVIDIA GPUs", remedy=remedy)


def _same_family_first(instance_type: str, offered: frozenset[str]) -> list[str]:
    family = instance_type.rsplit(".", 1)[0]
    return sorted(offered, key=lambda each: (not each.startswith(f"{family}."), not each.startswith("ml.m5."), each))
