"""The API of the emulated Application Auto Scaling, for the instances of endpoints.

Gaps of moto that are closed here: anything can be registered, endpoint or not; limits may be upside down; a policy gets
another ARN when it is put again, so that alarms lose it; a target keeps its policies and schedules when it goes; and
what was done is not told.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any, NoReturn

from mlops.rehearsal import sagemaker_api
from mlops.rehearsal.clock import CLOCK

DIMENSION = "sagemaker:variant:DesiredInstanceCount"
Function = Callable[..., Any]

_lock = threading.Lock()
_activities: dict[tuple[str, str], list[dict[str, Any]]] = {}


def install() -> None:
    """Hang the checks into moto."""
    from moto.applicationautoscaling.models import (  # noqa: PLC0415 - moto is imported when the server is there
        ApplicationAutoscalingBackend as Backend,
    )
    from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse  # noqa: PLC0415 - as above

    sagemaker_api.patch(
        Backend,
        register_scalable_target=_registering(Backend.register_scalable_target),
        put_scaling_policy=_putting(Backend.put_scaling_policy),
        put_scheduled_action=_scheduling(Backend.put_scheduled_action),
        deregister_scalable_target=_deregistering(Backend.deregister_scalable_target),
    )
    sagemaker_api.patch(ApplicationAutoScalingResponse, describe_scaling_activities=_describe_activities)


def _registering(register_in_moto: Function) -> Function:
    def register_scalable_target(self: Any, namespace: str, r_id: str, dimension: str, **options: Any) -> Any:
        known = self.targets.get(dimension, {}).get(r_id)
        _check_variant(self, r_id, dimension)
        least = _given(options["min_capacity"], known and known.min_capacity)
        most = _given(options["max_capacity"], known and known.max_capacity)
        if least is None or most is None:
            refuse("Both MinCapacity and MaxCapacity must be given for a new scalable target")
        if least > most:
            refuse("Maximum capacity cannot be less than minimum capacity")
        return register_in_moto(self, namespace, r_id, dimension, **options)

    return register_scalable_target


def _putting(put_in_moto: Function) -> Function:
    def put_scaling_policy(self: Any, **options: Any) -> Any:
        _check_registered(self, options["resource_id"], options["scalable_dimension"])
        before = next((one for one in self.policies.values() if _same(one, options)), None)
        policy = put_in_moto(self, **options)
        if before is not None:
            policy.policy_arn, policy.creation_time = before.policy_arn, before.creation_time
        return policy

    return put_scaling_policy


def _scheduling(schedule_in_moto: Function) -> Function:
    def put_scheduled_action(self: Any, **options: Any) -> None:
        _check_registered(self, options["resource_id"], options["scalable_dimension"])
        schedule_in_moto(self, **options)
        for action in self.scheduled_actions:
            if action.scheduled_action_name == options["scheduled_action_name"] or not hasattr(action, "began"):
                action.began = action.looked_at = CLOCK.now()

    return put_scheduled_action


def _deregistering(deregister_in_moto: Function) -> Function:
    def deregister_scalable_target(self: Any, namespace: str, r_id: str, dimension: str) -> None:
        deregister_in_moto(self, namespace, r_id, dimension)
        place = (r_id, dimension)
        self.policies = {
            key: one for key, one in self.policies.items() if (one.resource_id, one.scalable_dimension) != place
        }
        self.scheduled_actions = [
            one for one in self.scheduled_actions if (one.resource_id, one.scalable_dimension) != place
        ]

    return deregister_scalable_target


def _describe_activities(self: Any) -> str:
    wanted = self._get_param("ResourceId")
    found = [one for one in activities(self.applicationautoscaling_backend) if wanted in (None, one["ResourceId"])]
    return json.dumps({"ScalingActivities": [_written(one) for one in reversed(found)]})


def reset() -> None:
    """Forget what was done."""
    with _lock:
        _activities.clear()


def record(backend: Any, activity: dict[str, Any]) -> None:
    """Keep what was done, for DescribeScalingActivities."""
    with _lock:
        _activities.setdefault((backend.account_id, backend.region_name), []).append(activity)


def activities(backend: Any) -> list[dict[str, Any]]:
    """Return what was done in an account and region, the earliest first."""
    with _lock:
        return list(_activities.get((backend.account_id, backend.region_name), ()))


def variant_of(resource_id: str) -> tuple[str, str]:
    """Return endpoint and variant of a resource id."""
    _, endpoint, _, variant = resource_id.split("/")
    return endpoint, variant


def find_variant(account: str, region: str, resource_id: str) -> tuple[Any, dict[str, Any] | None]:
    """Return moto's endpoint and the variant as it is described; None for one that is not there."""
    from moto.sagemaker.models import sagemaker_backends  # noqa: PLC0415 - moto is imported when the server is there

    name, variant = variant_of(resource_id)
    endpoint = sagemaker_backends[account][region].endpoints.get(name)
    described = (endpoint.production_variants or ()) if endpoint is not None else ()
    return endpoint, next((one for one in described if one["VariantName"] == variant), None)


def refuse(message: str, code: str = "ValidationException") -> NoReturn:
    """Answer with an error of the service."""
    from moto.core.exceptions import JsonRESTError  # noqa: PLC0415 - moto is imported when the server is there

    raise JsonRESTError(code, message)


def _check_variant(backend: Any, resource_id: str, dimension: str) -> None:
    if dimension != DIMENSION:
        return
    _, variant = find_variant(backend.account_id, backend.region_name, resource_id)
    if variant is None:
        refuse(f"No SageMaker endpoint variant found for resource ID: {resource_id}")
    if "CurrentInstanceCount" not in variant:
        refuse(f"The variant {resource_id} is serverless: it has no instances")


def _check_registered(backend: Any, resource_id: str, dimension: str) -> None:
    if resource_id not in backend.targets.get(dimension, {}):
        message = (
            f"No scalable target registered for service namespace: sagemaker, resource ID: {resource_id}, "
            f"scalable dimension: {dimension}"
        )
        refuse(message, "ObjectNotFoundException")


def _same(policy: Any, options: dict[str, Any]) -> bool:
    names = ("policy_name", "service_namespace", "resource_id", "scalable_dimension")
    return all(getattr(policy, name) == options[name] for name in names)


def _given(value: int | None, otherwise: int | None) -> int | None:
    return otherwise if value is None else value


def _written(activity: dict[str, Any]) -> dict[str, Any]:
    return {name: one.timestamp() if isinstance(one, datetime) else one for name, one in activity.items()}
