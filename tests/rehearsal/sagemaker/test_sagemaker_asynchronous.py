"""Asynchronous endpoints: requests and answers are objects, and topics hear of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlops.rehearsal import credentials
from tests.rehearsal.endpoints_world import Endpoints
from tests.rehearsal.iam_world import allow, role

Waiting = Callable[..., Any]


@pytest.fixture
def told(account: Any) -> tuple[dict[str, str], Callable[[], list[dict[str, Any]]]]:
    """Two topics for answers and failures, and a function that returns what they have told."""
    sns, sqs = account.client("sns"), account.client("sqs")
    queue = sqs.create_queue(QueueName=account.name("told"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topics = {}
    for name in ("SuccessTopic", "ErrorTopic"):
        topics[name] = sns.create_topic(Name=account.name(name))["TopicArn"]
        sns.subscribe(TopicArn=topics[name], Protocol="sqs", Endpoint=arn)

    def heard() -> list[dict[str, Any]]:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(json.loads(one["Body"])["Message"]) for one in messages]

    return topics, heard


def asynchronous(endpoints: Endpoints, *, concurrency: int = 2, **output: Any) -> str:
    """Make an asynchronous endpoint and wait until it is in service."""
    folder = f"s3://{endpoints.account.bucket}/async"
    config = {
        "ClientConfig": {"MaxConcurrentInvocationsPerInstance": concurrency},
        "OutputConfig": {"S3OutputPath": f"{folder}/out", "S3FailurePath": f"{folder}/failed", **output},
    }
    return endpoints.in_service("0.5", AsyncInferenceConfig=config)


def send(endpoints: Endpoints, name: str, body: str = "1,2", **changes: Any) -> dict[str, Any]:
    uri = endpoints.account.put(f"async/in/{endpoints.account.name('request')}", body)
    runtime = endpoints.account.client("sagemaker-runtime")
    answer: dict[str, Any] = runtime.invoke_endpoint_async(
        **{"EndpointName": name, "InputLocation": uri, "ContentType": "text/csv", **changes}
    )
    return answer


def written(endpoints: Endpoints, uri: str) -> Callable[[], bytes | None]:
    def probe() -> bytes | None:
        try:
            content: bytes = endpoints.account.get(uri)
        except ClientError:
            return None
        return content

    return probe


def test_an_answer_is_written_and_told(endpoints: Endpoints, told: Any, waiting: Waiting) -> None:
    topics, heard = told
    name = asynchronous(endpoints, NotificationConfig=topics)
    accepted = send(endpoints, name, InferenceId="row-1")
    assert (accepted["ResponseMetadata"]["HTTPStatusCode"], accepted["InferenceId"]) == (202, "row-1")
    assert waiting(written(endpoints, accepted["OutputLocation"])) == b"0.5"
    (message,) = waiting(heard)
    assert (message["invocationStatus"], message["inferenceId"]) == ("Completed", "row-1")
    assert message["responseParameters"]["outputLocation"] == accepted["OutputLocation"]


def test_a_failure_is_written_and_told(endpoints: Endpoints, told: Any, waiting: Waiting) -> None:
    topics, heard = told
    name = asynchronous(endpoints, NotificationConfig=topics)
    accepted = send(endpoints, name, "boom")
    assert b"it broke" in waiting(written(endpoints, accepted["FailureLocation"]))
    (message,) = waiting(heard)
    assert message["invocationStatus"] == "Failed"
    assert "it broke" in message["failureReason"]
    assert written(endpoints, accepted["OutputLocation"])() is None


def test_a_request_that_the_role_cannot_read_fails(endpoints: Endpoints, waiting: Waiting) -> None:
    name = asynchronous(endpoints)
    missing = f"s3://{endpoints.account.bucket}/async/nothing-here"
    accepted = send(endpoints, name, InputLocation=missing)
    assert b"Unable to read the request" in waiting(written(endpoints, accepted["FailureLocation"]))


def test_requests_wait_while_there_is_no_instance(endpoints: Endpoints, waiting: Waiting) -> None:
    name = asynchronous(endpoints)
    capacity(endpoints, name, 0)
    accepted = [send(endpoints, name) for _ in range(3)]
    cloudwatch = endpoints.account.client("cloudwatch")
    waiting(lambda: latest(cloudwatch, name, "HasBacklogWithoutCapacity") == 1.0)
    assert latest(cloudwatch, name, "ApproximateBacklogSize") == 3.0
    assert [written(endpoints, one["OutputLocation"])() for one in accepted] == [None] * 3
    capacity(endpoints, name, 1)
    for one in accepted:
        assert waiting(written(endpoints, one["OutputLocation"])) == b"0.5"
    waiting(lambda: latest(cloudwatch, name, "ApproximateBacklogSizePerInstance") == 0.0)


def capacity(endpoints: Endpoints, name: str, count: int) -> None:
    wish = {"VariantName": "A", "DesiredInstanceCount": count}
    endpoints.account.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=name, DesiredWeightsAndCapacities=[wish]
    )
    endpoints.settled(name)


def latest(cloudwatch: Any, name: str, metric: str) -> float | None:
    """Return the last value of a metric of an endpoint on the emulated clock."""
    from mlops.rehearsal.clock import CLOCK  # noqa: PLC0415 - beside its only use

    stat = {
        "Metric": {
            "Namespace": "AWS/SageMaker",
            "MetricName": metric,
            "Dimensions": [{"Name": "EndpointName", "Value": name}],
        },
        "Period": 60,
        "Stat": "Maximum",
    }
    end = CLOCK.now()
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=[{"Id": "m", "MetricStat": stat}], StartTime=end.timestamp() - 600, EndTime=end
    )
    values = answer["MetricDataResults"][0]["Values"]
    return values[0] if values else None


def test_the_two_ways_to_ask_are_not_mixed_up(endpoints: Endpoints) -> None:
    with pytest.raises(ClientError, match="is not asynchronous; use InvokeEndpoint"):
        send(endpoints, endpoints.in_service())
    with pytest.raises(ClientError, match="is asynchronous; use InvokeEndpointAsync"):
        endpoints.invoke(asynchronous(endpoints))
    with pytest.raises(ClientError, match="not found"):
        send(endpoints, "nobody")


def test_asking_needs_the_permission_for_it(endpoints: Endpoints) -> None:
    name = asynchronous(endpoints)
    uri = endpoints.account.put("async/in/one", "1,2")

    def ask(*actions: str) -> Any:
        arn = role(allow(*actions))
        runtime = credentials.client("sagemaker-runtime", role_arn=arn, principal="lambda.amazonaws.com")
        return runtime.invoke_endpoint_async(EndpointName=name, InputLocation=uri)

    with pytest.raises(ClientError, match="AccessDenied"):
        ask("sagemaker:InvokeEndpoint")
    assert ask("sagemaker:InvokeEndpointAsync")["OutputLocation"].endswith(".out")
