"""How many instances an endpoint has: as many as requests or queue need, and as the clock says.

Application Auto Scaling looks at the metrics and changes the variant `live`; its own service-linked role does it.
Sources: "Automatic scaling of SageMaker AI models" and "Autoscale an asynchronous endpoint" of the SageMaker developer
guide; the step policy for an endpoint without instances and its alarm are those of the latter.
"""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnCondition, CfnResource
from aws_cdk import aws_applicationautoscaling as scaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from mlops_constructs.endpoint_variants import is_scaled
from mlops_constructs.settings import Asynchronous, RealTime, Serving
from mlops_constructs.settings.serving import VARIANT, Autoscaling, BacklogAutoscaling

DIMENSION = "sagemaker:variant:DesiredInstanceCount"
BACKLOG, WITHOUT_CAPACITY = "ApproximateBacklogSizePerInstance", "HasBacklogWithoutCapacity"
_NAMESPACE = "sagemaker"
_MINUTE, _WAKING_SECONDS = 60, 300


def scale(
    scope: Construct, *, endpoint: sagemaker.CfnEndpoint, name: str, settings: Serving, exists: CfnCondition
) -> VariantScaling | None:
    """Let the number of instances of the endpoint `name` follow its settings; None where they fix the number."""
    if not is_scaled(settings) or not isinstance(settings, RealTime | Asynchronous):
        return None
    return VariantScaling(scope, "Scaling", endpoint=endpoint, name=name, settings=settings, exists=exists)


class VariantScaling(Construct):
    """The limits of the variant `live`, and what moves it between them."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        endpoint: sagemaker.CfnEndpoint,
        name: str,
        settings: RealTime | Asynchronous,
        exists: CfnCondition,
    ) -> None:
        """Scale the endpoint `name` while it `exists`."""
        super().__init__(scope, construct_id)
        self._name, self._exists, self._settings = name, exists, settings
        self.target = self._target(endpoint)
        self.policy = self._policy()
        self.alarm: cloudwatch.CfnAlarm | None = None
        if settings.autoscaling is not None and settings.autoscaling.minimum == 0:
            self.alarm = self._wake()

    def _target(self, endpoint: sagemaker.CfnEndpoint) -> scaling.CfnScalableTarget:
        limits, count = self._settings.autoscaling, self._settings.instance_count
        target = scaling.CfnScalableTarget(
            self,
            "Target",
            service_namespace=_NAMESPACE,
            scalable_dimension=DIMENSION,
            resource_id=f"endpoint/{self._name}/variant/{VARIANT}",
            min_capacity=limits.minimum if limits else count,
            max_capacity=limits.maximum if limits else count,
            scheduled_actions=self._scheduled() or None,
        )
        target.add_resource_dependency(endpoint)
        self._while_it_exists(target)
        return target

    def _scheduled(self) -> list[scaling.CfnScalableTarget.ScheduledActionProperty]:
        schedules = self._settings.schedules if isinstance(self._settings, RealTime) else ()
        return [
            scaling.CfnScalableTarget.ScheduledActionProperty(
                scheduled_action_name=f"schedule-{number}",
                schedule=each.cron,
                timezone=each.timezone,
                scalable_target_action=scaling.CfnScalableTarget.ScalableTargetActionProperty(
                    min_capacity=each.minimum, max_capacity=each.maximum
                ),
            )
            for number, each in enumerate(schedules, start=1)
        ]

    def _policy(self) -> scaling.CfnScalingPolicy | None:
        limits = self._settings.autoscaling
        if limits is None:
            return None
        policy = scaling.CfnScalingPolicy(
            self,
            "Policy",
            policy_name=f"{self._name}-load",
            policy_type="TargetTrackingScaling",
            scaling_target_id=self.target.ref,
            target_tracking_scaling_policy_configuration=self._tracking(limits),
        )
        self._while_it_exists(policy)
        return policy

    def _tracking(
        self, limits: Autoscaling | BacklogAutoscaling
    ) -> scaling.CfnScalingPolicy.TargetTrackingScalingPolicyConfigurationProperty:
        tracking = scaling.CfnScalingPolicy.TargetTrackingScalingPolicyConfigurationProperty
        cooldowns: dict[str, Any] = {
            "scale_in_cooldown": limits.scale_in_cooldown_seconds,
            "scale_out_cooldown": limits.scale_out_cooldown_seconds,
        }
        if isinstance(limits, Autoscaling):
            requests = scaling.CfnScalingPolicy.PredefinedMetricSpecificationProperty(
                predefined_metric_type="SageMakerVariantInvocationsPerInstance"
            )
            return tracking(
                target_value=limits.invocations_per_instance, predefined_metric_specification=requests, **cooldowns
            )
        dimension = scaling.CfnScalingPolicy.MetricDimensionProperty(name="EndpointName", value=self._name)
        queue = scaling.CfnScalingPolicy.CustomizedMetricSpecificationProperty(
            namespace="AWS/SageMaker", metric_name=BACKLOG, statistic="Average", dimensions=[dimension]
        )
        return tracking(target_value=limits.backlog_per_instance, customized_metric_specification=queue, **cooldowns)

    def _wake(self) -> cloudwatch.CfnAlarm:
        """Start an instance when something waits and there is none: the backlog per instance says nothing then."""
        step = scaling.CfnScalingPolicy.StepAdjustmentProperty(scaling_adjustment=1, metric_interval_lower_bound=0)
        policy = scaling.CfnScalingPolicy(
            self,
            "Wake",
            policy_name=f"{self._name}-wake",
            policy_type="StepScaling",
            scaling_target_id=self.target.ref,
            step_scaling_policy_configuration=scaling.CfnScalingPolicy.StepScalingPolicyConfigurationProperty(
                adjustment_type="ChangeInCapacity",
                metric_aggregation_type="Average",
                cooldown=_WAKING_SECONDS,
                step_adjustments=[step],
            ),
        )
        alarm = cloudwatch.CfnAlarm(
            self,
            "Waiting",
            alarm_name=f"{self._name}-backlog-without-capacity",
            alarm_description=f"Requests wait at {self._name}, which has no instance: one is started",
            namespace="AWS/SageMaker",
            metric_name=WITHOUT_CAPACITY,
            dimensions=[cloudwatch.CfnAlarm.DimensionProperty(name="EndpointName", value=self._name)],
            statistic="Average",
            period=_MINUTE,
            evaluation_periods=2,
            datapoints_to_alarm=2,
            threshold=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            treat_missing_data="missing",
            alarm_actions=[policy.ref],
        )
        for resource in (policy, alarm):
            self._while_it_exists(resource)
        return alarm

    def _while_it_exists(self, resource: CfnResource) -> None:
        resource.cfn_options.condition = self._exists
