"""Resource types of CloudWatch."""

from __future__ import annotations

from typing import ClassVar

from mlops.rehearsal.cloudformation_resource import Call, Made, Properties, ResourceType


class _PutByName(ResourceType):
    """A CloudWatch resource that one Put call makes and changes."""

    put: ClassVar[str]
    kind: ClassVar[str]

    def create(self, call: Call, properties: Properties) -> Made:
        """Put it."""
        return self._put(call, call.name, properties)

    def _put(self, call: Call, name: str, properties: Properties) -> Made:
        getattr(call.client("cloudwatch"), self.put)(**{**properties, str(self.name_property): name})
        return Made(name, {"Arn": call.arn("cloudwatch", f"{self.kind}:{name}", regional=self.kind != "dashboard")})

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:  # noqa: ARG002
        """Put it again."""
        return self._put(call, made.physical_id, after)


class Alarm(_PutByName):
    """A metric alarm."""

    type_name = "AWS::CloudWatch::Alarm"
    name_property = "AlarmName"
    properties = frozenset(
        {
            "AlarmName",
            "AlarmDescription",
            "ActionsEnabled",
            "OKActions",
            "AlarmActions",
            "InsufficientDataActions",
            "MetricName",
            "Namespace",
            "Statistic",
            "ExtendedStatistic",
            "Dimensions",
            "Period",
            "Unit",
            "EvaluationPeriods",
            "DatapointsToAlarm",
            "Threshold",
            "ComparisonOperator",
            "TreatMissingData",
            "EvaluateLowSampleCountPercentile",
            "Metrics",
            "ThresholdMetricId",
            "Tags",
        }
    )
    put, kind = "put_metric_alarm", "alarm"

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Delete the alarm."""
        call.client("cloudwatch").delete_alarms(AlarmNames=[made.physical_id])


class CompositeAlarm(_PutByName):
    """An alarm on other alarms."""

    type_name = "AWS::CloudWatch::CompositeAlarm"
    name_property = "AlarmName"
    properties = frozenset(
        {
            "AlarmName",
            "AlarmDescription",
            "AlarmRule",
            "ActionsEnabled",
            "OKActions",
            "AlarmActions",
            "InsufficientDataActions",
            "ActionsSuppressor",
            "Tags",
            "ActionsSuppressorExtensionPeriod",
            "ActionsSuppressorWaitPeriod",
        }
    )
    put, kind = "put_composite_alarm", "alarm"

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Delete the alarm."""
        call.client("cloudwatch").delete_alarms(AlarmNames=[made.physical_id])


class Dashboard(_PutByName):
    """A dashboard."""

    type_name = "AWS::CloudWatch::Dashboard"
    name_property = "DashboardName"
    properties = frozenset({"DashboardName", "DashboardBody"})
    put, kind = "put_dashboard", "dashboard"

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Delete the dashboard."""
        call.client("cloudwatch").delete_dashboards(DashboardNames=[made.physical_id])
