from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlops.rehearsal import cloudwatch_alarms, credentials
from mlops.rehearsal.cloudwatch_actions import Change
from mlops.rehearsal.cloudwatch_metrics import METRICS
from mlops.rehearsal.server import EmulatedAws
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase
from tests.rehearsal import iam_world, lambda_world

ABOVE_FIVE = {
    "EvaluationPeriods": 1,
    "Threshold": 5,
    "ComparisonOperator": "GreaterThanThreshold",
    "TreatMissingData": "notBreaching",
}


def soon(look: Callable[[], Any], seconds: float = 10.0) -> Any:
    limit = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < limit:
        time.sleep(0.02)
    return found


@dataclass
class World:
    """A namespace of its own, its metrics and its alarms."""

    aws: EmulatedAws
    namespace: str = field(default_factory=lambda: f"test/{uuid.uuid4().hex[:10]}")
    changes: list[Change] = field(default_factory=list)

    @property
    def client(self) -> Any:
        return credentials.client("cloudwatch")

    def name(self, name: str) -> str:
        return f"{self.namespace.replace('/', '-')}-{name}"

    def measure(self, name: str, value: float, **dimensions: str) -> None:
        METRICS.put(self.aws.account, self.aws.region, self.namespace, name, dimensions, value)

    def metric(self, name: str) -> dict[str, Any]:
        return {"Namespace": self.namespace, "MetricName": name}

    def alarm(self, name: str, **more: Any) -> str:
        one = {**self.metric(name), "Statistic": "Sum", "Period": 60} if "Metrics" not in more else {}
        self.client.put_metric_alarm(AlarmName=self.name(name), **{**ABOVE_FIVE, **one, **more})
        return self.name(name)

    def state(self, name: str) -> str:
        return cloudwatch_alarms.alarm_state(self.aws.account, self.aws.region, self.name(name))

    def described(self, name: str) -> dict[str, Any]:
        answer = self.client.describe_alarms(AlarmNames=[self.name(name)], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        found: list[dict[str, Any]] = [*answer["MetricAlarms"], *answer["CompositeAlarms"]]
        assert len(found) == 1
        return found[0]

    def becomes(self, name: str, state: str, *, measured: Callable[[], None] = lambda: None) -> bool:
        def there() -> bool:
            measured()
            return self.state(name) == state

        return bool(soon(there))

    def history(self, name: str, kind: str) -> list[dict[str, Any]]:
        answer = self.client.describe_alarm_history(
            AlarmName=self.name(name), HistoryItemType=kind, ScanBy="TimestampAscending"
        )
        return list(answer["AlarmHistoryItems"])

    def topic(self, policy: dict[str, Any] | None = None, key: str | None = None) -> tuple[str, str]:
        """Make a topic, and a queue that gets what is published there; return the topic and the queue's URL."""
        sns = credentials.client("sns")
        attributes = {"KmsMasterKeyId": key} if key else {}
        topic = sns.create_topic(Name=self.name(uuid.uuid4().hex[:6]), Attributes=attributes)["TopicArn"]
        if policy is not None:
            document = json.dumps({"Statement": [{**policy, "Resource": topic, "Action": "sns:Publish"}]})
            sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=document)
        url, arn = lambda_world.queue("alarms")
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
        return topic, url


@pytest.fixture
def world(aws: EmulatedAws) -> Iterator[World]:
    made = World(aws)
    unsubscribe = cloudwatch_alarms.subscribe(
        lambda change: made.changes.append(change) if change.name.startswith(made.name("")) else None
    )
    yield made
    unsubscribe()
    names = _alarms(made)
    if names:
        made.client.delete_alarms(AlarmNames=names)


def _alarms(world: World) -> list[str]:
    answer = world.client.describe_alarms(AlarmNamePrefix=world.name(""), AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    return [one["AlarmName"] for one in (*answer["MetricAlarms"], *answer["CompositeAlarms"])]


def test_an_alarm_begins_without_data_and_follows_its_metric(world: World) -> None:
    world.alarm("Errors", AlarmDescription="too many")
    assert world.described("Errors")["StateValue"] == "INSUFFICIENT_DATA"
    assert world.becomes("Errors", "OK")  # missing data are not breaching
    assert world.becomes("Errors", "ALARM", measured=lambda: world.measure("Errors", 2.0))
    found = world.described("Errors")
    assert "was greater than the threshold (5.0)" in found["StateReason"]
    assert json.loads(found["StateReasonData"])["recentDatapoints"][0] > 5
    assert world.becomes("Errors", "OK")
    summaries = [item["HistorySummary"] for item in world.history("Errors", "StateUpdate")]
    assert summaries == [
        "Alarm updated from INSUFFICIENT_DATA to OK",
        "Alarm updated from OK to ALARM",
        "Alarm updated from ALARM to OK",
    ]
    assert [str(change.after.value) for change in world.changes] == ["OK", "ALARM", "OK"]
    told = [event for event in TIMELINE.events(Kind.ALARM) if event.name == world.name("Errors")]
    assert [event.phase for event in told] == [Phase.SUCCEEDED, Phase.FAILED, Phase.SUCCEEDED]


def test_an_alarm_looks_at_its_own_dimensions_and_statistic(world: World) -> None:
    slow = {"Statistic": None, "ExtendedStatistic": "p90", "Dimensions": [{"Name": "Variant", "Value": "live"}]}
    given = {key: value for key, value in slow.items() if value is not None}
    metric = {**world.metric("Latency"), "Period": 60}
    for name, more in (("slow", given), ("mean", {**given, "ExtendedStatistic": "tm50"})):
        world.client.put_metric_alarm(AlarmName=world.name(name), **{**ABOVE_FIVE, **metric, **more})

    def measured() -> None:
        for value in (1.0, 1.0, 1.0, 9.0):
            world.measure("Latency", value, Variant="live")
        world.measure("Latency", 0.0, Variant="challenger")

    assert world.becomes("slow", "ALARM", measured=measured)
    assert world.becomes("mean", "OK", measured=measured)


def test_an_alarm_on_a_share_of_requests(world: World) -> None:
    queries = [
        {"Id": "watched", "Expression": "100 * errors / requests", "ReturnData": True},
        *(
            {
                "Id": query,
                "ReturnData": False,
                "MetricStat": {"Metric": world.metric(query), "Period": 60, "Stat": "Sum"},
            }
            for query in ("errors", "requests")
        ),
    ]
    world.alarm("share", Metrics=queries, EvaluationPeriods=3, DatapointsToAlarm=2)

    def measured(errors: int) -> None:
        for number in range(20):
            world.measure("requests", 1.0)
            world.measure("errors", float(number < errors))

    assert world.becomes("share", "OK", measured=lambda: measured(1))
    assert world.becomes("share", "ALARM", measured=lambda: measured(2))
    assert [one["Id"] for one in world.described("share")["Metrics"]] == ["watched", "errors", "requests"]


def test_a_high_resolution_alarm_is_evaluated_more_often(world: World) -> None:
    world.alarm("Fast", Period=10, TreatMissingData="missing")
    soon(lambda: False, 0.6)  # the evaluator has seen it

    def measured() -> None:
        data = {"MetricName": "Fast", "Value": 9.0, "StorageResolution": 1}
        world.client.put_metric_data(Namespace=world.namespace, MetricData=[data])

    assert world.becomes("Fast", "ALARM", measured=measured)
    began = time.monotonic()
    assert world.becomes("Fast", "INSUFFICIENT_DATA")
    assert time.monotonic() - began < 5


def test_a_composite_alarm_follows_its_children(world: World) -> None:
    world.alarm("a")
    world.alarm("b")
    rule = f'ALARM("{world.name("a")}") AND NOT ALARM({world.name("b")})'
    world.client.put_composite_alarm(AlarmName=world.name("both"), AlarmRule=rule)
    assert world.becomes("both", "ALARM", measured=lambda: world.measure("a", 9.0))
    assert world.described("a")["AlarmArn"] in world.described("both")["StateReason"]

    def measured() -> None:
        world.measure("a", 9.0)
        world.measure("b", 9.0)

    assert world.becomes("both", "OK", measured=measured)


def test_a_state_that_is_set_lasts_until_the_next_evaluation(world: World) -> None:
    name = world.alarm("Set")
    assert world.becomes("Set", "OK")
    client = world.client
    client.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="by hand", StateReasonData='{"a": 1}')
    assert world.changes[-1].after.reason == "by hand"
    assert world.becomes("Set", "OK")
    with pytest.raises(ClientError, match="no alarm"):
        client.set_alarm_state(AlarmName="nobody", StateValue="OK", StateReason="x")
    with pytest.raises(ClientError, match="not valid JSON"):
        client.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="x", StateReasonData="{")
    with pytest.raises(LookupError, match="there is no alarm nobody"):
        cloudwatch_alarms.alarm_state(world.aws.account, world.aws.region, "nobody")


def test_an_alarm_that_is_put_again_keeps_its_state(world: World) -> None:
    world.alarm("Again", Threshold=1)
    assert world.becomes("Again", "ALARM", measured=lambda: world.measure("Again", 9.0))
    before = len(world.changes)
    world.alarm("Again", Threshold=2)
    found = world.described("Again")
    assert (found["Threshold"], found["StateValue"], len(world.changes)) == (2.0, "ALARM", before)
    assert [item["HistorySummary"].rsplit(" ", 1)[-1] for item in world.history("Again", "ConfigurationUpdate")] == [
        "created",
        "updated",
    ]


def test_eventbridge_is_told(world: World) -> None:
    url, queue = lambda_world.queue("alarms")
    policy = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
    document = json.dumps({"Statement": [{**policy, "Resource": queue}]})
    credentials.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})
    events, name = credentials.client("events"), world.name("Told")
    pattern = {
        "source": ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        "detail": {"alarmName": [name], "state": {"value": ["ALARM"]}},
    }
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "q", "Arn": queue}])
    world.alarm("Told", Dimensions=[{"Name": "Model", "Value": "churn"}])
    world.client.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="by hand")
    (message,) = soon(lambda: lambda_world.messages(url))
    event = json.loads(message["Body"])
    assert event["resources"] == [world.described("Told")["AlarmArn"]]
    assert event["detail"]["previousState"]["value"] == "INSUFFICIENT_DATA"
    (watched,) = event["detail"]["configuration"]["metrics"]
    metric = {"namespace": world.namespace, "name": "Told", "dimensions": {"Model": "churn"}}
    assert watched["metricStat"] == {"metric": metric, "period": 60, "stat": "Sum"}


def test_a_topic_is_told_as_its_policy_allows(world: World) -> None:
    service = {"Effect": "Allow", "Principal": {"Service": "cloudwatch.amazonaws.com"}}
    untouched, untouched_url = world.topic()
    admits, admits_url = world.topic(service)
    others, others_url = world.topic({"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}})
    key = credentials.client("kms").create_key()["KeyMetadata"]["Arn"]  # its policy admits no service
    locked, locked_url = world.topic(service, key)
    topics = [untouched, admits, others, locked]
    name = world.alarm("Topics", AlarmActions=topics, OKActions=[])
    world.client.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="by hand")
    done = soon(lambda: (found := world.history("Topics", "Action")) and len(found) == 4 and found)
    results = {item["HistorySummary"].rsplit(" ", 1)[-1]: json.loads(item["HistoryData"]) for item in done}
    assert [results[topic]["actionState"] for topic in topics] == ["Succeeded", "Succeeded", "Failed", "Failed"]
    assert "sns:Publish" in results[others]["error"]
    assert "kms:" in results[locked]["error"]
    for url, count in ((untouched_url, 1), (admits_url, 1), (others_url, 0), (locked_url, 0)):
        messages = [json.loads(one["Body"]) for one in lambda_world.messages(url)]
        assert [one["NewStateValue"] for one in messages] == ["ALARM"] * count
    told = [event for event in TIMELINE.events(Kind.EVENT) if event.name == name]
    assert {(event.detail["target"], event.phase) for event in told} == {
        (untouched, Phase.SUCCEEDED),
        (admits, Phase.SUCCEEDED),
        (others, Phase.FAILED),
        (locked, Phase.FAILED),
    }


def test_an_alarm_whose_actions_are_disabled_runs_none(world: World) -> None:
    topic, url = world.topic()
    name = world.alarm("Quiet", AlarmActions=[topic], ActionsEnabled=False)
    world.client.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="by hand")
    assert world.changes[0].actions == ()
    assert lambda_world.messages(url) == []


def test_a_listener_that_fails_keeps_nobody_else_from_hearing(world: World) -> None:
    def fail(_: Change) -> None:
        message = "I do not want to know"
        raise RuntimeError(message)

    unsubscribe = cloudwatch_alarms.subscribe(fail)
    heard: list[Change] = []
    also = cloudwatch_alarms.subscribe(heard.append)
    world.alarm("Heard")
    assert world.becomes("Heard", "OK")
    unsubscribe()
    also()
    assert world.name("Heard") in [change.name for change in heard]
    assert any("I do not want to know" in event.name for event in TIMELINE.events(Kind.LOG))
    assert world.becomes("Heard", "ALARM", measured=lambda: world.measure("Heard", 9.0))


def test_alarms_are_found_by_type_prefix_and_state(world: World) -> None:
    for name in ("one", "two", "other"):
        world.alarm(name)
    world.client.put_composite_alarm(AlarmName=world.name("all"), AlarmRule="FALSE")

    def found(**asked: Any) -> list[str]:
        asked = {"AlarmNamePrefix": world.name(""), **asked}
        answer = world.client.describe_alarms(**asked)
        both = [*answer["MetricAlarms"], *answer["CompositeAlarms"]]
        return [one["AlarmName"].removeprefix(world.name("")) for one in both]

    assert found() == ["one", "other", "two"]
    assert found(AlarmTypes=["CompositeAlarm"]) == ["all"]
    assert found(AlarmNamePrefix=world.name("o")) == ["one", "other"]
    assert found(StateValue="ALARM") == []
    pages = world.client.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=world.name(""), PaginationConfig={"PageSize": 2}
    )
    assert [len(page["MetricAlarms"]) for page in pages] == [2, 1]


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        ({"DatapointsToAlarm": 2}, ["DatapointsToAlarm (2) must not be greater than EvaluationPeriods (1)"]),
        ({"EvaluationPeriods": 1441}, ["across more than 1 day"]),
        ({"Period": 3600, "EvaluationPeriods": 169}, ["across more than 7 days"]),
        ({"Period": 45, "TreatMissingData": "bad"}, ["The period 45 must be", "TreatMissingData 'bad' is not valid"]),
        ({"ExtendedStatistic": "p99"}, ["Either Statistic or ExtendedStatistic"]),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, ["needs ThresholdMetricId"]),
        (
            {"Metrics": [{"Id": "E", "Expression": "a + 1"}, {"Id": "b", "Expression": "1 +"}]},
            ["Exactly one element", "The id E must begin", "refers to a, which no query has", "a value is missing"],
        ),
        ({"Metrics": [{"Id": "e", "Expression": "e + 1"}]}, ["e refers to itself"]),
        ({"Metrics": [{"Id": "e", "Expression": "1"}], "Period": 60}, ["With Metrics, Period must not be given"]),
    ],
)
def test_what_cloudwatch_refuses_is_refused_with_every_reason(
    world: World, change: dict[str, Any], reasons: list[str]
) -> None:
    with pytest.raises(ClientError) as error:
        world.alarm("Refused", **change)
    assert error.value.response["Error"]["Code"] == "ValidationError"
    for reason in reasons:
        assert reason in str(error.value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"Metrics": [{"Id": "e", "Expression": "SELECT AVG(a) FROM b", "Period": 60}]}, "Metrics Insights"),
        ({"EvaluationWindow": {"WallClockWindow": {}}}, "WallClockWindow"),
    ],
)
def test_what_is_not_emulated_is_refused_as_such(world: World, change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ClientError, match=reason) as error:
        world.alarm("Refused", **change)
    assert error.value.response["Error"]["Code"] == "NotEmulated"


EMBEDDED = """
import json, time

def handle(event, context):
    directive = {"Namespace": event["namespace"], "Dimensions": [["Model"], []],
                 "Metrics": [{"Name": "Predictions", "Unit": "Count"}, {"Name": "Mean"}]}
    print(json.dumps({"_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]},
                      "Model": "churn", "Predictions": 3, "Mean": [0.25, 0.75], "text": "x"}))
    print('{"_aws": {"Timestamp": 1}, "broken": true}')
"""


@pytest.mark.parametrize("may_log", [True, False])
def test_metrics_in_the_log_of_a_function_are_metrics(world: World, *, may_log: bool) -> None:
    role = iam_world.role(lambda_world.LOGS if may_log else iam_world.allow("s3:ListAllMyBuckets"))
    lambda_world.invoke(lambda_world.function(EMBEDDED, role=role), {"namespace": world.namespace})
    found = world.client.list_metrics(Namespace=world.namespace)["Metrics"]
    if not may_log:
        assert found == []  # a function that may not write its log loses them without a word
        return
    assert [(one["MetricName"], len(one["Dimensions"])) for one in found] == [
        ("Mean", 0), ("Mean", 1), ("Predictions", 0), ("Predictions", 1),
    ]  # fmt: skip
    totals = {
        metric.name: METRICS.points(metric, "Sum", starts=[0], period=2**40)[0]
        for metric in METRICS.known(world.aws.account, world.aws.region)
        if metric.namespace == world.namespace and metric.dimensions
    }
    assert (totals["Predictions"].value, totals["Mean"].value, totals["Mean"].samples) == (3.0, 1.0, 2.0)
    told = [event for event in TIMELINE.events(Kind.LOG) if event.phase is Phase.FAILED]
    assert any("CloudWatch would not take" in event.name and '"broken"' in event.name for event in told)
