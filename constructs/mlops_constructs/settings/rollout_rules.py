"""What rollouts must satisfy: what SageMaker refuses, or silently does otherwise, is an error here.

The sources are the guides "Deployment guardrails" (canary, linear and rolling sizes, exclusions: a deployment that they
exclude moves all traffic at once, without a bake and without a word) and "Shadow variants" of the SageMaker AI
Developer Guide, and the limits of CreateEndpoint and UpdateEndpoint in the API reference.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Final

from mlops_constructs.settings.model import Stage
from mlops_constructs.settings.problems import Finding
from mlops_constructs.settings.rollout import AbTest, AllAtOnce, Canary, Linear, Rolling, Shadow
from mlops_constructs.settings.section import UnknownSettingError
from mlops_constructs.settings.serving import REAL_TIME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlops_constructs.settings.environments import EnvironmentName, Environments
    from mlops_constructs.settings.model import ModelSettings
    from mlops_constructs.settings.problems import Path
    from mlops_constructs.settings.rollout import Rollout

LARGEST_CANARY_PERCENT: Final = 50
STEP_PERCENT: Final = (10, 50)
BATCH_PERCENT: Final = (5, 50)
START_MINUTES: Final = 10
"""What new instances may take until they answer, besides all that is waited for."""
UPDATE_LIMIT_MINUTES: Final = 150
"""How long the workflow of stage repeatable waits for the update of a stack."""
_PIPELINE: Final = "inference-pipeline"
_SHARED: Final = (REAL_TIME, _PIPELINE)
_GUARDED: Final = (REAL_TIME, _PIPELINE, "asynchronous")


def _rollouts(model: ModelSettings) -> Iterator[tuple[EnvironmentName, Rollout, Path]]:
    for environment, rollout in model.deploy.rollout.items():
        yield environment, rollout, ("deploy", "rollout", environment)


def waits_minutes(rollout: Rollout) -> int:
    """Return how long an update waits in all, in minutes, when nothing goes wrong."""
    match rollout:
        case Canary() | Shadow():
            return rollout.canary_minutes + rollout.bake_minutes
        case Linear():
            return (math.ceil(100 / rollout.step_percent) - 1) * rollout.step_minutes + rollout.bake_minutes
        case Rolling():
            return math.ceil(100 / rollout.batch_percent) * rollout.batch_minutes
        case AllAtOnce() | AbTest():
            return rollout.bake_minutes


def check_rollout_environments(model: ModelSettings) -> Iterator[Finding]:
    """Require rollouts of environments that the model is deployed to."""
    for environment, _, path in _rollouts(model):
        if environment not in model.deploy.environments:
            yield Finding(
                path=path,
                message="is a rollout in an environment that the model is not deployed to",
                allowed=f"one of {', '.join(model.deploy.environments)}",
                remedy=f"remove it, or add {environment} to deploy.environments",
                key=True,
            )


def check_rollout_sizes(model: ModelSettings) -> Iterator[Finding]:
    """Refuse sizes of steps that SageMaker refuses."""
    for _, rollout, path in _rollouts(model):
        match rollout:
            case Canary() | Shadow() if rollout.size_percent > LARGEST_CANARY_PERCENT:
                yield _size(path, "size_percent", (1, LARGEST_CANARY_PERCENT), "a canary is half of the fleet at most")
            case Linear() if not STEP_PERCENT[0] <= rollout.step_percent <= STEP_PERCENT[1]:
                yield _size(path, "step_percent", STEP_PERCENT, "a linear step is a tenth to a half of the fleet")
            case Rolling() if not BATCH_PERCENT[0] <= rollout.batch_percent <= BATCH_PERCENT[1]:
                yield _size(path, "batch_percent", BATCH_PERCENT, "a batch is 5 to 50 % of the instances")
            case _:
                pass


def _size(path: Path, name: str, limits: tuple[int, int], rule: str) -> Finding:
    low, high = limits
    return Finding(
        path=(*path, name),
        message=f"is a size that SageMaker refuses: {rule}",
        allowed=f"{low} to {high}",
        remedy=f"write a number from {low} to {high}",
    )


def check_rollout_timeouts(model: ModelSettings) -> Iterator[Finding]:
    """Refuse an update that SageMaker would give up while it still waits as it was told to."""
    for _, rollout, path in _rollouts(model):
        least = waits_minutes(rollout) + START_MINUTES
        if rollout.timeout_minutes < least:
            yield Finding(
                path=(*path, "timeout_minutes"),
                message=f"is too short: the update waits {waits_minutes(rollout)} minutes by itself, and instances "
                f"need some {START_MINUTES} to start; SageMaker would roll a good version back",
                allowed=f"{least} or more",
                remedy=f"write 'timeout_minutes: {least}', or shorten the steps or the bake",
            )
        elif model.stage == Stage.REPEATABLE and 2 * rollout.timeout_minutes > UPDATE_LIMIT_MINUTES:
            most = UPDATE_LIMIT_MINUTES // 2
            yield Finding(
                path=(*path, "timeout_minutes"),
                message=f"is too long at stage repeatable, whose workflow waits {UPDATE_LIMIT_MINUTES} minutes for an "
                "update and its rollback together",
                allowed=f"{most} or less",
                remedy=f"write 'timeout_minutes: {most}', or move to stage reliable",
            )


def check_rollout_serving(model: ModelSettings) -> Iterator[Finding]:
    """Refuse what deployment guardrails do not cover: SageMaker would move all traffic at once, and say nothing."""
    kind = getattr(model.serving, "type", REAL_TIME)
    for _, rollout, path in _rollouts(model):
        trial = isinstance(rollout, AbTest | Shadow)
        if trial and kind not in _SHARED:
            rule = "variants that share traffic exist on real-time endpoints alone"
            yield _kind(path, rollout, kind, rule, " or ".join(_SHARED))
        elif isinstance(rollout, Shadow) and kind == _PIPELINE:
            rule = "SageMaker has no shadow variants of models with several containers"
            yield _kind(path, rollout, kind, rule, REAL_TIME)
        elif kind not in _GUARDED and not isinstance(rollout, AllAtOnce):
            rule = "deployment guardrails exclude it, and SageMaker would silently move all traffic at once"
            yield _kind(path, rollout, kind, rule, " or ".join(_GUARDED))
        elif kind not in _GUARDED and isinstance(rollout, AllAtOnce) and rollout.preview:
            yield Finding(
                path=(*path, "preview"),
                message=f"has no meaning with serving type {kind}, which has no instances of its own to try out",
                allowed=f"false, or serving type {' or '.join(_GUARDED)}",
                remedy="remove the line",
            )
        yield from _check_labelled_rows(rollout, kind, path)
        yield from _check_instances(model, rollout, path)


def _check_labelled_rows(rollout: Rollout, kind: str, path: Path) -> Iterator[Finding]:
    """Refuse to send rows, which are sent as requests that are answered at once, to an endpoint with a queue."""
    if kind in _SHARED:
        return
    if kind == "asynchronous" and getattr(rollout, "preview", False):
        yield Finding(
            path=(*path, "preview"),
            message="is not there for asynchronous endpoints, whose new version is verified when it has taken over",
            allowed=f"false, or serving type {' or '.join(_SHARED)}",
            remedy="remove the line",
        )
    if "synthetic_requests_per_minute" in rollout.model_fields_set and rollout.synthetic_requests_per_minute > 0:
        yield Finding(
            path=(*path, "synthetic_requests_per_minute"),
            message=f"has no meaning with serving type {kind}: labelled rows are requests that are answered at once",
            allowed=f"0, or serving type {' or '.join(_SHARED)}",
            remedy="remove the line",
        )


def _kind(path: Path, rollout: Rollout, kind: str, rule: str, allowed: str) -> Finding:
    return Finding(
        path=(*path, "type"),
        message=f"is {rollout.type} with serving type {kind}: {rule}",
        allowed=f"all-at-once, or serving type {allowed}",
        remedy="write 'type: all-at-once', or change serving.type",
    )


def _check_instances(model: ModelSettings, rollout: Rollout, path: Path) -> Iterator[Finding]:
    instance_type = getattr(model.serving, "instance_type", None) or ""
    if instance_type.startswith("ml.inf1.") and not isinstance(rollout, AllAtOnce | AbTest):
        yield Finding(
            path=(*path, "type"),
            message=f"is {rollout.type} on {instance_type}: guardrails exclude Inf1 instances, and SageMaker "
            "would silently move all traffic at once",
            allowed="all-at-once, or another instance type",
            remedy="write 'type: all-at-once', or change serving.instance_type",
        )
    count = getattr(model.serving, "instance_count", None)
    if isinstance(rollout, Rolling) and count == 1:
        yield Finding(
            path=(*path, "type"),
            message="is rolling with one instance: a batch is half of the instances at most",
            allowed="rolling with two instances or more",
            remedy="write 'serving.instance_count: 2', or 'type: all-at-once'",
        )


def check_rollout_stage(model: ModelSettings) -> Iterator[Finding]:
    """Refuse what needs the pipeline of stage reliable: a deployment in two steps with a judgement between them."""
    if model.stage != Stage.REPEATABLE:
        return
    for _, rollout, path in _rollouts(model):
        if isinstance(rollout, AbTest | Shadow):
            yield Finding(
                path=(*path, "type"),
                message=f"is {rollout.type}, which needs the pipeline of stage reliable",
                allowed="all-at-once, canary, linear or rolling at stage repeatable",
                remedy="move to stage reliable, or write 'type: canary'",
            )
        elif rollout.preview:
            yield Finding(
                path=(*path, "preview"),
                message="needs the pipeline of stage reliable",
                allowed="false at stage repeatable",
                remedy="remove the line, or move to stage reliable",
            )


def check_shares(model: ModelSettings) -> Iterator[Finding]:
    """Require shares of a test that grow."""
    for _, rollout, path in _rollouts(model):
        if not isinstance(rollout, AbTest):
            continue
        shares = rollout.shares_percent
        for index, (before, share) in enumerate(itertools.pairwise(shares), start=1):
            if share <= before:
                yield Finding(
                    path=(*path, "shares_percent", index),
                    message=f"is not more than the share before it, {before}",
                    allowed="shares that grow, such as [10, 25, 50]",
                    remedy="sort them, and remove what is there twice",
                )


ROLLOUT_RULES: Final[tuple[Callable[[ModelSettings], Iterator[Finding]], ...]] = (
    check_rollout_environments,
    check_rollout_sizes,
    check_rollout_timeouts,
    check_rollout_serving,
    check_rollout_stage,
    check_shares,
)


def check_trial_place(model: ModelSettings, environments: Environments) -> Iterator[Finding]:
    """Require trials where their outcomes can be read: in the account and region of the tools."""
    for environment, rollout, path in _rollouts(model):
        if not isinstance(rollout, AbTest | Shadow):
            continue
        try:
            remote = environments.is_remote(environment)
        except UnknownSettingError:
            continue
        if remote:
            yield Finding(
                path=(*path, "type"),
                message=f"is {rollout.type} in another account or region than the tools, whose workflow would have to "
                "read outcomes and move traffic there",
                allowed="all-at-once, canary, linear or rolling there",
                remedy="write 'type: canary', or run the trial in an environment of the tools' account and region",
            )
