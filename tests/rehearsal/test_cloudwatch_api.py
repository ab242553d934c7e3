from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlops.rehearsal import credentials
from mlops.rehearsal.clock import CLOCK
from mlops.rehearsal.cloudwatch_metrics import METRICS
from mlops.rehearsal.server import EmulatedAws
from tests.rehearsal import iam_world


@pytest.fixture
def namespace(aws: EmulatedAws) -> str:
    """A namespace that only one test knows, with ten requests and two errors of a little while ago."""
    made = f"test/{uuid.uuid4().hex[:10]}"
    at = CLOCK.now() - timedelta(minutes=1)
    for number in range(10):
        METRICS.put(aws.account, aws.region, made, "Requests", {"Model": "churn"}, 1.0, unit="Count", at=at)
        METRICS.put(aws.account, aws.region, made, "Errors", {"Model": "churn"}, float(number < 2), at=at)
    return made


def stat(namespace: str, name: str, statistic: str = "Sum") -> dict[str, Any]:
    metric = {"Namespace": namespace, "MetricName": name, "Dimensions": [{"Name": "Model", "Value": "churn"}]}
    return {"Metric": metric, "Period": 60, "Stat": statistic}


@pytest.mark.parametrize("clock", ["the program's", "the emulated"])
def test_data_are_found_by_either_clock(namespace: str, clock: str) -> None:
    now = datetime.now(UTC) if clock == "the program's" else CLOCK.now()
    queries = [
        {"Id": "requests", "MetricStat": stat(namespace, "Requests"), "ReturnData": False},
        {"Id": "errors", "MetricStat": stat(namespace, "Errors"), "ReturnData": False},
        {"Id": "share", "Expression": "100 * errors / requests", "Label": "per cent"},
    ]
    answer = credentials.client("cloudwatch").get_metric_data(
        MetricDataQueries=queries, StartTime=now - timedelta(minutes=10), EndTime=now
    )
    (found,) = answer["MetricDataResults"]
    assert (found["Id"], found["Label"], found["Values"], found["StatusCode"]) == (
        "share", "per cent", [20.0], "Complete",
    )  # fmt: skip
    age = now - found["Timestamps"][0]
    assert timedelta(seconds=-90) < age < timedelta(minutes=10)


def test_the_latest_comes_first_unless_it_is_asked_otherwise(namespace: str, aws: EmulatedAws) -> None:
    now = CLOCK.now()
    METRICS.put(aws.account, aws.region, namespace, "Requests", {"Model": "churn"}, 5.0, at=now - timedelta(minutes=5))
    asked = {
        "MetricDataQueries": [{"Id": "r", "MetricStat": stat(namespace, "Requests")}],
        "StartTime": now - timedelta(minutes=10),
        "EndTime": now + timedelta(minutes=1),
    }
    client = credentials.client("cloudwatch")
    assert client.get_metric_data(**asked)["MetricDataResults"][0]["Values"] == [10.0, 5.0]
    ascending = client.get_metric_data(**asked, ScanBy="TimestampAscending")["MetricDataResults"][0]
    assert (ascending["Values"], ascending["Label"]) == ([5.0, 10.0], "Requests")


def test_statistics_of_one_metric(namespace: str) -> None:
    now, client = CLOCK.now(), credentials.client("cloudwatch")
    asked = {
        "Namespace": namespace,
        "MetricName": "Errors",
        "Dimensions": [{"Name": "Model", "Value": "churn"}],
        "StartTime": now - timedelta(minutes=9),
        "EndTime": now + timedelta(minutes=1),
        "Period": 600,
    }
    (found,) = client.get_metric_statistics(**asked, Statistics=["Sum", "Average", "SampleCount"])["Datapoints"]
    assert (found["Sum"], found["Average"], found["SampleCount"], found["Unit"]) == (2.0, 0.2, 10.0, "None")
    (found,) = client.get_metric_statistics(**asked, ExtendedStatistics=["p80", "p90"])["Datapoints"]
    assert found["ExtendedStatistics"] == {"p80": 0.0, "p90": 1.0}
    assert client.get_metric_statistics(**asked, Statistics=["Sum"], Unit="Count")["Datapoints"] == []
    assert client.get_metric_statistics(**{**asked, "Dimensions": []}, Statistics=["Sum"])["Datapoints"] == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ExtendedStatistics": ["p50"]}, "either Statistics or ExtendedStatistics"),
        ({"Period": 61}, "Period must be"),
        ({"StartTime": datetime(2026, 1, 1, tzinfo=UTC)}, "exceeds the limit of 1,440"),
        ({"StartTime": datetime(2100, 1, 1, tzinfo=UTC)}, "StartTime must be less"),
        ({"Statistics": None, "ExtendedStatistics": ["p999"]}, "give one of"),
    ],
)
def test_statistics_that_cloudwatch_refuses(namespace: str, change: dict[str, Any], reason: str) -> None:
    now = datetime.now(UTC)
    asked = {
        "Namespace": namespace,
        "MetricName": "Errors",
        "StartTime": now - timedelta(minutes=9),
        "EndTime": now,
        "Period": 60,
        "Statistics": ["Sum"],
    }
    with pytest.raises(ClientError, match=reason):
        credentials.client("cloudwatch").get_metric_statistics(
            **{name: value for name, value in {**asked, **change}.items() if value is not None}
        )


def test_programs_put_values_numbers_of_values_and_sets(namespace: str) -> None:
    client, now = credentials.client("cloudwatch"), datetime.now(UTC)
    model = [{"Name": "Model", "Value": "churn"}]
    sets = {"SampleCount": 2, "Sum": 7, "Minimum": 3, "Maximum": 4}
    data = [
        {"MetricName": "Put", "Dimensions": model, "Value": 1.0, "Timestamp": now},
        {"MetricName": "Put", "Dimensions": model, "Values": [2.0, 5.0], "Counts": [3.0, 1.0]},
        {"MetricName": "Put", "Dimensions": model, "StatisticValues": sets, "Unit": "Count"},
    ]
    client.put_metric_data(Namespace=namespace, MetricData=data)
    now = CLOCK.now()
    asked = {"Namespace": namespace, "MetricName": "Put", "Dimensions": model, "Period": 1200}
    (found,) = client.get_metric_statistics(
        **asked,
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=10),
        Statistics=["Sum", "SampleCount", "Maximum"],
    )["Datapoints"]
    assert (found["Sum"], found["SampleCount"], found["Maximum"]) == (1 + 3 * 2 + 5 + 7, 7.0, 5.0)


def test_metrics_are_listed_by_name_and_dimension(namespace: str) -> None:
    client = credentials.client("cloudwatch")

    def listed(**asked: Any) -> list[str]:
        return [one["MetricName"] for one in client.list_metrics(Namespace=namespace, **asked)["Metrics"]]

    assert listed() == ["Errors", "Requests"]
    assert listed(MetricName="Errors", Dimensions=[{"Name": "Model"}]) == ["Errors"]
    assert listed(Dimensions=[{"Name": "Model", "Value": "iris"}]) == []


def test_a_role_publishes_into_its_namespace_only(namespace: str) -> None:
    only = {"StringEquals": {"cloudwatch:namespace": namespace}}
    role = iam_world.role({**iam_world.allow("cloudwatch:PutMetricData"), "Condition": only})
    client = credentials.client("cloudwatch", role_arn=role, principal="lambda.amazonaws.com")
    client.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": "Mine", "Value": 1.0}])
    with pytest.raises(ClientError, match="cloudwatch:PutMetricData"):
        client.put_metric_data(Namespace="AWS/SageMaker", MetricData=[{"MetricName": "Mine", "Value": 1.0}])


def test_a_state_machine_waits_on_the_clock_and_knows_its_time(aws: EmulatedAws) -> None:
    states = credentials.client("stepfunctions")
    until = "$$.Execution.StartTime"
    definition = {
        "StartAt": "Wait",
        "States": {
            "Wait": {"Type": "Wait", "Seconds": 90, "Next": "Past"},
            "Past": {"Type": "Wait", "TimestampPath": until, "Next": "Tell"},
            "Tell": {
                "Type": "Pass",
                "Parameters": {"began.$": until, "now.$": "$$.State.EnteredTime"},
                "End": True,
            },
        },
    }
    machine = states.create_state_machine(
        name=f"m-{uuid.uuid4().hex[:8]}",
        definition=json.dumps(definition),
        roleArn=iam_world.role(iam_world.allow("s3:ListAllMyBuckets"), trusts=iam_world.trust("states.amazonaws.com")),
    )["stateMachineArn"]
    before = CLOCK.now()
    execution = states.start_execution(stateMachineArn=machine)["executionArn"]
    waited = 0.0
    while (described := states.describe_execution(executionArn=execution))["status"] == "RUNNING" and waited < 600:
        waited += 6
        CLOCK.sleep(6)
    assert described["status"] == "SUCCEEDED", (described, aws.url)
    output = json.loads(described["output"])
    began, now = (datetime.fromisoformat(output[name]) for name in ("began", "now"))
    assert now - began >= timedelta(seconds=90)
    assert before - timedelta(seconds=1) <= began
    assert now <= CLOCK.now()
