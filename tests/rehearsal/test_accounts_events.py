from __future__ import annotations

import json
import time
from typing import Any

import pytest

from mlops.rehearsal import credentials, events
from tests.rehearsal import accounts_world as world
from tests.rehearsal.iam_world import allow, document, refused

pytestmark = pytest.mark.usefixtures("aws")
PATTERN = json.dumps({"source": ["aws.sagemaker"]})
BY_EVENTS = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}


def queue(account: str, region: str = world.HERE) -> tuple[str, str]:
    """Make a queue to which EventBridge may send; return its URL and ARN."""
    sqs, name = credentials.client("sqs", account=account, region=region), world.unique("queue")
    send = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = document({**send, "Resource": "*"})
    url = sqs.create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"]
    return url, f"arn:aws:sqs:{region}:{account}:{name}"


def received(url: str, account: str, region: str = world.HERE, seconds: float = 5.0) -> dict[str, Any] | None:
    sqs = credentials.client("sqs", account=account, region=region)
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        for found in sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages", []):
            attributes = {key: value["StringValue"] for key, value in found.get("MessageAttributes", {}).items()}
            return {"body": json.loads(found["Body"]), **attributes}
        time.sleep(0.05)
    return None


def bus(*, admitted: str = "/p/handover/*", policy: bool = True) -> tuple[str, str]:
    """Make a bus in the tools account whose rule sends to a queue; return the bus's ARN and the queue's URL."""
    client, name = credentials.client("events"), world.unique("bus")
    arn = str(client.create_event_bus(Name=name)["EventBusArn"])
    if policy:
        statement = world.admit(world.DATA_SCIENCE, admitted, "events:PutEvents", on=arn)
        client.put_permission(EventBusName=name, Policy=document(statement))
    url, target = queue(world.TOOLS)
    client.put_rule(Name="heard", EventBusName=name, EventPattern=PATTERN)
    client.put_targets(Rule="heard", EventBusName=name, Targets=[{"Id": "1", "Arn": target}])
    return arn, url


def forward(arn: str, *statements: dict[str, Any], region: str = world.HERE) -> str:
    """Let a rule of the data scientists' account send to the bus; return the URL of its dead-letter queue."""
    client = credentials.client("events", account=world.DATA_SCIENCE, region=region)
    role = world.role(world.DATA_SCIENCE, *statements, trusts=BY_EVENTS, path="/p/handover/")
    url, dead = queue(world.DATA_SCIENCE, region)
    name = world.unique("rule")
    client.put_rule(Name=name, EventPattern=PATTERN)
    target = {"Id": "1", "Arn": arn, "RoleArn": role, "DeadLetterConfig": {"Arn": dead}}
    client.put_targets(Rule=name, Targets=[target])
    return url


def announce(region: str = world.HERE) -> str:
    return events.emit("aws.sagemaker", "Change", {"a": 1}, ["arn:x"], account=world.DATA_SCIENCE, region=region)


@pytest.mark.parametrize("region", [world.HERE, world.THERE])
def test_an_event_reaches_a_bus_of_another_account_as_it_was(region: str) -> None:
    arn, url = bus()
    forward(arn, allow("events:PutEvents", on=arn), region=region)
    event_id = announce(region)
    found = received(url, world.TOOLS)
    assert found is not None
    event = found["body"]
    assert (event["id"], event["source"], event["detail"]) == (event_id, "aws.sagemaker", {"a": 1})
    assert (event["account"], event["region"], event["resources"]) == (world.DATA_SCIENCE, region, ["arn:x"])


@pytest.mark.parametrize(
    ("policy", "admitted", "statements"),
    [
        (False, "", [allow("events:PutEvents")]),
        (True, "/p/intake/*", [allow("events:PutEvents")]),
        (True, "/p/handover/*", []),
    ],
)
def test_without_a_permission_of_either_side_it_reaches_the_dead_letter_queue(
    policy: bool,  # noqa: FBT001 - a case
    admitted: str,
    statements: list[dict[str, Any]],
) -> None:
    arn, url = bus(policy=policy, admitted=admitted)
    dead = forward(arn, *statements)
    announce()
    found = received(dead, world.DATA_SCIENCE)
    assert found is not None
    assert (found["ERROR_CODE"], found["TARGET_ARN"]) == ("NO_PERMISSIONS", arn)
    assert received(url, world.TOOLS, seconds=0.3) is None


def test_a_bus_that_does_not_exist_is_told_to_the_dead_letter_queue() -> None:
    arn = f"arn:aws:events:{world.HERE}:{world.DATA_SCIENCE}:event-bus/none"
    dead = forward(arn, allow("events:PutEvents"))
    announce()
    found = received(dead, world.DATA_SCIENCE)
    assert found is not None
    assert found["ERROR_CODE"] == "NO_RESOURCE"


def test_events_are_put_on_a_bus_of_another_account_by_its_arn() -> None:
    arn, url = bus()
    entry = {"EventBusName": arn, "Source": "aws.sagemaker", "DetailType": "d", "Detail": '{"b": 2}'}
    actor = world.role(world.DATA_SCIENCE, allow("events:PutEvents"), path="/p/handover/")
    answer = world.as_role(actor, "events").put_events(Entries=[entry])
    assert answer["FailedEntryCount"] == 0
    found = received(url, world.TOOLS)
    assert found is not None
    assert (found["body"]["account"], found["body"]["detail"]) == (world.DATA_SCIENCE, {"b": 2})
    other = world.role(world.DATA_SCIENCE, allow("events:PutEvents"))
    assert refused(world.as_role(other, "events").put_events, Entries=[entry]) == "AccessDeniedException"


def test_events_of_one_account_are_not_heard_in_another() -> None:
    url, target = queue(world.TOOLS)
    client, name = credentials.client("events"), world.unique("rule")
    client.put_rule(Name=name, EventPattern=PATTERN)
    client.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": target}])
    announce()
    assert received(url, world.TOOLS, seconds=0.3) is None
    events.emit("aws.sagemaker", "Change", {}, account=world.TOOLS, region=world.HERE)
    assert received(url, world.TOOLS) is not None
