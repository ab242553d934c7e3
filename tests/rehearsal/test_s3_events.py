from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mlops.rehearsal import credentials
from mlops.rehearsal.faults import FAULTS, Fault
from mlops.rehearsal.server import EmulatedAws

RULE = "uploads"


def allow(queue_arn: str) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.fixture
def watched(aws: EmulatedAws) -> Iterator[tuple[str, Callable[[], list[dict[str, Any]]]]]:
    """A bucket whose events reach a queue, and the way to read them."""
    s3, sqs, events = (credentials.client(name) for name in ("s3", "sqs", "events"))
    bucket = f"watched-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws.region})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}})
    url = sqs.create_queue(QueueName=bucket)["QueueUrl"]
    arn = f"arn:aws:sqs:{aws.region}:{aws.account}:{bucket}"
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(allow(arn))})
    pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": {"bucket": {"name": [bucket]}}}
    events.put_rule(Name=bucket, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=bucket, Targets=[{"Id": "1", "Arn": arn}])

    def received() -> list[dict[str, Any]]:
        time.sleep(0.3)
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in answer]

    yield bucket, received
    FAULTS.activate(None)


def test_upload_sends_the_event_that_aws_documents(watched: Any) -> None:
    bucket, received = watched
    version = credentials.client("s3").put_object(Bucket=bucket, Key="churn/data.csv", Body=b"abc")["VersionId"]
    (event,) = received()
    assert event["detail-type"] == "Object Created"
    assert event["resources"] == [f"arn:aws:s3:::{bucket}"]
    assert event["detail"]["reason"] == "PutObject"
    thing = event["detail"]["object"]
    assert (thing["key"], thing["size"], thing["version-id"]) == ("churn/data.csv", 3, version)
    assert thing["etag"] == "900150983cd24fb0d6963f7d28e17f72"
    assert event["time"].endswith("Z")


def test_copy_names_its_reason(watched: Any) -> None:
    bucket, received = watched
    s3 = credentials.client("s3")
    s3.put_object(Bucket=bucket, Key="a", Body=b"a")
    s3.copy_object(Bucket=bucket, Key="b", CopySource={"Bucket": bucket, "Key": "a"})
    assert {event["detail"]["object"]["key"]: event["detail"]["reason"] for event in received()} == {
        "a": "PutObject",
        "b": "CopyObject",
    }


def test_duplicate_event_fault_delivers_the_event_of_a_csv_twice(watched: Any) -> None:
    bucket, received = watched
    FAULTS.activate(Fault.DUPLICATE_EVENT)
    s3 = credentials.client("s3")
    s3.put_object(Bucket=bucket, Key="data.csv", Body=b"a")
    s3.put_object(Bucket=bucket, Key="source.zip", Body=b"a")
    keys = sorted(event["detail"]["object"]["key"] for event in received())
    assert keys == ["data.csv", "data.csv", "source.zip"]


def test_bucket_tells_that_its_events_go_to_eventbridge(watched: Any) -> None:
    bucket, _ = watched
    answer = credentials.client("s3").get_bucket_notification_configuration(Bucket=bucket)
    assert "EventBridgeConfiguration" in answer


def test_moto_still_has_the_hook_and_its_gap() -> None:
    import inspect  # noqa: PLC0415 - after the environment is set

    from moto.s3 import notifications  # noqa: PLC0415 - after the environment is set

    assert "_send_event_bridge_message(account_id, bucket, event_name, key)" in inspect.getsource(notifications)
    source = inspect.getsource(notifications)
    assert '"eTag": key.etag.replace' in source
    assert '"N4N7GDK58NMKJ12R"' in source
