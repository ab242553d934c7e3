"""Every alarm watches something that somebody publishes: a misspelt metric never fires, and nobody notices."""

from __future__ import annotations

import re
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import assertions
from aws_cdk import aws_sns as sns

from lambdas.bake_traffic.bake import NAMESPACE
from mlops_constructs.alarm_catalogue import (
    MOST_ROLLBACK_ALARMS,
    OWN,
    SAGEMAKER,
    AlarmCatalogue,
    EndpointAlarm,
    Metric,
    make_alarms,
)
from mlops_constructs.settings.alarms import Alarms, Limits
from tests.conftest import ROOT

ALL = Alarms(
    client_error_percent=20,
    overhead_latency_ms=200,
    silent_minutes=30,
    prediction_mean=Limits(minimum=0.1, maximum=0.5),
    data_quality_violations=10,
    outcome_mean=Limits(minimum=0.6),
)
OTHERS = {
    # https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html, "Endpoint invocation metrics"
    "InvocationModelErrors",
    # https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-monitor.html
    "InvocationsProcessed",
    "InvocationFailures",
}
"""Metrics of SageMaker that the CDK has no ready-made form of."""
ABSENT = {"Invocations", "InvocationsPerInstance", "OverheadLatency"}
"""Metrics that an asynchronous endpoint does not publish, says the same page."""


def catalogue(
    *, asynchronous: bool = False, api: bool = True, synthetic: bool = True, configuration: str | None = None
) -> list[EndpointAlarm]:
    return AlarmCatalogue(
        endpoint="mlops-churn-prod",
        variant="live",
        model="churn",
        environment="prod",
        limits=ALL,
        api=api,
        synthetic=synthetic,
        asynchronous=asynchronous,
        configuration=configuration,
    ).alarms()


def metrics(alarms: list[EndpointAlarm]) -> list[Metric]:
    return [metric for alarm in alarms for metric in alarm.metrics.values()]


@pytest.fixture(scope="module")
def known() -> set[str]:
    """The metrics of endpoints that aws-cdk-lib has, from the definitions of AWS: names with both dimensions."""
    import jsii  # noqa: PLC0415 - the package is unpacked by then

    del jsii
    cache = Path(cdk.__file__).parents[4] / ".cache" / "jsii" / "aws-cdk-lib"
    [source] = sorted(cache.glob("*/*/aws-sagemaker/lib/sagemaker-canned-metrics.generated.js"))[-1:]
    found = re.findall(r'namespace:"AWS/SageMaker",metricName:"(\w+)",dimensionsMap:dimensions', source.read_text())
    types = source.with_name("sagemaker-canned-metrics.generated.d.ts").read_text()
    assert set(re.findall(r"(\w+Name): string;", types)) >= {"EndpointName", "VariantName"}
    return set(found) | OTHERS


@pytest.mark.parametrize("asynchronous", [False, True])
def test_every_metric_of_sagemaker_exists_with_these_dimensions(known: set[str], *, asynchronous: bool) -> None:
    watched = [each for each in metrics(catalogue(asynchronous=asynchronous)) if each.namespace == SAGEMAKER]
    assert {each.name for each in watched} <= (known - ABSENT if asynchronous else known)
    assert {tuple(each.dimensions) for each in watched} == {("EndpointName", "VariantName")}


def test_errors_and_latency_are_those_of_the_new_instances() -> None:
    """A canary of a tenth that fails a third of its requests is 3 % of the whole: that must not hide it."""
    alarms = {alarm.name: alarm for alarm in catalogue(configuration="mlops-churn-prod-v4-fe87ab12")}
    for name in ("server-errors", "model-errors", "model-latency", "client-errors", "overhead-latency"):
        for metric in alarms[name].metrics.values():
            assert metric.dimensions["EndpointConfigName"] == "mlops-churn-prod-v4-fe87ab12"
    silence = alarms["invocations-missing"].metrics["value"]
    assert list(silence.dimensions) == ["EndpointName", "VariantName"]


def test_every_own_metric_is_published_by_one_of_the_functions() -> None:
    assert NAMESPACE == OWN
    sources = {path: path.read_text() for path in (ROOT / "lambdas").rglob("*.py")}
    for metric in metrics(catalogue()):
        if metric.namespace == OWN:
            assert list(metric.dimensions) == ["Model", "Environment"]
            published = re.compile(rf'"{metric.name}"|\b{metric.name}=')
            assert any(published.search(text) for text in sources.values()), metric.name


def test_there_is_an_alarm_for_each_way_to_be_unwell() -> None:
    assert [alarm.name for alarm in catalogue()] == [
        "server-errors",
        "model-errors",
        "model-latency",
        "client-errors",
        "overhead-latency",
        "invocations-missing",
        "wrong-answers",
        "prediction-distribution",
        "data-quality",
        "business",
    ]
    assert len(catalogue()) <= MOST_ROLLBACK_ALARMS


def test_nobody_watches_what_nobody_publishes() -> None:
    names = {alarm.name for alarm in catalogue(api=False, synthetic=False)}
    assert names.isdisjoint({"wrong-answers", "prediction-distribution", "data-quality", "business"})


def test_silence_is_a_failure_only_where_it_is_asked_for() -> None:
    assert [alarm.name for alarm in catalogue() if alarm.missing == "breaching"] == ["invocations-missing"]


def test_alarms_are_made_with_every_number() -> None:
    stack = cdk.Stack(cdk.App(analytics_reporting=False), "Stack")
    topic = sns.Topic(stack, "Topic")
    made = make_alarms(stack, "mlops-churn-prod", catalogue(), topic)
    assert len(made) == len(catalogue())
    alarms = assertions.Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm")
    by_name = {each["Properties"]["AlarmName"]: each["Properties"] for each in alarms.values()}
    latency = by_name["mlops-churn-prod-model-latency"]
    assert (latency["ExtendedStatistic"], latency["Threshold"], latency["Unit"]) == ("p99", 1_000_000, "Microseconds")
    assert (latency["EvaluationPeriods"], latency["DatapointsToAlarm"]) == (3, 2)
    rate = by_name["mlops-churn-prod-server-errors"]
    expressions = [each["Expression"] for each in rate["Metrics"] if "Expression" in each]
    assert expressions == ["100 * errors / requests"]
    distribution = by_name["mlops-churn-prod-prediction-distribution"]
    assert distribution["Threshold"] == pytest.approx(0.2)
    assert "ABS(mean - (0.3))" in str(distribution["Metrics"])
    business = by_name["mlops-churn-prod-business"]
    assert (business["Threshold"], business["ComparisonOperator"]) == (0.6, "LessThanThreshold")
