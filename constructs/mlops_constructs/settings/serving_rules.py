"""What a way of serving must satisfy: what SageMaker, or Application Auto Scaling, refuses is an error here.

Sources, SageMaker AI Developer Guide: "Scale an endpoint to zero instances" (inference components alone can; meanwhile
every request is an error), "Automatic scaling of SageMaker AI models" (not for burstable instances), "Autoscale an
asynchronous endpoint" (zero is possible), "Feature exclusions" of serverless inference (no VPC, no network isolation),
"Deploy to multiple instance types with instance pools". Application Auto Scaling User Guide: "Scheduled scaling".
"""

from __future__ import annotations

import contextlib
import zoneinfo
from functools import cache
from typing import TYPE_CHECKING, Final

from mlops_constructs.settings.findings import repeated
from mlops_constructs.settings.network_rules import network_of
from mlops_constructs.settings.problems import Finding
from mlops_constructs.settings.schedule import misfit
from mlops_constructs.settings.section import UnknownSettingError
from mlops_constructs.settings.serving import Asynchronous, RealTime, Serverless
from mlops_constructs.settings.xgboost_hyperparameters import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlops_constructs.settings.environments import EnvironmentName, Environments
    from mlops_constructs.settings.model import ModelSettings
    from mlops_constructs.settings.problems import Path
    from mlops_constructs.settings.serving import Autoscaling, BacklogAutoscaling, CapacitySchedule

_SERVING: Final = "serving"
_AUTOSCALING: Final = (_SERVING, "autoscaling")
_BURSTABLE: Final = ("ml.t2.", "ml.t3.")
_TO_ZERO: Final = (
    "is none: at real-time endpoints only inference components can go to zero, which deployment guardrails do not "
    "cover, and while there is no instance every request fails for minutes"
)
_WITHOUT_ZERO: Final = "write 1; for none while nobody asks, 'type: serverless', or 'type: asynchronous' with a queue"


def check_serving_instances(model: ModelSettings) -> Iterator[Finding]:
    """Require an instance type or a list of them, and not both."""
    serving = model.serving
    if not isinstance(serving, RealTime | Asynchronous):
        return
    single, pools = serving.instance_type, serving.instance_pools
    allowed = "one of the two, 'instance_type' and 'instance_pools'"
    if single is None and not pools:
        path, message = (_SERVING, "instance_type"), "is missing, and so is instance_pools"
        yield Finding(
            path=path, message=message, allowed=allowed, remedy="add a line such as 'instance_type: ml.m5.large'"
        )
    elif single is not None and pools:
        message, remedy = "is there besides instance_type", "remove one of the two; the first of the list is preferred"
        yield Finding(path=(_SERVING, "instance_pools"), message=message, allowed=allowed, remedy=remedy)
    yield from repeated(pools, (_SERVING, "instance_pools"))


def check_autoscaling(model: ModelSettings) -> Iterator[Finding]:
    """Require limits between which the endpoint can begin, and zero only where requests wait in a queue."""
    serving = model.serving
    if not isinstance(serving, RealTime | Asynchronous) or serving.autoscaling is None:
        return
    scaling = serving.autoscaling
    yield from _limits(scaling, _AUTOSCALING, to_zero=isinstance(serving, Asynchronous))
    count, least, most = serving.instance_count, scaling.minimum, scaling.maximum
    if least <= most and most > 0 and not least <= count <= most:
        yield Finding(
            path=(_SERVING, "instance_count"),
            message=f"is {count}, which autoscaling would change at once",
            allowed=f"{max(least, 1)} to {most}, the limits of autoscaling",
            remedy=f"write 'instance_count: {max(least, 1)}'",
        )


def _limits(
    limits: Autoscaling | BacklogAutoscaling | CapacitySchedule, path: Path, *, to_zero: bool
) -> Iterator[Finding]:
    least, most = limits.minimum, limits.maximum
    if least == 0 and not to_zero:
        yield Finding(path=(*path, "minimum"), message=_TO_ZERO, allowed="1 or more", remedy=_WITHOUT_ZERO)
    if most == 0:
        message, remedy = "is none: nothing could ever be answered", "write how many instances there may be"
        yield Finding(path=(*path, "maximum"), message=message, allowed="1 or more", remedy=remedy)
    elif most < least:
        message, remedy = f"is less than the minimum, {least}", f"write {least} or more"
        yield Finding(path=(*path, "maximum"), message=message, allowed=f"{least} or more", remedy=remedy)


def check_scaled_instances(model: ModelSettings) -> Iterator[Finding]:
    """Refuse to scale burstable instances: they meet a higher load by bursting, so their number says nothing."""
    serving = model.serving
    if not isinstance(serving, RealTime | Asynchronous):
        return
    if serving.autoscaling is None and not getattr(serving, "schedules", ()):
        return
    for each in serving.instance_types:
        if each.startswith(_BURSTABLE):
            path = (_SERVING, "instance_type") if serving.instance_type else (_SERVING, "instance_pools")
            yield Finding(
                path=path,
                message=f"has {each}, a burstable type, which SageMaker does not scale",
                allowed="types that are not burstable, such as ml.m5.large",
                remedy="choose another type, or remove autoscaling and schedules",
            )


def check_capacity_schedules(model: ModelSettings) -> Iterator[Finding]:
    """Require times that Application Auto Scaling knows, and limits that leave an instance."""
    serving = model.serving
    if not isinstance(serving, RealTime):
        return
    for index, schedule in enumerate(serving.schedules):
        path = (_SERVING, "schedules", index)
        wrong = misfit(schedule.cron)
        if wrong is not None:
            yield Finding(path=(*path, "cron"), message=wrong.message, allowed=wrong.allowed, remedy=wrong.remedy)
        zones = _time_zones()
        if zones and schedule.timezone not in zones:
            near = nearest(schedule.timezone, sorted(zones))
            remedy = f"did you mean {near}?" if near else "write such as Europe/Berlin"
            allowed = "a name of the IANA time zone database, such as Europe/Berlin or UTC"
            yield Finding(path=(*path, "timezone"), message="is not a time zone", allowed=allowed, remedy=remedy)
        yield from _limits(schedule, path, to_zero=False)
        for before in serving.schedules[:index]:
            if (before.cron, before.timezone) == (schedule.cron, schedule.timezone):
                message, allowed = "is the time of another schedule too", "one schedule at a time"
                yield Finding(path=(*path, "cron"), message=message, allowed=allowed, remedy="remove one of the two")
                break


@cache
def _time_zones() -> frozenset[str]:
    """Name the time zones that this machine knows; none where it has no database of them."""
    return frozenset(zoneinfo.available_timezones())


def check_concurrency(model: ModelSettings) -> Iterator[Finding]:
    """Refuse to provision more than may run at once."""
    serving = model.serving
    if not isinstance(serving, Serverless) or serving.provisioned_concurrency is None:
        return
    if serving.provisioned_concurrency > serving.max_concurrency:
        yield Finding(
            path=(_SERVING, "provisioned_concurrency"),
            message=f"is more than max_concurrency, {serving.max_concurrency}",
            allowed=f"1 to {serving.max_concurrency}",
            remedy=f"write {serving.max_concurrency} or less, or raise max_concurrency",
        )


SERVING_RULES: Final[tuple[Callable[[ModelSettings], Iterator[Finding]], ...]] = (
    check_serving_instances,
    check_autoscaling,
    check_scaled_instances,
    check_capacity_schedules,
    check_concurrency,
)


def check_serverless_place(model: ModelSettings, environments: Environments) -> Iterator[Finding]:
    """Refuse serverless endpoints where everything has to stand in a network of one's own."""
    if not isinstance(model.serving, Serverless):
        return
    places = _those(model, lambda each: _has_network(environments, each))
    if places:
        yield Finding(
            path=(_SERVING, "type"),
            message=f"is serverless, which SageMaker cannot run in the private network of {places}",
            allowed="real-time or asynchronous in an environment with a network",
            remedy="write 'type: real-time', or remove the network from environments.yaml",
        )


def _has_network(environments: Environments, target: EnvironmentName) -> bool:
    place = getattr(environments, target)
    return network_of(environments, place.account, place.region) is not None


def check_asynchronous_place(model: ModelSettings, environments: Environments) -> Iterator[Finding]:
    """Require asynchronous endpoints beside the bucket that their requests and answers are in."""
    if not isinstance(model.serving, Asynchronous):
        return
    places = _those(model, environments.is_remote)
    if places:
        yield Finding(
            path=(_SERVING, "type"),
            message="is asynchronous, whose requests and answers are in the bucket of the tools; endpoints of another "
            f"account or region may not write there, as those of {places}",
            allowed="environments in the account and region of the tools for asynchronous serving",
            remedy=f"write 'type: real-time' or 'type: serverless', or leave {places} out of deploy.environments",
        )


def _those(model: ModelSettings, holds: Callable[[EnvironmentName], bool]) -> str:
    """Name the environments of the model of which something is known to hold."""
    found: list[str] = []
    for target in model.deploy.environments:
        with contextlib.suppress(UnknownSettingError):
            found += [target] if holds(target) else []
    return ", ".join(found)


SERVING_TARGET_RULES: Final[tuple[Callable[[ModelSettings, Environments], Iterator[Finding]], ...]] = (
    check_serverless_place,
    check_asynchronous_place,
)
