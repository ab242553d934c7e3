"""Resource types of Application Auto Scaling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from mlops.rehearsal.cloudformation_resource import Call, Made, Properties, ResourceType, pick

_PLACE = ("ServiceNamespace", "ResourceId", "ScalableDimension")


class ScalableTarget(ResourceType):
    """The limits between which something is scaled, and when they change."""

    type_name = "AWS::ApplicationAutoScaling::ScalableTarget"
    properties = frozenset({*_PLACE, "MinCapacity", "MaxCapacity", "ScheduledActions"})
    recorded: ClassVar[Mapping[str, str]] = {"Tags": "moto keeps no tags of scalable targets"}

    def create(self, call: Call, properties: Properties) -> Made:
        """Register the target; its Ref is its resource, dimension and namespace."""
        place = pick(properties, *_PLACE)
        made = Made("|".join(place[name] for name in ("ResourceId", "ScalableDimension", "ServiceNamespace")))
        self._register(call, properties)
        call.begun(made)
        self._schedule(call, {}, properties)
        return made

    @staticmethod
    def _register(call: Call, properties: Properties) -> None:
        limits = {name: int(properties[name]) for name in ("MinCapacity", "MaxCapacity")}
        call.client("application-autoscaling").register_scalable_target(**pick(properties, *_PLACE), **limits)

    @staticmethod
    def _schedule(call: Call, before: Properties, after: Properties) -> None:
        client = call.client("application-autoscaling")
        place = pick(after, *_PLACE)
        wanted: dict[str, Any] = {one["ScheduledActionName"]: one for one in after.get("ScheduledActions", [])}
        for one in before.get("ScheduledActions", []):
            if one["ScheduledActionName"] not in wanted:
                client.delete_scheduled_action(**place, ScheduledActionName=one["ScheduledActionName"])
        for name, one in wanted.items():
            limits = {key: int(value) for key, value in one.get("ScalableTargetAction", {}).items()}
            given = pick(one, "Schedule", "Timezone", "StartTime", "EndTime")
            client.put_scheduled_action(**place, ScheduledActionName=name, **given, ScalableTargetAction=limits)

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:
        """Register it again, with other limits or schedules."""
        self._register(call, after)
        self._schedule(call, before, after)
        return made

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002 - its place is enough
        """Deregister it."""
        call.client("application-autoscaling").deregister_scalable_target(**pick(properties, *_PLACE))


class ScalingPolicy(ResourceType):
    """What moves a target between its limits."""

    type_name = "AWS::ApplicationAutoScaling::ScalingPolicy"
    name_property = "PolicyName"
    properties = frozenset(
        {
            *_PLACE,
            "PolicyName",
            "PolicyType",
            "ScalingTargetId",
            "TargetTrackingScalingPolicyConfiguration",
            "StepScalingPolicyConfiguration",
        }
    )

    def create(self, call: Call, properties: Properties) -> Made:
        """Put the policy; its Ref is its ARN."""
        given = pick(
            properties, "PolicyType", "TargetTrackingScalingPolicyConfiguration", "StepScalingPolicyConfiguration"
        )
        client = call.client("application-autoscaling")
        arn = client.put_scaling_policy(PolicyName=call.name, **_place(properties), **given)["PolicyARN"]
        return Made(arn, {"Arn": arn, "PolicyName": call.name})

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:  # noqa: ARG002
        """Put it again."""
        return self.create(call, after)

    def delete(self, call: Call, made: Made, properties: Properties) -> None:
        """Delete it."""
        call.client("application-autoscaling").delete_scaling_policy(
            PolicyName=made.attributes["PolicyName"], **_place(properties)
        )


def _place(properties: Properties) -> dict[str, str]:
    if "ScalingTargetId" not in properties:
        return pick(properties, *_PLACE)
    resource, dimension, namespace = properties["ScalingTargetId"].split("|")
    return {"ResourceId": resource, "ScalableDimension": dimension, "ServiceNamespace": namespace}
