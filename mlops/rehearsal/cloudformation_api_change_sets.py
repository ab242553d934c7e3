"""The actions of CloudFormation's API on change sets, resources and exports, as moto parsed them."""

from __future__ import annotations

from typing import Any

from mlops.rehearsal.cloudformation_api import action, change_set_of, flag, get, present, request, stack_of
from mlops.rehearsal.cloudformation_service import RefusedError, Service
from mlops.rehearsal.cloudformation_stacks import Resource, Stack

# Resources, exports.


def _resource(stack: Stack, resource: Resource, *, time: str) -> dict[str, Any]:
    return present(
        LogicalResourceId=resource.logical_id,
        PhysicalResourceId=resource.made.physical_id,
        ResourceType=resource.type_name,
        ResourceStatus=resource.status,
        ResourceStatusReason=resource.reason,
        StackId=stack.stack_id,
        StackName=stack.name,
        **{time: resource.updated},
    )


@action
def describe_stack_resource(service_: Service, response: Any) -> dict[str, Any]:
    """DescribeStackResource."""
    stack = stack_of(service_, get(response, "StackName"))
    logical_id = get(response, "LogicalResourceId")
    if logical_id not in stack.resources:
        msg = f"Resource {logical_id} does not exist for stack {stack.name}"
        raise RefusedError(msg)
    return {"StackResourceDetail": _resource(stack, stack.resources[logical_id], time="LastUpdatedTimestamp")}


@action
def describe_stack_resources(service_: Service, response: Any) -> dict[str, Any]:
    """DescribeStackResources."""
    stack = stack_of(service_, get(response, "StackName"))
    wanted = get(response, "LogicalResourceId")
    found = [one for one in list(stack.resources.values()) if wanted in (None, one.logical_id)]
    return {"StackResources": [_resource(stack, one, time="Timestamp") for one in found]}


@action
def list_stack_resources(service_: Service, response: Any) -> dict[str, Any]:
    """ListStackResources."""
    stack = stack_of(service_, get(response, "StackName"))
    found = [_resource(stack, one, time="LastUpdatedTimestamp") for one in list(stack.resources.values())]
    return {"StackResourceSummaries": found}


@action
def list_exports(service_: Service, response: Any) -> dict[str, Any]:  # noqa: ARG001
    """ListExports."""
    exports = service_.store.exports().items()
    return {
        "Exports": [
            {"ExportingStackId": stack.stack_id, "Name": name, "Value": value} for name, (stack, value) in exports
        ]
    }


@action
def list_imports(service_: Service, response: Any) -> dict[str, Any]:
    """ListImports."""
    name = get(response, "ExportName")
    users = service_.store.importers(name)
    if not users:
        msg = f"Export '{name}' is not imported by any stack."
        raise RefusedError(msg)
    return {"Imports": users}


# Change sets.


@action
def create_change_set(service_: Service, response: Any) -> dict[str, Any]:
    """CreateChangeSet."""
    previous = flag(response, "UsePreviousTemplate")
    asked = request(response)
    if bool(asked.body) == previous:
        msg = "Either Template URL or Template Body must be specified."
        raise RefusedError(msg)
    change_set = service_.create_change_set(
        asked,
        name=get(response, "ChangeSetName"),
        kind=get(response, "ChangeSetType") or "UPDATE",
        description=get(response, "Description"),
        on_failure=get(response, "OnStackFailure") or "ROLLBACK",
    )
    return {"Id": change_set.change_set_id, "StackId": change_set.stack.stack_id}


_PAGE = 50


@action
def describe_change_set(service_: Service, response: Any) -> dict[str, Any]:
    """DescribeChangeSet: fifty changes a page."""
    change_set = change_set_of(service_, response)
    start = int(get(response, "NextToken") or 0)
    following = start + _PAGE
    return present(
        ChangeSetName=change_set.name,
        ChangeSetId=change_set.change_set_id,
        StackId=change_set.stack.stack_id,
        StackName=change_set.stack.name,
        Description=change_set.description,
        Parameters=[
            {"ParameterKey": key, "ParameterValue": str(change_set.parameters.get(key, slot.get("Default", "")))}
            for key, slot in change_set.template.get("Parameters", {}).items()
        ],
        CreationTime=change_set.created,
        ExecutionStatus=change_set.execution,
        Status=change_set.status,
        StatusReason=change_set.reason,
        Capabilities=change_set.capabilities,
        Tags=[{"Key": key, "Value": value} for key, value in change_set.tags.items()],
        Changes=change_set.changes[start:following],
        NextToken=str(following) if len(change_set.changes) > following else None,
        IncludeNestedStacks=False,
        OnStackFailure=change_set.on_failure,
    )


@action
def list_change_sets(service_: Service, response: Any) -> dict[str, Any]:
    """ListChangeSets."""
    stack = stack_of(service_, get(response, "StackName"))
    found = [one for one in service_.store.change_sets.values() if one.stack is stack]
    return {
        "Summaries": [
            present(
                StackId=stack.stack_id,
                StackName=stack.name,
                ChangeSetId=one.change_set_id,
                ChangeSetName=one.name,
                ExecutionStatus=one.execution,
                Status=one.status,
                StatusReason=one.reason,
                CreationTime=one.created,
                Description=one.description,
            )
            for one in found
        ]
    }


@action
def execute_change_set(service_: Service, response: Any) -> dict[str, Any]:
    """ExecuteChangeSet: begins, and returns."""
    service_.execute_change_set(change_set_of(service_, response))
    return {}


@action
def delete_change_set(service_: Service, response: Any) -> dict[str, Any]:
    """DeleteChangeSet; one that does not exist is deleted already."""
    name, stack = get(response, "ChangeSetName"), get(response, "StackName")
    found = service_.store.find_change_set(name, stack)
    if found is not None:
        del service_.store.change_sets[found.change_set_id]
    return {}
