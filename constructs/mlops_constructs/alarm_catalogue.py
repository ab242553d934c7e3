"""The alarms of an endpoint, all of them in one place: each is watched always, and rolls a deployment back.

Metrics of SageMaker: https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html; those of asynchronous
endpoints are others: https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-monitor.html. The product's own
have the namespace `MLOps`: the API publishes them, and the bake of a deployment.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sns as sns
from constructs import Construct

from mlops_constructs.settings import Alarms
from mlops_constructs.settings.alarms import Limits

SAGEMAKER: Final = "AWS/SageMaker"
OWN: Final = "MLOps"
MOST_ROLLBACK_ALARMS: Final = 10
"""AutoRollbackConfiguration takes no more."""
ABOVE, BELOW = "GreaterThanThreshold", "LessThanThreshold"
_MINUTE, _FIVE_MINUTES, _HOUR = 60, 300, 3600


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric over all requests: `statistic` is a CloudWatch statistic or a percentile such as p99."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    statistic: str
    period: int
    unit: str | None = None


@dataclass(frozen=True, kw_only=True)
class EndpointAlarm:
    """One alarm: `metrics` has one metric, or several that `expression` combines by their ids."""

    name: str
    description: str
    metrics: Mapping[str, Metric]
    expression: str | None = None
    threshold: float
    comparison: str = ABOVE
    periods: int = 1
    datapoints: int = 1
    missing: str = "notBreaching"
    """No requests are no failure; only where silence is the failure it is "breaching"."""


@dataclass(frozen=True, kw_only=True)
class AlarmCatalogue:
    """What can be watched of one variant of an endpoint.

    `api` says whether the environment has the API, which publishes metrics of its own; `synthetic` whether labelled
    rows are sent while the endpoint is updated; `asynchronous` whether it is an asynchronous endpoint.
    """

    endpoint: str
    variant: str
    model: str
    environment: str
    limits: Alarms
    api: bool = False
    synthetic: bool = False
    asynchronous: bool = False
    configuration: str | None = None
    """The configuration that is asked for. With it, errors and latency are those of the instances that serve it: while
    an update moves a tenth of the traffic, the other nine tenths would hide what the new instances do ("Monitor model
    latency on new fleet" of https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-configuration.html).
    """

    def alarms(self) -> list[EndpointAlarm]:
        """Return every alarm that the limits ask for."""
        found = list(self._of_endpoint())
        if self.synthetic:
            found.append(self._wrong_answers())
        if self.api:
            found += self._of_api()
        return found

    def _of_endpoint(self) -> Iterator[EndpointAlarm]:
        limits = self.limits
        yield self._share("server-errors", "fail", limits.error_rate_percent, self._failed())
        yield EndpointAlarm(
            name="model-errors",
            description=f"The model of {self.endpoint} failed over {limits.model_errors} times in 5 minutes",
            metrics={"value": self._sagemaker("InvocationModelErrors", "Sum", _FIVE_MINUTES)},
            threshold=limits.model_errors,
        )
        yield self._latency("model-latency", "The model of", "ModelLatency", limits.latency_ms)
        if limits.client_error_percent is not None:
            yield self._share("client-errors", "are refused", limits.client_error_percent, "Invocation4XXErrors")
        if limits.overhead_latency_ms is not None and not self.asynchronous:
            yield self._latency("overhead-latency", "SageMaker before", "OverheadLatency", limits.overhead_latency_ms)
        if limits.silent_minutes is not None:
            yield EndpointAlarm(
                name="invocations-missing",
                description=f"Nobody called {self.endpoint} for {limits.silent_minutes} minutes",
                metrics={"value": self._of_all_instances(self._requests())},
                threshold=1,
                comparison=BELOW,
                periods=limits.silent_minutes,
                datapoints=limits.silent_minutes,
                missing="breaching",
            )

    def _of_api(self) -> Iterator[EndpointAlarm]:
        limits = self.limits
        if limits.prediction_mean is not None:
            metric = self._mlops("PredictionMean", "Average", _FIVE_MINUTES)
            yield self._outside("prediction-distribution", "predicts other values", metric, limits.prediction_mean)
        if limits.data_quality_violations is not None:
            most = limits.data_quality_violations
            yield EndpointAlarm(
                name="data-quality",
                description=f"Over {most} rows for {self.endpoint} were outside their columns' limits in 5 minutes",
                metrics={"value": self._mlops("DataQualityViolations", "Sum", _FIVE_MINUTES)},
                threshold=most,
            )
        if limits.outcome_mean is not None:
            metric = self._mlops("Outcome", "Average", _HOUR)
            yield self._outside("business", "has outcomes", metric, limits.outcome_mean)

    def _wrong_answers(self) -> EndpointAlarm:
        return EndpointAlarm(
            name="wrong-answers",
            description=f"{self.endpoint} answers labelled rows otherwise than any of its versions was evaluated",
            metrics={"value": self._mlops("WrongAnswers", "Sum", _MINUTE)},
            threshold=0,
        )

    def _requests(self) -> str:
        return "InvocationsProcessed" if self.asynchronous else "Invocations"

    def _failed(self) -> str:
        return "InvocationFailures" if self.asynchronous else "Invocation5XXErrors"

    def _share(self, name: str, verb: str, percent: float, metric: str) -> EndpointAlarm:
        """Return an alarm on a share of all requests: one that fails of ten thousand is no reason."""
        return EndpointAlarm(
            name=name,
            description=f"More than {percent:g} % of the requests to {self.endpoint} {verb} ({metric})",
            metrics={
                "errors": self._sagemaker(metric, "Sum", _MINUTE),
                "requests": self._sagemaker(self._requests(), "Sum", _MINUTE),
            },
            expression="100 * errors / requests",
            threshold=percent,
            periods=3,
            datapoints=2,
        )

    def _latency(self, name: str, who: str, metric: str, limit: int) -> EndpointAlarm:
        return EndpointAlarm(
            name=name,
            description=f"{who} {self.endpoint} takes over {limit} ms (99th percentile of {metric}, microseconds)",
            metrics={"value": self._sagemaker(metric, "p99", _MINUTE, unit="Microseconds")},
            threshold=limit * 1000,
            periods=3,
            datapoints=2,
        )

    def _outside(self, name: str, what: str, metric: Metric, limits: Limits) -> EndpointAlarm:
        """Return an alarm on values below or above limits; one of them may be missing."""
        low, high = limits.minimum, limits.maximum
        shown = f"{'-' if low is None else f'{low:g}'} to {'-' if high is None else f'{high:g}'}"
        description = f"{self.endpoint} {what} outside {shown} ({metric.name})"
        if low is None or high is None:
            limit, comparison = (high, ABOVE) if low is None else (low, BELOW)
            return EndpointAlarm(
                name=name,
                description=description,
                metrics={"value": metric},
                threshold=float(limit or 0),
                comparison=comparison,
            )
        middle, half = (low + high) / 2, (high - low) / 2
        return EndpointAlarm(
            name=name,
            description=description,
            metrics={"mean": metric},
            # The distance from the middle: one alarm for both sides.
            expression=f"ABS(mean - ({middle:g}))",
            threshold=half,
        )

    def _of_all_instances(self, name: str) -> Metric:
        return dataclasses.replace(self, configuration=None)._sagemaker(name, "Sum", _MINUTE)  # noqa: SLF001 - its own

    def _sagemaker(self, name: str, statistic: str, period: int, *, unit: str | None = None) -> Metric:
        dimensions = {"EndpointName": self.endpoint, "VariantName": self.variant}
        if self.configuration is not None:
            dimensions["EndpointConfigName"] = self.configuration
        return Metric(
            namespace=SAGEMAKER, name=name, dimensions=dimensions, statistic=statistic, period=period, unit=unit
        )

    def _mlops(self, name: str, statistic: str, period: int) -> Metric:
        dimensions = {"Model": self.model, "Environment": self.environment}
        return Metric(namespace=OWN, name=name, dimensions=dimensions, statistic=statistic, period=period)


def make_alarms(
    scope: Construct, endpoint: str, alarms: Sequence[EndpointAlarm], topic: sns.ITopic
) -> list[cloudwatch.CfnAlarm]:
    """Make the alarms of `endpoint`, each of which tells `topic` when it changes."""
    return [_make(scope, endpoint, alarm, topic) for alarm in alarms]


def _make(scope: Construct, endpoint: str, alarm: EndpointAlarm, topic: sns.ITopic) -> cloudwatch.CfnAlarm:
    made = cloudwatch.CfnAlarm(
        scope,
        "".join(word.capitalize() for word in alarm.name.split("-")),
        alarm_name=f"{endpoint}-{alarm.name}",
        alarm_description=alarm.description,
        threshold=alarm.threshold,
        comparison_operator=alarm.comparison,
        evaluation_periods=alarm.periods,
        datapoints_to_alarm=alarm.datapoints,
        treat_missing_data=alarm.missing,
        alarm_actions=[topic.topic_arn],
        ok_actions=[topic.topic_arn],
    )
    if alarm.expression is None:
        _watch_one(made, alarm.metrics["value"])
    else:
        made.metrics = [
            cloudwatch.CfnAlarm.MetricDataQueryProperty(
                id="watched", expression=alarm.expression, label=alarm.name, return_data=True
            ),
            *(_query(query_id, metric) for query_id, metric in alarm.metrics.items()),
        ]
    return made


def _watch_one(alarm: cloudwatch.CfnAlarm, metric: Metric) -> None:
    alarm.namespace, alarm.metric_name, alarm.period = metric.namespace, metric.name, metric.period
    alarm.dimensions, alarm.unit = [*_dimensions(metric)], metric.unit
    if metric.statistic.startswith("p"):
        alarm.extended_statistic = metric.statistic
    else:
        alarm.statistic = metric.statistic


def _query(query_id: str, metric: Metric) -> cloudwatch.CfnAlarm.MetricDataQueryProperty:
    return cloudwatch.CfnAlarm.MetricDataQueryProperty(
        id=query_id,
        return_data=False,
        metric_stat=cloudwatch.CfnAlarm.MetricStatProperty(
            metric=cloudwatch.CfnAlarm.MetricProperty(
                namespace=metric.namespace, metric_name=metric.name, dimensions=_dimensions(metric)
            ),
            period=metric.period,
            stat=metric.statistic,
        ),
    )


def _dimensions(metric: Metric) -> list[cloudwatch.CfnAlarm.DimensionProperty]:
    return [cloudwatch.CfnAlarm.DimensionProperty(name=name, value=value) for name, value in metric.dimensions.items()]
