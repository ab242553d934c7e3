from __future__ import annotations

import json
import time

import pytest

from mlops.rehearsal import credentials, lambda_async, lambda_functions
from mlops.rehearsal.timeline import TIMELINE, Kind
from tests.rehearsal import iam_world, lambda_world

pytestmark = pytest.mark.usefixtures("aws")
FAILING = "def handle(event, context): raise RuntimeError('no ' + event['what'])"
SLOW = "import time\ndef handle(event, context):\n    time.sleep(1)\n    return 'done'"


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lambda_async, "RETRY_SECONDS", (0.05, 0.05))


def attempts(name: str) -> int:
    return sum(1 for event in TIMELINE.events(Kind.LAMBDA) if event.name == name and event.phase == "started")


def sender(arn: str) -> str:
    return iam_world.role(lambda_world.LOGS, iam_world.allow("sqs:SendMessage", on=arn))


def test_an_event_is_accepted_before_the_function_is_done() -> None:
    name = lambda_world.function(SLOW)
    began = time.monotonic()
    answer = lambda_world.invoke(name, InvocationType="Event")
    assert (answer.status, answer.payload) == (202, None)
    assert time.monotonic() - began < 1
    assert lambda_functions.wait_until_idle(30)
    assert attempts(name) == 1


def test_a_failing_event_is_tried_three_times_and_ends_as_a_dead_letter() -> None:
    url, arn = lambda_world.queue("dead")
    name = lambda_world.function(FAILING, role=sender(arn), DeadLetterConfig={"TargetArn": arn})
    lambda_world.invoke(name, {"what": "luck"}, InvocationType="Event")
    assert lambda_functions.wait_until_idle(30)
    assert attempts(name) == 3
    (message,) = lambda_world.messages(url)
    assert json.loads(message["Body"]) == {"what": "luck"}
    assert message["MessageAttributes"]["ErrorMessage"]["StringValue"] == "no luck"


def test_a_failing_event_reaches_the_failure_destination_with_request_and_response() -> None:
    url, arn = lambda_world.queue("failed")
    name = lambda_world.function(FAILING, role=sender(arn))
    credentials.client("lambda").put_function_event_invoke_config(
        FunctionName=name, MaximumRetryAttempts=1, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    lambda_world.invoke(name, {"what": "way"}, InvocationType="Event")
    assert lambda_functions.wait_until_idle(30)
    (message,) = lambda_world.messages(url)
    record = json.loads(message["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == attempts(name) == 2
    assert record["requestPayload"] == {"what": "way"}
    assert record["responsePayload"]["errorType"] == "RuntimeError"


def test_a_later_configuration_replaces_an_earlier_one() -> None:
    name = lambda_world.function(FAILING)
    client = credentials.client("lambda")
    client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=2)
    client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
    lambda_world.invoke(name, {"what": "retry"}, InvocationType="Event")
    assert lambda_functions.wait_until_idle(30)
    assert attempts(name) == 1


def test_a_dead_letter_that_the_role_may_no_longer_send_is_reported() -> None:
    url, arn = lambda_world.queue("closed")
    role = sender(arn)
    name = lambda_world.function(FAILING, role=role, DeadLetterConfig={"TargetArn": arn})
    credentials.client("iam").delete_role_policy(RoleName=role.rsplit("/", 1)[-1], PolicyName="policy")
    lambda_world.invoke(name, {"what": "mail"}, InvocationType="Event")
    assert lambda_functions.wait_until_idle(30)
    assert lambda_world.messages(url) == []
    assert ("sqs:SendMessage", arn, False) in iam_world.decisions(role)


def test_a_notification_invokes_a_subscribed_function_asynchronously() -> None:
    name = lambda_world.function("def handle(event, context): return event['Records'][0]['Sns']['Message']")
    sns = credentials.client("sns")
    topic = sns.create_topic(Name="invokes")["TopicArn"]
    function = f"arn:aws:lambda:{iam_world.REGION}:{iam_world.ACCOUNT}:function:{name}"
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)
    sns.publish(TopicArn=topic, Message="hello")
    assert lambda_functions.wait_until_idle(30)
    assert attempts(name) == 1


def test_a_dry_run_runs_nothing() -> None:
    name = lambda_world.function(FAILING)
    assert lambda_world.invoke(name, InvocationType="DryRun").status == 204
    assert attempts(name) == 0
