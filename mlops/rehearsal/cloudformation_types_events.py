"""Resource types of EventBridge."""

from __future__ import annotations

import json
from typing import Any

from mlops.rehearsal.cloudformation_resource import Call, Made, Properties, ResourceType, as_json, pick, tag_changes


class EventBus(ResourceType):
    """An event bus."""

    type_name = "AWS::Events::EventBus"
    name_property = "Name"
    properties = frozenset({"Name", "Tags"})

    def create(self, call: Call, properties: Properties) -> Made:
        """Create the bus."""
        arn = call.client("events").create_event_bus(Name=call.name, **pick(properties, "Tags"))["EventBusArn"]
        return Made(call.name, {"Arn": arn, "Name": call.name})

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:
        """Change the tags."""
        _change_tags(call.client("events"), made, before, after)
        return made

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Delete the bus."""
        call.client("events").delete_event_bus(Name=made.physical_id)


class EventBusPolicy(ResourceType):
    """One statement of the policy of an event bus."""

    type_name = "AWS::Events::EventBusPolicy"
    properties = frozenset({"EventBusName", "StatementId", "Statement"})

    def create(self, call: Call, properties: Properties) -> Made:
        """Add the statement to those that the bus has."""
        events, bus, sid = call.client("events"), _bus_of(properties), properties["StatementId"]
        known = json.loads(events.describe_event_bus(Name=bus).get("Policy") or '{"Statement": []}')["Statement"]
        given = properties["Statement"]
        statement = {**(json.loads(given) if isinstance(given, str) else given), "Sid": sid}
        # moto keeps one statement for each principal unless all of them are put together.
        policy = {"Version": "2012-10-17", "Statement": [*(one for one in known if one["Sid"] != sid), statement]}
        events.put_permission(EventBusName=bus, Policy=json.dumps(policy))
        return Made(f"{bus}|{sid}")

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:  # noqa: ARG002
        """Put the statement again."""
        return self.create(call, after)

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Remove the statement."""
        call.client("events").remove_permission(EventBusName=_bus_of(properties), StatementId=properties["StatementId"])


def _bus_of(properties: Properties) -> str:
    return str(properties.get("EventBusName", "default"))


def _change_tags(events: Any, made: Made, before: Properties, after: Properties) -> None:
    gone, tags = tag_changes(before, after)
    if gone:
        events.untag_resource(ResourceARN=made.attributes["Arn"], TagKeys=gone)
    if tags:
        events.tag_resource(ResourceARN=made.attributes["Arn"], Tags=tags)


class Rule(ResourceType):
    """An EventBridge rule with its targets."""

    type_name = "AWS::Events::Rule"
    name_property = "Name"
    properties = frozenset(
        {
            "Name",
            "Description",
            "EventPattern",
            "ScheduleExpression",
            "State",
            "RoleArn",
            "EventBusName",
            "Targets",
            "Tags",
        }
    )

    def create(self, call: Call, properties: Properties) -> Made:
        """Put the rule and its targets."""
        made = Made(call.name, {"Arn": self._put(call, call.name, properties, Tags=list(properties.get("Tags", [])))})
        call.begun(made)
        self._targets(call, made, {}, properties)
        return made

    @staticmethod
    def _put(call: Call, name: str, properties: Properties, **more: Any) -> str:
        given = pick(properties, "Description", "ScheduleExpression", "State", "RoleArn", "EventBusName")
        if "EventPattern" in properties:
            given["EventPattern"] = as_json(properties["EventPattern"])
        return str(call.client("events").put_rule(Name=name, **given, **more)["RuleArn"])

    @staticmethod
    def _targets(call: Call, made: Made, before: Properties, after: Properties) -> None:
        events, bus = call.client("events"), pick(after, "EventBusName")
        targets = after.get("Targets", [])
        kept = {target["Id"] for target in targets}
        gone = [target["Id"] for target in before.get("Targets", []) if target["Id"] not in kept]
        if gone:
            events.remove_targets(Rule=made.physical_id, Ids=gone, **bus)
        if targets:
            answer = events.put_targets(Rule=made.physical_id, Targets=targets, **bus)
            if answer.get("FailedEntryCount"):
                msg = f"PutTargets failed: {answer['FailedEntries']}"
                raise RuntimeError(msg)

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:
        """Put rule and targets again; targets that are gone are removed."""
        self._put(call, made.physical_id, after)
        self._targets(call, made, before, after)
        _change_tags(call.client("events"), made, before, after)
        return made

    def delete(self, call: Call, made: Made, properties: Properties) -> None:
        """Remove the targets, then the rule."""
        events, bus = call.client("events"), pick(properties, "EventBusName")
        ids = [target["Id"] for target in properties.get("Targets", [])]
        if ids:
            events.remove_targets(Rule=made.physical_id, Ids=ids, **bus)
        events.delete_rule(Name=made.physical_id, **bus)
