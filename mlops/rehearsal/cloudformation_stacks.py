"""Stacks, their resources, events and change sets: what the emulated CloudFormation remembers."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mlops.rehearsal.cloudformation_resource import Made


@dataclass
class Resource:
    """A resource of a stack as it was last made or changed."""

    logical_id: str
    type_name: str
    made: Made
    properties: Mapping[str, Any]
    """The evaluated properties, tags of the stack included."""
    raw: Mapping[str, Any]
    """The resource as the template has it: its policies and metadata."""
    status: str = "CREATE_COMPLETE"
    reason: str | None = None
    updated: datetime = field(default_factory=lambda: datetime.now(UTC))
    needs: frozenset[str] = frozenset()
    """The logical ids that it was made after; it is deleted before them."""


@dataclass
class Stack:
    """A stack."""

    name: str
    stack_id: str
    account: str
    region: str
    status: str = "REVIEW_IN_PROGRESS"
    reason: str | None = None
    body: str = ""
    template: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    """The values given, not the defaults."""
    resolved: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    role_arn: str | None = None
    capabilities: list[str] = field(default_factory=list)
    notification_arns: list[str] = field(default_factory=list)
    resources: dict[str, Resource] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    imports: set[str] = field(default_factory=set)
    protected: bool = False
    change_set_id: str | None = None
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated: datetime | None = None
    deleted: datetime | None = None
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def busy(self) -> bool:
        """Whether an operation is running."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    def move(self, status: str, reason: str | None = None, *, shown: str | None = None) -> None:
        """Give the stack itself another status and tell it in an event; `shown` is the reason in DescribeStacks."""
        self.reason = shown or reason
        self.status = status
        if status == "UPDATE_IN_PROGRESS":
            self.updated = datetime.now(UTC)
        if status == "DELETE_COMPLETE":
            self.deleted = datetime.now(UTC)
        self.tell(self.name, "AWS::CloudFormation::Stack", self.stack_id, status, reason)

    def tell(self, logical_id: str, type_name: str, physical_id: str, status: str, reason: str | None = None) -> None:
        """Append an event."""
        event: dict[str, Any] = {
            "StackId": self.stack_id,
            "EventId": str(uuid.uuid4()),
            "StackName": self.name,
            "LogicalResourceId": logical_id,
            "PhysicalResourceId": physical_id,
            "ResourceType": type_name,
            "Timestamp": datetime.now(UTC),
            "ResourceStatus": status,
        }
        if reason:
            event["ResourceStatusReason"] = reason
        self.events.append(event)


@dataclass
class ChangeSet:
    """A change set; `changes` is empty when nothing changes."""

    name: str
    change_set_id: str
    stack: Stack
    kind: str
    body: str
    template: dict[str, Any]
    parameters: dict[str, str]
    resolved: dict[str, Any]
    tags: dict[str, str]
    role_arn: str | None
    capabilities: list[str]
    description: str | None
    on_failure: str
    changes: list[dict[str, Any]] = field(default_factory=list)
    status: str = "CREATE_COMPLETE"
    execution: str = "AVAILABLE"
    reason: str | None = None
    created: datetime = field(default_factory=lambda: datetime.now(UTC))


class Store:
    """The stacks of one account and region."""

    def __init__(self, account: str, region: str) -> None:
        self.account = account
        self.region = region
        self.lock = threading.RLock()
        self.stacks: dict[str, Stack] = {}
        self.change_sets: dict[str, ChangeSet] = {}

    def arn(self, kind: str, name: str) -> str:
        """Return a new id of a stack or a change set."""
        return f"arn:aws:cloudformation:{self.region}:{self.account}:{kind}/{name}/{uuid.uuid4()}"

    def find(self, name_or_id: str) -> Stack | None:
        """Return the stack with this name, deleted ones left out, or with this id."""
        with self.lock:
            if name_or_id in self.stacks:
                return self.stacks[name_or_id]
            living = (stack for stack in self.stacks.values() if stack.status != "DELETE_COMPLETE")
            return next((stack for stack in living if stack.name == name_or_id), None)

    def find_change_set(self, name_or_id: str, stack_name: str | None) -> ChangeSet | None:
        """Return the change set with this id, or with this name in this stack."""
        with self.lock:
            if name_or_id in self.change_sets:
                return self.change_sets[name_or_id]
            stack = self.find(stack_name) if stack_name else None
            found = [one for one in self.change_sets.values() if one.stack is stack and one.name == name_or_id]
            return found[-1] if found else None

    def exports(self) -> dict[str, tuple[Stack, str]]:
        """Return every export: its name, who exports it, its value."""
        with self.lock:
            return {
                output["ExportName"]: (stack, output["OutputValue"])
                for stack in self.stacks.values()
                if stack.status != "DELETE_COMPLETE"
                for output in stack.outputs.values()
                if "ExportName" in output
            }

    def importers(self, export: str) -> list[str]:
        """Return the names of the stacks that import `export`."""
        with self.lock:
            living = (stack for stack in self.stacks.values() if stack.status != "DELETE_COMPLETE")
            return [stack.name for stack in living if export in stack.imports]
