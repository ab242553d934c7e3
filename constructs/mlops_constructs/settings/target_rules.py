"""What a model must satisfy where it is deployed to other accounts and regions than the pipeline's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlops_constructs.settings.environment_rules import check_serving_instance
from mlops_constructs.settings.handover_rules import check_handover_environment
from mlops_constructs.settings.model import Stage
from mlops_constructs.settings.problems import Finding
from mlops_constructs.settings.rollout_rules import check_trial_place
from mlops_constructs.settings.section import UnknownSettingError
from mlops_constructs.settings.serving_batch_rules import check_batch_place
from mlops_constructs.settings.serving_multi_rules import check_shared_place
from mlops_constructs.settings.serving_rules import SERVING_TARGET_RULES
from mlops_constructs.settings.xgboost_images import ACCOUNTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlops_constructs.settings.environments import Environments
    from mlops_constructs.settings.model import ModelSettings


def check_serving_regions(model: ModelSettings, environments: Environments) -> Iterator[Finding]:
    """Require a serving instance type that every region offers which the model is deployed to."""
    regions = dict.fromkeys(_region(environments, target) for target in model.deployed_environments)
    tools = _region(environments, "tools")
    for region in regions:
        if region is not None and region != tools:  # that of the tools is checked with the jobs
            yield from check_serving_instance(model, region)


def check_image_regions(model: ModelSettings, environments: Environments) -> Iterator[Finding]:
    """Refuse to deploy a container of one's own to a region that does not have its image."""
    if model.container is None:
        return
    tools = _region(environments, "tools")
    for index, target in enumerate(model.deploy.environments):
        region = _region(environments, target)
        if region is not None and region != tools:
            yield Finding(
                path=("deploy", "environments", index),
                message=f"is in {region}, where SageMaker does not find the image, which is in {tools}",
                allowed=f"environments in {tools} for a container of your own",
                remedy=f"write 'region: {tools}' for {target} in environments.yaml, or leave {target} out here",
            )


def check_remote_stage(model: ModelSettings, environments: Environments) -> Iterator[Finding]:
    """Require the pipeline of stage reliable where a deployment crosses accounts or regions."""
    if model.stage != Stage.REPEATABLE:
        return
    for index, target in enumerate(model.deployed_environments):
        if environments.is_remote(target):
            yield Finding(
                path=("deploy", "environments", index),
                message="is in another account or region than the tools, which stage repeatable cannot deploy to",
                allowed="environments in the account and region of the tools",
                remedy="move to stage reliable, or write the account and region of the tools in environments.yaml",
            )


def _region(environments: Environments, name: str) -> str | None:
    """Return the region of an environment where it is known and one of SageMaker's."""
    try:
        region: str = getattr(environments, name).region
    except UnknownSettingError:
        return None
    return region if region in ACCOUNTS else None


TARGET_RULES: Final[tuple[Callable[[ModelSettings, Environments], Iterator[Finding]], ...]] = (
    check_serving_regions,
    check_image_regions,
    check_remote_stage,
    check_handover_environment,
    check_trial_place,
    *SERVING_TARGET_RULES,
    check_shared_place,
    check_batch_place,
)
