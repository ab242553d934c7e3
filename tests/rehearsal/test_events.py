from __future__ import annotations

import io
import json
import time
import uuid
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from mlops.rehearsal import credentials, events
from mlops.rehearsal.server import EmulatedAws
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase


@pytest.fixture
def source() -> str:
    """A source of events that only one test knows."""
    return f"test.{uuid.uuid4().hex}"


def soon(look: Callable[[], Any], seconds: float = 5.0) -> Any:
    limit = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < limit:
        time.sleep(0.05)
    return found


def queue(aws: EmulatedAws, *, admits_events: bool = True) -> tuple[str, str]:
    name = f"q-{uuid.uuid4().hex[:10]}"
    arn = f"arn:aws:sqs:{aws.region}:{aws.account}:{name}"
    sqs = credentials.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    if admits_events:
        source = {"ArnLike": {"aws:SourceArn": f"arn:aws:events:{aws.region}:{aws.account}:rule/*"}}
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": source,
        }
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    return arn, url


def messages(url: str) -> list[dict[str, Any]]:
    answer = credentials.client("sqs").receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    )
    return list(answer.get("Messages", []))


def rule(source: str, *targets: dict[str, Any], pattern: dict[str, Any] | None = None, **options: Any) -> str:
    client, name = credentials.client("events"), source.replace(".", "-")
    client.put_rule(Name=name, EventPattern=json.dumps({"source": [source], **(pattern or {})}), **options)
    client.put_targets(Rule=name, Targets=[{"Id": str(index), **target} for index, target in enumerate(targets)])
    return name


def test_queue_gets_the_event_as_the_target_wants_it(aws: EmulatedAws, source: str) -> None:
    arn, url = queue(aws)
    transformer = {"InputPathsMap": {"n": "$.detail.n"}, "InputTemplate": '{"number": <n>}'}
    rule(source, {"Arn": arn}, {"Arn": arn, "InputTransformer": transformer})
    identifier = events.emit(source, "Thing Happened", {"n": 7}, ["arn:aws:thing"])
    bodies: list[Any] = []

    def both() -> bool:
        bodies.extend(json.loads(one["Body"]) for one in messages(url))
        return len(bodies) == 2

    assert soon(both)
    assert {"number": 7} in bodies
    whole = next(body for body in bodies if "detail" in body)
    assert (whole["id"], whole["detail-type"], whole["detail"]) == (identifier, "Thing Happened", {"n": 7})
    assert (whole["account"], whole["region"], whole["resources"]) == (aws.account, aws.region, ["arn:aws:thing"])


def test_put_events_reaches_the_same_targets(aws: EmulatedAws, source: str) -> None:
    arn, url = queue(aws)
    rule(source, {"Arn": arn})
    credentials.client("events").put_events(Entries=[{"Source": source, "DetailType": "x", "Detail": '{"n": 1}'}])
    (message,) = soon(lambda: messages(url))
    body = json.loads(message["Body"])
    assert body["detail"] == {"n": 1}
    assert "ingestion-time" not in body


def test_queue_without_a_policy_gets_nothing_and_the_dead_letter_queue_says_why(aws: EmulatedAws, source: str) -> None:
    closed, closed_url = queue(aws, admits_events=False)
    dead, dead_url = queue(aws)
    name = rule(source, {"Arn": closed, "DeadLetterConfig": {"Arn": dead}})
    events.emit(source, "x", {"n": 1})
    (message,) = soon(lambda: messages(dead_url))
    attributes = {key: value["StringValue"] for key, value in message["MessageAttributes"].items()}
    assert attributes["ERROR_CODE"] == "NO_PERMISSIONS"
    assert "sqs:SendMessage" in attributes["ERROR_MESSAGE"]
    assert attributes["TARGET_ARN"] == closed
    assert attributes["RULE_ARN"].endswith(f"rule/{name}")
    assert json.loads(message["Body"])["detail"] == {"n": 1}
    assert messages(closed_url) == []


def test_state_machine_that_is_gone_ends_in_the_dead_letter_queue(aws: EmulatedAws, source: str) -> None:
    dead, dead_url = queue(aws)
    role = a_role("states:StartExecution")
    machine = f"arn:aws:states:{aws.region}:{aws.account}:stateMachine:gone"
    rule(source, {"Arn": machine, "RoleArn": role, "DeadLetterConfig": {"Arn": dead}})
    events.emit(source, "x", {})
    (message,) = soon(lambda: messages(dead_url))
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_RESOURCE"


def a_role(*actions: str, principal: str = "events.amazonaws.com") -> str:
    iam, name = credentials.client("iam"), f"r-{uuid.uuid4().hex[:10]}"
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": principal}, "Action": "sts:AssumeRole"}]}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    if actions:
        document = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}],
        }
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(document))
    return str(arn)


@pytest.mark.parametrize("allowed", [True, False])
def test_state_machine_is_started_with_the_role_of_the_target(aws: EmulatedAws, source: str, *, allowed: bool) -> None:
    dead, dead_url = queue(aws)
    states = credentials.client("stepfunctions")
    definition = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
    machine = states.create_state_machine(
        name=source.replace(".", "-"), definition=definition, roleArn=a_role(principal="states.amazonaws.com")
    )["stateMachineArn"]
    role = a_role("states:StartExecution") if allowed else a_role("states:StopExecution")
    rule(source, {"Arn": machine, "RoleArn": role, "DeadLetterConfig": {"Arn": dead}})
    events.emit(source, "x", {"n": 1})
    if allowed:
        (run,) = soon(lambda: states.list_executions(stateMachineArn=machine)["executions"])
        assert json.loads(states.describe_execution(executionArn=run["executionArn"])["input"])["detail"] == {"n": 1}
    else:
        (message,) = soon(lambda: messages(dead_url))
        assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"
        assert "states:StartExecution" in message["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"]


def test_topic_needs_a_policy_that_admits_eventbridge(aws: EmulatedAws, source: str) -> None:
    dead, dead_url = queue(aws)
    sns = credentials.client("sns")
    topic = sns.create_topic(Name=source.replace(".", "-"))["TopicArn"]
    rule(source, {"Arn": topic, "DeadLetterConfig": {"Arn": dead}})
    events.emit(source, "x", {"n": 1})
    (message,) = soon(lambda: messages(dead_url))
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic,
    }
    sns.set_topic_attributes(
        TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps({"Statement": [statement]})
    )
    target, url = queue(aws)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=target, Attributes={"RawMessageDelivery": "true"})
    events.emit(source, "x", {"n": 2})
    (message,) = soon(lambda: messages(url))
    assert json.loads(message["Body"])["detail"] == {"n": 2}


HANDLER = """
import boto3, json, os

def handle(event, context):
    boto3.client("ssm").put_parameter(Name=event["detail"]["name"], Value=event["id"], Type="String")
"""


@pytest.mark.parametrize("right_rule", [True, False])
def test_function_needs_a_permission_for_the_very_rule(aws: EmulatedAws, source: str, *, right_rule: bool) -> None:
    dead, dead_url = queue(aws)
    name, buffer = source.replace(".", "-"), io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", HANDLER)
    lambda_ = credentials.client("lambda")
    arn = lambda_.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="index.handle",
        Role=a_role("ssm:PutParameter", "logs:*", principal="lambda.amazonaws.com"),
        Code={"ZipFile": buffer.getvalue()},
        Timeout=20,
    )["FunctionArn"]
    allowed = name if right_rule else "another"
    lambda_.add_permission(
        FunctionName=name,
        StatementId="1",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=f"arn:aws:events:{aws.region}:{aws.account}:rule/{allowed}",
    )
    rule(source, {"Arn": arn, "DeadLetterConfig": {"Arn": dead}})
    identifier = events.emit(source, "x", {"name": f"/{name}"})
    if right_rule:
        found = soon(lambda: credentials.client("ssm").get_parameters(Names=[f"/{name}"])["Parameters"], 20)
        assert found[0]["Value"] == identifier
    else:
        (message,) = soon(lambda: messages(dead_url))
        assert "lambda:InvokeFunction" in message["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"]


def test_disabled_rule_and_rule_with_only_a_schedule_get_nothing(aws: EmulatedAws, source: str) -> None:
    arn, url = queue(aws)
    rule(source, {"Arn": arn}, State="DISABLED")
    client, other = credentials.client("events"), f"{source.replace('.', '-')}-s"
    client.put_rule(Name=other, ScheduleExpression="rate(1 day)")
    client.put_targets(Rule=other, Targets=[{"Id": "1", "Arn": arn}])
    events.emit(source, "x", {})
    time.sleep(0.3)
    assert messages(url) == []
    client.remove_targets(Rule=other, Ids=["1"])
    client.delete_rule(Name=other)


def test_timeline_tells_of_every_delivery(aws: EmulatedAws, source: str) -> None:
    arn, url = queue(aws)
    name = rule(source, {"Arn": arn})
    events.emit(source, "Thing Happened", {})
    assert soon(lambda: messages(url))
    (told,) = soon(lambda: [event for event in TIMELINE.events(Kind.EVENT) if event.name == name])
    assert told.phase is Phase.SUCCEEDED
    assert told.detail["target"] == arn


@pytest.mark.parametrize(
    ("pattern", "detail", "matches"),
    [
        ({"key": [{"prefix": "churn/"}]}, {"key": "churn/data.csv"}, True),
        ({"key": [{"prefix": "churn/"}]}, {"key": "other/data.csv"}, False),
        ({"key": [{"suffix": ".csv"}]}, {"key": "churn/data.csv"}, True),
        ({"key": [{"wildcard": "churn/*.csv"}]}, {"key": "churn/data.csv"}, True),
        ({"key": [{"anything-but": ["a", "b"]}]}, {"key": "c"}, True),
        ({"key": [{"anything-but": ["a", "b"]}]}, {"key": "a"}, False),
        ({"key": [{"anything-but": {"prefix": "tmp/"}}]}, {"key": "tmp/x"}, False),
        ({"size": [{"numeric": [">", 0, "<=", 5]}]}, {"size": 5}, True),
        ({"size": [{"numeric": [">", 0]}]}, {"size": 0}, False),
        ({"version-id": [{"exists": True}]}, {"version-id": "v"}, True),
        ({"version-id": [{"exists": True}]}, {}, False),
        ({"version-id": [{"exists": False}]}, {}, True),
        ({"state": ["FAILED", "CANCELED"]}, {"state": "CANCELED"}, True),
        ({"$or": [{"a": [1]}, {"b": [2]}]}, {"b": 2}, True),
    ],
)
def test_patterns_match_as_eventbridge_documents(
    aws: EmulatedAws,  # noqa: ARG001 - imports moto with its environment
    pattern: dict[str, Any],
    detail: dict[str, Any],
    *,
    matches: bool,
) -> None:
    from moto.events.models import EventPattern  # noqa: PLC0415 - after the environment is set

    event: Any = {"source": "s", "detail": detail}
    assert EventPattern.load(json.dumps({"detail": pattern})).matches_event(event) is matches


def test_moto_still_has_the_gaps(aws: EmulatedAws) -> None:  # noqa: ARG001 - imports moto with its environment
    import inspect  # noqa: PLC0415 - after the environment is set

    import moto.events.models as moto_events  # noqa: PLC0415 - after the environment is set

    source = inspect.getsource(moto_events)
    assert 'raise NotImplementedError(f"Expr not defined for {type(self)}")' in source
    assert "DeadLetterConfig" not in source.split("class EventsBackend")[0].split("class EventBus")[0]
    assert set(inspect.signature(moto_events.Rule.send_to_targets).parameters) >= {"original_event", "transform_input"}


def test_a_rule_with_a_schedule_sends_its_event_when_its_time_comes(aws: EmulatedAws, source: str) -> None:
    arn, url = queue(aws)
    client, name = credentials.client("events"), source.replace(".", "-")
    client.put_rule(Name=name, ScheduleExpression="rate(7 days)")
    client.put_targets(Rule=name, Targets=[{"Id": "q", "Arn": arn}])
    identifier = events.run_schedule(name)
    body = json.loads(soon(lambda: messages(url))[0]["Body"])
    assert (body["id"], body["source"], body["detail-type"]) == (identifier, "aws.events", "Scheduled Event")
    assert body["resources"] == [f"arn:aws:events:{aws.region}:{aws.account}:rule/{name}"]


@pytest.mark.parametrize("expression", [{"EventPattern": '{"source": ["x"]}'}, {"ScheduleExpression": "rate(1 day)"}])
def test_only_an_enabled_rule_with_a_schedule_has_a_time(
    aws: EmulatedAws, source: str, expression: dict[str, str]
) -> None:
    assert aws.running
    state = "DISABLED" if "ScheduleExpression" in expression else "ENABLED"
    credentials.client("events").put_rule(Name=source.replace(".", "-"), State=state, **expression)
    with pytest.raises(LookupError, match="no enabled rule"):
        events.run_schedule(source.replace(".", "-"))
