"""Decides whether a change set may be executed without a person looking at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import StringConstraints

from lambdas.shared.access import Access
from lambdas.shared.errors import JobRefused
from lambdas.shared.events import Event, Text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

NAME = r"^[a-zA-Z][-a-zA-Z0-9]*$"

STATELESS = frozenset(
    {
        "AWS::ApplicationAutoScaling::ScalableTarget",
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        "AWS::CDK::Metadata",
        "AWS::CloudWatch::Alarm",
        "AWS::CloudWatch::CompositeAlarm",
        "AWS::CloudWatch::Dashboard",
        "AWS::Events::Rule",
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::Lambda::Alias",
        "AWS::Lambda::Function",
        "AWS::Lambda::Permission",
        "AWS::Lambda::Version",
        "AWS::Logs::MetricFilter",
        "AWS::S3::BucketPolicy",
        "AWS::SageMaker::EndpointConfig",
        "AWS::SageMaker::Model",
        "AWS::SNS::Subscription",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::QueuePolicy",
    }
)
"""Types that hold nothing: to lose one and get another is a deployment like any other.

Every other type is taken for stateful (an endpoint, a bucket, a key, a table, a nested stack that may hold any of
them), and so is one that nobody has thought of yet.
"""

_NO_CHANGES = ("didn't contain changes", "no updates are to be performed")
_SHOWN = 10


class ChangeSetParameters(Event):
    """User parameters of the action."""

    stack_name: Annotated[str, StringConstraints(pattern=NAME, max_length=128)]
    change_set_name: Annotated[str, StringConstraints(pattern=NAME, max_length=128)]
    removable: list[Text]
    """Logical ids of what may be removed although it is stateful by its type: the endpoint of a trial."""
    access: Access
    """To the account and region of the stack."""


def inspect(pages: Sequence[Mapping[str, Any]], *, removable: Collection[str] = ()) -> int:
    """Return the number of changes of a change set that may be executed.

    Args:
        pages: of DescribeChangeSet, at least one.
        removable: logical ids of what may be removed or replaced, whatever it is.

    Raises:
        JobRefused: the change set is not ready, or would replace or remove something stateful; all of it is named.
    """
    first = pages[0]
    status, reason = first["Status"], first.get("StatusReason", "")
    if status == "FAILED" and any(words in reason.lower() for words in _NO_CHANGES):
        return 0
    name = f"change set {first['ChangeSetName']} of stack {first['StackName']}"
    if status != "CREATE_COMPLETE" or first.get("ExecutionStatus") != "AVAILABLE":
        execution = first.get("ExecutionStatus", "unknown")
        msg = f"{name} cannot be executed: it is {status}, execution {execution}. {reason}".rstrip(". ")
        raise JobRefused(msg)
    changes = [change for page in pages for change in page.get("Changes", [])]
    refusals = [refusal for change in changes if (refusal := refuse(change, removable))]
    if refusals:
        more = f", and {len(refusals) - _SHOWN} more" if len(refusals) > _SHOWN else ""
        remedy = "execute it by hand after a review, or take the change back"
        msg = f"{name} would lose state: {'; '.join(refusals[:_SHOWN])}{more}; {remedy}"
        raise JobRefused(msg)
    return len(changes)


def refuse(change: Mapping[str, Any], removable: Collection[str] = ()) -> str | None:
    """Return why `change` must not be executed, or None when it may."""
    resource = change.get("ResourceChange")
    if change.get("Type") != "Resource" or not resource:
        return f"a change of the unknown kind {change.get('Type')}"
    action, kind = resource.get("Action"), resource.get("ResourceType", "unknown type")
    # A Modify without this field is not known to keep the resource.
    replacement = resource.get("Replacement", "unknown") if action == "Modify" else None
    described = f"{resource.get('LogicalResourceId')} ({kind}): {action}"
    described += f", replacement {replacement}" if replacement else ""
    if action == "Add" or (action == "Modify" and replacement == "False"):
        return None
    free = kind in STATELESS or resource.get("LogicalResourceId") in removable
    if action in {"Modify", "Remove"} and free:
        return None
    return described
