"""CloudFormation actions: stacks by change set, or at once, from templates in artifacts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from mlops.rehearsal import credentials
from mlops.rehearsal.codepipeline_actions import Task, json_setting, text
from mlops.rehearsal.codepipeline_runs import ActionError

LIMIT_SECONDS = 3 * 24 * 3600.0
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


def cloud_formation(task: Task) -> dict[str, str]:
    """Carry out the action mode; the stack's outputs are the action's variables."""
    modes: dict[str, Callable[[Task, Any], str]] = {
        "CHANGE_SET_REPLACE": _replace_change_set,
        "CHANGE_SET_EXECUTE": _execute_change_set,
        "CREATE_UPDATE": _create_or_update,
        "DELETE_ONLY": _delete,
    }
    client = task.client("cloudformation")
    try:
        summary = modes[task.configuration["ActionMode"]](task, client)
        stack = _stack(client, task.configuration["StackName"])
    except ClientError as error:
        code = "PermissionError" if "AccessDenied" in error.response["Error"]["Code"] else "JobFailed"
        raise ActionError(text(error), code=code) from error
    task.tell(summary=summary)
    outputs = {one["OutputKey"]: one["OutputValue"] for one in (stack or {}).get("Outputs", [])}
    if task.attempt.outputs and task.configuration.get("OutputFileName"):
        message = "OutputFileName is not rehearsed; use the action's variables"
        raise ActionError(message, code="ConfigurationError")
    return outputs


def _replace_change_set(task: Task, client: Any) -> str:
    name, stack_name = _change_set(task), task.configuration["StackName"]
    stack = _stack(client, stack_name)
    exists = stack is not None and stack["StackStatus"] != "REVIEW_IN_PROGRESS"
    if stack is not None and _describe(client, stack_name, name) is not None:
        client.delete_change_set(StackName=stack_name, ChangeSetName=name)
    made = client.create_change_set(
        ChangeSetName=name, ChangeSetType="UPDATE" if exists else "CREATE", **_request(task)
    )
    task.tell(external_id=made["Id"])

    def created() -> Any:
        answer = _describe(client, stack_name, name)
        if answer is None:
            message = f"The change set {name} of stack {stack_name} vanished while it was created"
            raise ActionError(message)
        return None if answer["Status"] in ("CREATE_PENDING", "CREATE_IN_PROGRESS") else answer

    answer = task.poll(created, seconds=LIMIT_SECONDS)
    reason = answer.get("StatusReason") or ""
    if answer["Status"] != "CREATE_COMPLETE" and not _empty(reason):
        message = f"Failed to create change set {name} of stack {stack_name}: {answer['Status']}. Reason: {reason}"
        raise ActionError(message)
    if answer["Status"] != "CREATE_COMPLETE":
        return f"Change set {name} holds no changes"
    return f"Change set {name} was created with {len(answer.get('Changes', []))} changes"


def _execute_change_set(task: Task, client: Any) -> str:
    name, stack_name = _change_set(task), task.configuration["StackName"]
    answer = _describe(client, stack_name, name)
    if answer is None:
        message = f"ChangeSet [{name}] does not exist"
        raise ActionError(message)
    if answer["Status"] == "FAILED" and _empty(answer.get("StatusReason") or ""):
        return f"Change set {name} holds no changes, nothing was executed"
    mark = _last_event(task)
    client.execute_change_set(StackName=stack_name, ChangeSetName=name)
    return _wait_for_stack(task, client, since=mark)


def _create_or_update(task: Task, client: Any) -> str:
    stack_name = task.configuration["StackName"]
    stack = _stack(client, stack_name)
    if stack is not None and stack["StackStatus"] != "REVIEW_IN_PROGRESS":
        mark = _last_event(task)
        try:
            client.update_stack(**_request(task))
        except ClientError as error:
            if _empty(error.response["Error"]["Message"]):
                return f"Stack {stack_name} is up to date"
            raise
    else:
        mark = None
        client.create_stack(**_request(task))
    return _wait_for_stack(task, client, since=mark)


def _delete(task: Task, client: Any) -> str:
    stack_name = task.configuration["StackName"]
    stack = _stack(client, stack_name)
    if stack is None:
        return f"Stack {stack_name} does not exist"
    role = {"RoleARN": task.configuration["RoleArn"]} if task.configuration.get("RoleArn") else {}
    client.delete_stack(StackName=stack_name, **role)

    def gone() -> Any:
        left = _stack(client, stack["StackId"])
        ended = left is None or not left["StackStatus"].endswith("_IN_PROGRESS")
        return (left or {"StackStatus": "DELETE_COMPLETE"}) if ended else None

    end = task.poll(gone, seconds=LIMIT_SECONDS)
    if end["StackStatus"] != "DELETE_COMPLETE":
        raise ActionError(_reason(task, end, since=None))
    return f"Stack {stack_name} was deleted"


def _wait_for_stack(task: Task, client: Any, *, since: str | None) -> str:
    stack_name = task.configuration["StackName"]

    def ended() -> Any:
        stack = _stack(client, stack_name)
        busy = stack is not None and (
            stack["StackStatus"].endswith("_IN_PROGRESS") or stack["StackStatus"] == "CREATE_PENDING"
        )
        return None if busy else stack or {"StackName": stack_name, "StackStatus": "DELETE_COMPLETE"}

    stack = task.poll(ended, seconds=LIMIT_SECONDS, most=0.5)
    task.tell(external_id=stack.get("StackId"))
    if stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"):
        raise ActionError(_reason(task, stack, since=since))
    return f"Stack {stack_name}: {stack['StackStatus']}"


def _reason(task: Task, stack: dict[str, Any], *, since: str | None) -> str:
    """Say how a stack ended and, from its events, which resource failed first and why."""
    words = f"Stack [{stack['StackName']}] ended as {stack['StackStatus']}"
    if stack.get("StackStatusReason"):
        words += f". Reason: {stack['StackStatusReason'].rstrip('. ')}"
    first = None
    for event in _events(task, stack.get("StackId") or stack["StackName"]):
        if since is not None and event["EventId"] == since:
            break
        failed = event["ResourceStatus"].endswith("_FAILED")
        reason = event.get("ResourceStatusReason", "")
        if failed and event["ResourceType"] != "AWS::CloudFormation::Stack" and "cancelled" not in reason:
            first = event
    if first is None:
        return words
    return (
        f"{words}. First failure: {first['LogicalResourceId']} ({first['ResourceType']}) {first['ResourceStatus']}: "
        f"{first.get('ResourceStatusReason', 'no reason given')}"
    )


def _events(task: Task, stack: str) -> list[dict[str, Any]]:
    # Read as the operator: CodePipeline does not ask for the events, its role need not be allowed to.
    client = credentials.client("cloudformation", account=task.account, region=task.region)
    try:
        pages = client.get_paginator("describe_stack_events").paginate(StackName=stack)
        return [event for page in pages for event in page["StackEvents"]]
    except ClientError:
        return []  # a stack that is gone has no events any more


def _last_event(task: Task) -> str | None:
    events = _events(task, task.configuration["StackName"])
    return str(events[0]["EventId"]) if events else None


def _request(task: Task) -> dict[str, Any]:
    configuration = task.configuration
    request: dict[str, Any] = {"StackName": configuration["StackName"]}
    if not configuration.get("TemplatePath"):
        message = f"TemplatePath is needed for ActionMode {configuration['ActionMode']}"
        raise ActionError(message, code="ConfigurationError")
    request["TemplateBody"] = task.file(configuration["TemplatePath"])
    if configuration.get("Capabilities"):
        request["Capabilities"] = [word.strip() for word in configuration["Capabilities"].split(",")]
    if configuration.get("RoleArn"):
        request["RoleARN"] = configuration["RoleArn"]
    parameters: dict[str, Any] = {}
    if configuration.get("TemplateConfiguration"):
        settings = json.loads(task.file(configuration["TemplateConfiguration"]))
        parameters |= settings.get("Parameters") or {}
        if settings.get("Tags"):
            request["Tags"] = [{"Key": key, "Value": str(value)} for key, value in settings["Tags"].items()]
    parameters |= json_setting(configuration, "ParameterOverrides") or {}
    request["Parameters"] = [
        {"ParameterKey": key, "ParameterValue": value if isinstance(value, str) else json.dumps(value)}
        for key, value in parameters.items()
    ]
    return request


def _change_set(task: Task) -> str:
    name = task.configuration.get("ChangeSetName")
    if not name:
        message = f"ChangeSetName is needed for ActionMode {task.configuration['ActionMode']}"
        raise ActionError(message, code="ConfigurationError")
    return name


def _stack(client: Any, name: str) -> dict[str, Any] | None:
    try:
        stacks = client.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError" and "does not exist" in str(error):
            return None
        raise
    return next(
        (stack for stack in stacks if stack["StackStatus"] != "DELETE_COMPLETE" or name.startswith("arn:")), None
    )


def _describe(client: Any, stack: str, change_set: str) -> dict[str, Any] | None:
    try:
        answer: dict[str, Any] = client.describe_change_set(StackName=stack, ChangeSetName=change_set)
    except ClientError as error:
        missing = error.response["Error"]["Code"] in ("ChangeSetNotFound", "ChangeSetNotFoundException")
        if missing or "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    return answer


def _empty(reason: str) -> bool:
    return any(words in reason for words in _NO_CHANGES)
