"""Application Auto Scaling of the emulated accounts: once a minute of the emulated clock it looks and acts.

Gap of moto that is closed here: it keeps targets, policies and schedules, and nothing ever happens.
"""

from __future__ import annotations

import threading
import traceback
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from mlops.rehearsal import autoscaling_api, autoscaling_policies, autoscaling_schedules, credentials
from mlops.rehearsal.clock import CLOCK
from mlops.rehearsal.cloudwatch_metrics import METRICS
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase

NOT_REHEARSED: tuple[tuple[str, str], ...] = (
    ("the alarms of target tracking, and the service-linked role", "the policy itself looks at its metric"),
    ("predictive scaling, and targets other than instances of endpoints", "moto keeps them, and nothing happens"),
    ("the refusal of another instance type while a variant is scaled", "UpdateEndpoint does not look at targets"),
    ("how long instances take to start", "they are there when the endpoint is InService again"),
)
_MINUTE = timedelta(minutes=1)
_MINUTE_SECONDS = 60.0
_IDLE_SECONDS = 0.05
_PREDEFINED = "SageMakerVariantInvocationsPerInstance"
_NEVER = float("-inf")


@dataclass(slots=True)
class _Past:
    """When, in emulated seconds, a target was scaled out and in, and to how many instances at last."""

    out: float = _NEVER
    into: float = _NEVER
    capacity: int = 0


@dataclass(slots=True)
class _Watch:
    """One life of the thread that looks."""

    stopped: threading.Event = field(default_factory=threading.Event)
    past: dict[str, _Past] = field(default_factory=dict)


_watch = _Watch()


def install() -> None:
    """Hang the checks into moto."""
    autoscaling_api.install()


def reset() -> None:
    """Begin to look once a minute."""
    global _watch  # noqa: PLW0603 - one emulated AWS at a time
    shutdown()
    autoscaling_api.reset()
    _watch = _Watch()
    threading.Thread(target=_look, args=(_watch,), name="autoscaling", daemon=True).start()


def shutdown() -> None:
    """Look no more."""
    _watch.stopped.set()


def _look(watch: _Watch) -> None:
    while not watch.stopped.is_set():
        if not CLOCK.sleep(_MINUTE_SECONDS):
            watch.stopped.wait(_IDLE_SECONDS)  # the clock begins anew, or stands still until the end
        for backend, target in _targets():
            if watch.stopped.is_set():
                return
            try:
                _act(watch, backend, target)
            except Exception as error:  # noqa: BLE001 - the next target has to be looked at all the same
                text = f"autoscaling of {target.resource_id} failed: {type(error).__name__}: {error}"
                TIMELINE.emit(
                    Kind.LOG, text, Phase.FAILED, source="emulated-aws", traceback="".join(traceback.format_exc())
                )


def _targets() -> Iterator[tuple[Any, Any]]:
    from moto.applicationautoscaling.models import (  # noqa: PLC0415 - moto is imported when the server is there
        applicationautoscaling_backends,
    )

    for regions in list(applicationautoscaling_backends.values()):
        for backend in list(regions.values()):
            for target in list(backend.targets.get(autoscaling_api.DIMENSION, {}).values()):
                yield backend, target


def _act(watch: _Watch, backend: Any, target: Any) -> None:
    endpoint, variant = autoscaling_api.find_variant(backend.account_id, backend.region_name, target.resource_id)
    if endpoint is None or variant is None or endpoint.endpoint_status != "InService":
        return  # nothing is scaled while an endpoint is changed
    _run_schedules(backend, target)
    current = int(variant["CurrentInstanceCount"])
    past = watch.past.setdefault(target.arn, _Past(capacity=current))
    if max(past.out, past.into) > CLOCK.seconds():  # the clock has begun anew
        past = watch.past[target.arn] = _Past(capacity=current)
    wishes = [
        (wanted, policy.policy_name)
        for policy in list(backend.policies.values())
        if policy.resource_id == target.resource_id
        for wanted in [_wanted(backend, policy, current, past)]
        if wanted is not None
    ]
    # Of several policies, the one that wants the most decides; the limits hold whatever is wanted.
    wanted, why = max(wishes, default=(current, ""))
    capacity = min(max(wanted, target.min_capacity), target.max_capacity)
    if capacity != current:
        limits = f"the limits are {target.min_capacity} to {target.max_capacity}"
        cause = f"policy {why}" if why else limits
        past.capacity = _change(backend, target, current, capacity, cause)
        if past.capacity > current:
            past.out = CLOCK.seconds()
        elif past.capacity < current:
            past.into = CLOCK.seconds()


def _run_schedules(backend: Any, target: Any) -> None:
    now = CLOCK.now()
    for action in list(backend.scheduled_actions):
        if action.resource_id != target.resource_id:
            continue
        due = autoscaling_schedules.next_time(
            action.schedule, action.looked_at, began=action.began, timezone=action.timezone or "UTC"
        )
        action.looked_at = now
        if due is not None and due <= now:
            limits = action.scalable_target_action
            target.update(limits.get("MinCapacity"), limits.get("MaxCapacity"), None)
            _tell(target, f"{action.scheduled_action_name}: {target.min_capacity} to {target.max_capacity} instances")


def _wanted(backend: Any, policy: Any, current: int, past: _Past) -> int | None:
    tracking, steps = policy.target_tracking_scaling_policy_configuration, policy.step_scaling_policy_configuration
    now = CLOCK.seconds()
    if tracking:
        wanted = autoscaling_policies.tracked(
            _measured(backend, policy, tracking),
            target=float(tracking["TargetValue"]),
            current=current,
            scale_in=not tracking.get("DisableScaleIn", False),
        )
        if wanted is None or wanted == current:
            return None
        if wanted > current:
            cooling = now < past.out + float(tracking.get("ScaleOutCooldown", 300))
            return wanted if not cooling or wanted > past.capacity else None
        cooling = now < max(past.out, past.into) + float(tracking.get("ScaleInCooldown", 300))
        return None if cooling else wanted
    excess = _excess(backend, policy.policy_arn)
    if excess is None or now < max(past.out, past.into) + float(steps.get("Cooldown", 0)):
        return None
    return autoscaling_policies.stepped(steps, excess=excess, current=current)


def _measured(backend: Any, policy: Any, tracking: dict[str, Any]) -> list[float | None]:
    """Return the metric of a policy for each of the last full minutes, the latest last."""
    custom = tracking.get("CustomizedMetricSpecification")
    endpoint, variant = autoscaling_api.variant_of(policy.resource_id)
    if custom is None:
        name, namespace, statistic = _PREDEFINED.removeprefix("SageMakerVariant"), "AWS/SageMaker", "Sum"
        dimensions = {"EndpointName": endpoint, "VariantName": variant}
    else:
        name, namespace, statistic = custom["MetricName"], custom["Namespace"], custom["Statistic"]
        dimensions = {one["Name"]: one["Value"] for one in custom.get("Dimensions", ())}
    last = CLOCK.now().replace(second=0, microsecond=0)
    found = [
        METRICS.statistic(
            backend.account_id, backend.region_name, namespace, name, dimensions, statistic,
            start=last - minutes * _MINUTE, end=last - (minutes - 1) * _MINUTE,
        )
        for minutes in range(autoscaling_policies.IN_MINUTES, 0, -1)
    ]  # fmt: skip
    # SageMaker publishes zeros for a variant that nobody calls, so that it is scaled in.
    return [each if each is not None or custom is not None else 0.0 for each in found]


def _excess(backend: Any, policy_arn: str) -> float | None:
    """Return how far the metric of the alarm that runs a policy is above its threshold; None while none is on."""
    from moto.cloudwatch.models import cloudwatch_backends  # noqa: PLC0415 - moto is imported when the server is there

    alarms: list[Any] = list(cloudwatch_backends[backend.account_id][backend.region_name].alarms.values())
    for alarm in alarms:
        specification = alarm.kept.specification
        if policy_arn not in (specification.get("AlarmActions") or ()) or str(alarm.kept.state.value) != "ALARM":
            continue
        dimensions = {one["Name"]: one["Value"] for one in specification.get("Dimensions") or ()}
        end = CLOCK.now()
        value = METRICS.statistic(
            backend.account_id, backend.region_name, specification["Namespace"], specification["MetricName"],
            dimensions, specification["Statistic"], start=end - 2 * _MINUTE, end=end,
        )  # fmt: skip
        threshold = float(specification["Threshold"])
        return (threshold if value is None else value) - threshold
    return None


def _change(backend: Any, target: Any, current: int, capacity: int, why: str) -> int:
    """Change the number of instances, and return the one that is wanted from now on."""
    endpoint, variant = autoscaling_api.variant_of(target.resource_id)
    sagemaker = credentials.client("sagemaker", account=backend.account_id, region=backend.region_name)
    began, failure = CLOCK.now(), ""
    wish = {"VariantName": variant, "DesiredInstanceCount": capacity}
    try:
        sagemaker.update_endpoint_weights_and_capacities(EndpointName=endpoint, DesiredWeightsAndCapacities=[wish])
    except (ClientError, BotoCoreError) as error:
        failure = str(error)
    autoscaling_api.record(backend, _activity(target, began, capacity, why, failure))
    _tell(target, f"{current} to {capacity} instances: {failure or why}", failed=bool(failure))
    return current if failure else capacity


def _activity(target: Any, began: datetime, capacity: int, why: str, failure: str) -> dict[str, Any]:
    return {
        "ActivityId": str(uuid.uuid4()),
        "ServiceNamespace": target.service_namespace,
        "ResourceId": target.resource_id,
        "ScalableDimension": target.scalable_dimension,
        "Description": f"Setting desired instance count to {capacity}.",
        "Cause": why,
        "StartTime": began,
        "EndTime": CLOCK.now(),
        "StatusCode": "Failed" if failure else "Successful",
        "StatusMessage": failure or f"Successfully set desired instance count to {capacity}.",
    }


def _tell(target: Any, text: str, *, failed: bool = False) -> None:
    TIMELINE.emit(Kind.LOG, f"autoscaling: {text}", Phase.FAILED if failed else Phase.INFO, source=target.resource_id)
