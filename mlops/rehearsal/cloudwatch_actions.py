"""What follows from a change of an alarm's state: an event on the default bus, and messages to topics.

Sources: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html and
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from mlops.rehearsal import accounts, cloudwatch_queries, credentials, events, iam
from mlops.rehearsal.cloudwatch_verdicts import AlarmState, timestamp
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase

HANDLED_ELSEWHERE = (":autoscaling:",)
"""Actions that listeners of the alarms run themselves."""
_PRINCIPAL = "cloudwatch.amazonaws.com"
_SUBJECT_LENGTH = 100
_TRIGGER = (
    "MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Unit", "Period", "EvaluationPeriods",
    "DatapointsToAlarm", "ComparisonOperator", "Threshold", "TreatMissingData", "EvaluateLowSampleCountPercentile",
    "Metrics",
)  # fmt: skip

_generation = 0
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class State:
    """A state of an alarm, why it is that, for people and for programs (JSON), and since when."""

    value: AlarmState
    reason: str
    data: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An alarm changed its state, on the emulated clock; `actions` are the ARNs of what follows from that."""

    account: str
    region: str
    name: str
    arn: str
    before: State
    after: State
    specification: Mapping[str, Any]
    """The alarm as it was put."""
    actions: tuple[str, ...]


Recorder = Callable[[str, Mapping[str, Any]], None]
"""Takes the summary and the data of an item of the alarm's history."""


def begin() -> None:
    """Forget actions that are still under way."""
    global _generation  # noqa: PLW0603 - one emulated AWS at a time
    with _lock:
        _generation += 1


end = begin


def announce(change: Change, record: Recorder) -> None:
    """Send the event of a change, and run its actions, each in a thread of its own."""
    detail = {
        "alarmName": change.name,
        "state": _state(change.after),
        "previousState": _state(change.before),
        "configuration": _configuration(change.specification),
    }
    events.emit(
        "aws.cloudwatch",
        "CloudWatch Alarm State Change",
        detail,
        [change.arn],
        account=change.account,
        region=change.region,
    )
    generation = _generation
    for action in change.actions:
        if not any(kind in action for kind in HANDLED_ELSEWHERE):
            threading.Thread(
                target=_act, args=(change, action, generation, record), name=f"alarm-{change.name}", daemon=True
            ).start()


def _state(state: State) -> dict[str, Any]:
    data = {"reasonData": state.data} if state.data else {}
    return {"value": str(state.value), "reason": state.reason, **data, "timestamp": timestamp(state.at)}


def _configuration(specification: Mapping[str, Any]) -> dict[str, Any]:
    described = {"description": specification["AlarmDescription"]} if specification.get("AlarmDescription") else {}
    if specification.get("AlarmRule"):
        return {**described, "alarmRule": specification["AlarmRule"]}
    queries = cloudwatch_queries.of_alarm(specification)
    return {**described, "metrics": [_query(one) for one in queries]}


def _query(query: Mapping[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {"id": query["Id"], "returnData": query.get("ReturnData", True)}
    if "Expression" in query:
        return {
            **document,
            "expression": query["Expression"],
            **({"label": query["Label"]} if "Label" in query else {}),
        }
    stat = query["MetricStat"]
    metric = {
        "namespace": stat["Metric"]["Namespace"],
        "name": stat["Metric"]["MetricName"],
        "dimensions": {one["Name"]: one["Value"] for one in stat["Metric"].get("Dimensions") or ()},
    }
    return {**document, "metricStat": {"metric": metric, "period": stat["Period"], "stat": stat["Stat"]}}


def _act(change: Change, action: str, generation: int, record: Recorder) -> None:
    error = _publish(change, action) if ":sns:" in action else "actions of this kind are not rehearsed"
    if generation != _generation:
        return
    summary = f"{'Failed to execute' if error else 'Successfully executed'} action {action}"
    state = str(change.after.value)
    result = {"actionState": "Failed" if error else "Succeeded", "stateUpdateTo": state}
    record(summary, {**result, **({"error": error} if error else {})})
    TIMELINE.emit(
        Kind.EVENT,
        change.name,
        Phase.FAILED if error else Phase.SUCCEEDED,
        source="aws.cloudwatch",
        detail_type=f"alarm action on {state}",
        target=action,
        attempts=1,
        **({"error": error} if error else {}),
    )


def _publish(change: Change, topic: str) -> str | None:
    """Publish to a topic as CloudWatch does, if the policies of the topic and its key let it; return what failed."""
    # The policy that every topic begins with admits the owner's account by this key, and with it CloudWatch's alarms.
    context = {"aws:SourceOwner": change.account}
    decision = iam.check_service(_PRINCIPAL, "sns:Publish", topic, source_arn=change.arn, context=context)
    if not decision.allowed:
        return f"{_PRINCIPAL} is not authorized to perform {decision.action} on {decision.resource}: {decision.reason}"
    client = credentials.client("sns", account=accounts.owner_of(topic), region=topic.split(":")[3])
    subject = f'{change.after.value}: "{change.name}" in {change.region}'
    try:
        client.publish(TopicArn=topic, Subject=subject[:_SUBJECT_LENGTH], Message=json.dumps(_message(change)))
    except (ClientError, BotoCoreError) as error:
        return str(error)
    return None


def _message(change: Change) -> dict[str, Any]:
    specification = change.specification
    message: dict[str, Any] = {
        "AlarmName": change.name,
        "AlarmDescription": specification.get("AlarmDescription"),
        "AWSAccountId": change.account,
        "NewStateValue": str(change.after.value),
        "NewStateReason": change.after.reason,
        "StateChangeTime": timestamp(change.after.at),
        "Region": change.region,
        "AlarmArn": change.arn,
        "OldStateValue": str(change.before.value),
        **{name: list(specification.get(name) or ()) for name in ("OKActions", "AlarmActions")},
        "InsufficientDataActions": list(specification.get("InsufficientDataActions") or ()),
    }
    if specification.get("AlarmRule"):
        return {**message, "AlarmRule": specification["AlarmRule"]}
    dimensions = [{"name": one["Name"], "value": one["Value"]} for one in specification.get("Dimensions") or ()]
    trigger = {name: specification[name] for name in _TRIGGER if specification.get(name) is not None}
    return {**message, "Trigger": {**trigger, **({"Dimensions": dimensions} if dimensions else {})}}
