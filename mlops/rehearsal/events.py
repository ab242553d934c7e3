"""EventBridge of the emulated accounts: rules reach their targets, and what cannot be delivered reaches the DLQ.

Gaps of moto that are closed here: it delivers to log groups and queues only, refuses every other target, gives an event
that crosses to another bus a new sender, looks for every bus in the caller's account, ignores that a rule is disabled,
lets a rule that only has a schedule match everything, never retries, knows no dead-letter queue, and asks nobody for
permission. Matching stays moto's.
"""

from __future__ import annotations

import json
import os
import threading
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from mlops.rehearsal import accounts, events_targets
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase

NOT_REHEARSED: tuple[tuple[str, str], ...] = (
    ("the clock of EventBridge rules with a schedule", "their event is sent when the rehearsal says so"),
    ("the waiting time between retries of EventBridge", f"{events_targets.MOST_ATTEMPTS} attempts are made at once"),
)

_generation = 0
_lock = threading.Lock()


def install() -> None:
    """Put our delivery behind moto's rules."""
    from moto.events.models import EventsBackend, Rule  # noqa: PLC0415 - moto is imported late

    rule_class: Any = Rule
    others = rule_class.send_to_targets
    put_here = EventsBackend.put_events

    def send_to_targets(rule: Any, original_event: Mapping[str, Any], transform_input: bool = True) -> None:  # noqa: FBT001, FBT002 - moto's signature
        if rule.state != "ENABLED" or not rule.event_pattern.get_pattern():
            return
        event = _as_delivered(original_event)
        if not rule.event_pattern.matches_event(event):
            return
        for target in list(rule.targets):
            if events_targets.knows(target):
                _start(rule, target, event)
        rest = [target for target in rule.targets if not events_targets.knows(target)]
        if rest:
            copy = rule_class.__new__(rule_class)
            copy.__dict__.update(rule.__dict__, targets=rest)
            others(copy, {"ingestion-time": 0.0, **original_event}, transform_input)

    def put_events(self: Any, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            _put_elsewhere(self, event) if _elsewhere(self, event) else put_here(self, [event])[0] for event in events
        ]

    rule_class.send_to_targets = send_to_targets
    EventsBackend.put_events = put_events  # type: ignore[method-assign]


def reset() -> None:
    """Forget deliveries that are still under way."""
    global _generation  # noqa: PLW0603 - one emulated AWS at a time
    with _lock:
        _generation += 1


shutdown = reset


def emit(
    source: str,
    detail_type: str,
    detail: Mapping[str, Any],
    resources: Sequence[str] = (),
    *,
    account: str | None = None,
    region: str | None = None,
) -> str:
    """Send an event of an AWS service to the default bus of an account and region; return its id."""
    account, region = account or accounts.main(), region or os.environ["AWS_REGION"]
    event = _event(source, detail_type, detail, resources, account=account, region=region)
    send_to_bus(f"arn:aws:events:{region}:{account}:event-bus/default", event)
    return str(event["id"])


def send_to_bus(arn: str, event: Mapping[str, Any]) -> None:
    """Let the rules of a bus see an event.

    Raises:
        LookupError: there is no such bus.

    """
    from moto.events.models import events_backends  # noqa: PLC0415 - moto is imported late

    _, _, _, region, account, resource = arn.split(":", 5)
    bus = events_backends[account][region].event_buses.get(resource.removeprefix("event-bus/"))
    if bus is None:
        msg = f"Event bus {arn} does not exist."
        raise LookupError(msg)
    rules: list[Any] = list(bus.rules.values())
    for rule in rules:
        rule.send_to_targets(event)


def run_schedule(rule_name: str, *, account: str | None = None, region: str | None = None) -> str:
    """Let the time of a rule with a schedule come: send its event to its targets; return the event's id.

    Raises:
        LookupError: there is no such rule, it has no schedule, or it is disabled.

    """
    from moto.events.models import events_backends  # noqa: PLC0415 - moto is imported late

    account, region = account or accounts.main(), region or os.environ["AWS_REGION"]
    rule: Any = events_backends[account][region].event_buses["default"].rules.get(rule_name)
    if rule is None or not rule.scheduled_expression or rule.state != "ENABLED":
        msg = f"there is no enabled rule {rule_name} with a schedule in {region}"
        raise LookupError(msg)
    event = _event("aws.events", "Scheduled Event", {}, [rule.arn], account=account, region=region)
    for target in list(rule.targets):
        _start(rule, target, event)
    return str(event["id"])


def _elsewhere(backend: Any, event: Mapping[str, Any]) -> bool:
    """Whether an entry of PutEvents is complete, and for a bus of another account or region."""
    arn = str(event.get("EventBusName"))
    here = f"arn:aws:events:{backend.region_name}:{backend.account_id}:"
    complete = all(event.get(name) for name in ("Source", "DetailType", "Detail"))
    return arn.startswith("arn:") and not arn.startswith(here) and complete


def _put_elsewhere(backend: Any, event: Mapping[str, Any]) -> dict[str, Any]:
    try:
        detail = json.loads(event["Detail"])
    except ValueError:
        return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
    sent = _event(
        event["Source"],
        event["DetailType"],
        detail,
        event.get("Resources", []),
        account=backend.account_id,
        region=backend.region_name,
    )
    try:
        send_to_bus(event["EventBusName"], sent)
    except LookupError as error:
        return {"ErrorCode": "ResourceNotFoundException", "ErrorMessage": str(error)}
    return {"EventId": sent["id"]}


def _event(
    source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str], *, account: str, region: str
) -> dict[str, Any]:
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": account,
        "time": _time(datetime.now(UTC)),
        "region": region,
        "resources": list(resources),
        "detail": json.loads(json.dumps(detail, default=str)),
    }


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _as_delivered(event: Mapping[str, Any]) -> dict[str, Any]:
    moment = event.get("time")
    if isinstance(moment, int | float):
        moment = _time(datetime.fromtimestamp(moment, UTC))
    elif isinstance(moment, datetime):
        moment = _time(moment)
    internal = {"ingestion-time", "event-bus-name", "replay-name"}
    return {
        **{key: value for key, value in event.items() if key not in internal},
        "time": moment or _time(datetime.now(UTC)),
    }


def _start(rule: Any, target: Mapping[str, Any], event: Mapping[str, Any]) -> None:
    generation = _generation
    delivery = events_targets.Delivery(
        rule_name=rule.name,
        rule_arn=rule.arn,
        account=rule.account_id,
        region=rule.region_name,
        target=target,
        event=event,
        wanted=lambda: generation == _generation,
        send_to_bus=send_to_bus,
    )
    threading.Thread(target=_deliver, args=(delivery,), name=f"event-{rule.name}", daemon=True).start()


def _deliver(delivery: events_targets.Delivery) -> None:
    outcome = delivery.run()
    if not delivery.wanted():
        return
    TIMELINE.emit(
        Kind.EVENT,
        delivery.rule_name,
        Phase.FAILED if outcome.error else Phase.SUCCEEDED,
        source=delivery.event["source"],
        detail_type=delivery.event["detail-type"],
        target=delivery.target["Arn"],
        attempts=outcome.attempts,
        **({"error": outcome.error, "dead_letter_queue": outcome.queue} if outcome.error else {}),
    )
