"""The actions of CloudFormation's API on stacks, as moto parsed them."""

from __future__ import annotations

from typing import Any

from mlops.rehearsal.cloudformation_api import action, change_set_of, flag, get, present, request, stack_of
from mlops.rehearsal.cloudformation_service import RefusedError, Service
from mlops.rehearsal.cloudformation_stacks import Stack
from mlops.rehearsal.cloudformation_template import TemplateError, parse


@action
def create_stack(service_: Service, response: Any) -> dict[str, Any]:
    """CreateStack."""
    failure = get(response, "OnFailure") or "ROLLBACK"
    if flag(response, "DisableRollback"):
        failure = "DO_NOTHING"
    protected = flag(response, "EnableTerminationProtection")
    stack = service_.create_stack(request(response), on_failure=failure, protected=protected)
    return {"StackId": stack.stack_id}


@action
def update_stack(service_: Service, response: Any) -> dict[str, Any]:
    """UpdateStack."""
    return {"StackId": service_.update_stack(request(response)).stack_id}


@action
def delete_stack(service_: Service, response: Any) -> dict[str, Any]:
    """DeleteStack."""
    service_.delete_stack(get(response, "StackName"), get(response, "RoleARN"))
    return {}


@action
def update_termination_protection(service_: Service, response: Any) -> dict[str, Any]:
    """UpdateTerminationProtection."""
    stack = stack_of(service_, get(response, "StackName"))
    stack.protected = flag(response, "EnableTerminationProtection")
    return {"StackId": stack.stack_id}


@action
def describe_stacks(service_: Service, response: Any) -> dict[str, Any]:
    """DescribeStacks."""
    name = get(response, "StackName")
    if name:
        return {"Stacks": [_described(stack_of(service_, name))]}
    living = [stack for stack in service_.store.stacks.values() if stack.status != "DELETE_COMPLETE"]
    return {"Stacks": [_described(stack) for stack in living]}


def _described(stack: Stack) -> dict[str, Any]:
    hidden = {key for key, slot in stack.template.get("Parameters", {}).items() if slot.get("NoEcho")}
    values = {
        key: str(stack.parameters.get(key, slot.get("Default", "")))
        for key, slot in stack.template.get("Parameters", {}).items()
    }
    return present(
        StackId=stack.stack_id,
        StackName=stack.name,
        ChangeSetId=stack.change_set_id,
        Description=stack.template.get("Description"),
        Parameters=[
            {"ParameterKey": key, "ParameterValue": "****" if key in hidden else value} for key, value in values.items()
        ],
        CreationTime=stack.created,
        LastUpdatedTime=stack.updated,
        DeletionTime=stack.deleted,
        StackStatus=stack.status,
        StackStatusReason=stack.reason,
        DisableRollback=False,
        NotificationARNs=stack.notification_arns,
        Capabilities=stack.capabilities,
        Outputs=list(stack.outputs.values()) or None,
        RoleARN=stack.role_arn,
        Tags=[{"Key": key, "Value": value} for key, value in stack.tags.items()],
        EnableTerminationProtection=stack.protected,
        DriftInformation={"StackDriftStatus": "NOT_CHECKED"},
    )


@action
def list_stacks(service_: Service, response: Any) -> dict[str, Any]:
    """ListStacks."""
    wanted = get(response, "StackStatusFilter", [])
    names = (
        "StackId",
        "StackName",
        "CreationTime",
        "StackStatus",
        "StackStatusReason",
        "DeletionTime",
        "LastUpdatedTime",
    )
    stacks = [_described(stack) for stack in service_.store.stacks.values() if not wanted or stack.status in wanted]
    return {"StackSummaries": [{name: stack[name] for name in names if name in stack} for stack in stacks]}


@action
def describe_stack_events(service_: Service, response: Any) -> dict[str, Any]:
    """DescribeStackEvents: the newest first, a hundred a page."""
    events = stack_of(service_, get(response, "StackName")).events[::-1]
    start = int(get(response, "NextToken") or 0)
    more = {"NextToken": str(start + 100)} if len(events) > start + 100 else {}
    return {"StackEvents": events[start : start + 100], **more}


@action
def get_template(service_: Service, response: Any) -> dict[str, Any]:
    """GetTemplate."""
    if get(response, "ChangeSetName"):
        body = change_set_of(service_, response).body
    else:
        body = stack_of(service_, get(response, "StackName")).body
    return {"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]}


@action
def get_template_summary(service_: Service, response: Any) -> dict[str, Any]:
    """GetTemplateSummary."""
    body = request(response).body
    if not body:
        body = stack_of(service_, get(response, "StackName")).body
    try:
        template = parse(body)
    except TemplateError as error:
        raise RefusedError(str(error)) from error
    slots = template.get("Parameters", {}).items()
    return present(
        Parameters=[
            present(
                ParameterKey=key,
                ParameterType=slot.get("Type", "String"),
                Description=slot.get("Description"),
                DefaultValue=str(slot["Default"]) if "Default" in slot else None,
                NoEcho=bool(slot.get("NoEcho")),
            )
            for key, slot in slots
        ],
        Description=template.get("Description"),
        ResourceTypes=sorted({one["Type"] for one in template["Resources"].values()}),
        Version=template.get("AWSTemplateFormatVersion"),
    )


@action
def validate_template(service_: Service, response: Any) -> dict[str, Any]:
    """ValidateTemplate."""
    summary = get_template_summary(service_, response)
    names = ("ParameterKey", "DefaultValue", "NoEcho", "Description")
    return {
        "Parameters": [{name: one[name] for name in names if name in one} for one in summary["Parameters"]],
        **({"Description": summary["Description"]} if "Description" in summary else {}),
    }
