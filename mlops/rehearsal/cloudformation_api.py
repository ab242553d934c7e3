"""What the actions of CloudFormation's API share: reading a request, finding what it names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlops.rehearsal.cloudformation_service import RefusedError, Request, Service
from mlops.rehearsal.cloudformation_stacks import ChangeSet, Stack

Action = Callable[[Service, Any], dict[str, Any]]
ACTIONS: dict[str, Action] = {}
"""The actions by the name of moto's method."""


def action(function: Action) -> Action:
    """Register the action that has the function's name."""
    ACTIONS[function.__name__] = function
    return function


def get(response: Any, name: str, default: Any = None) -> Any:
    """Return a parameter of the request."""
    return response._get_param(name, default)  # noqa: SLF001 - moto's way to read a parameter


def flag(response: Any, name: str) -> bool:
    """Return a parameter of the request that is true or false."""
    return bool(response._get_bool_param(name, False))  # noqa: SLF001 - moto's way to read a parameter


def request(response: Any) -> Request:
    """Return what CreateStack, UpdateStack and CreateChangeSet have in common."""
    tags = get(response, "Tags")
    body = get(response, "TemplateBody") or ""
    url = get(response, "TemplateURL")
    if url:
        body = _template_at(response, url)
    return Request(
        stack_name=get(response, "StackName"),
        body=body,
        parameters=get(response, "Parameters", []),
        tags=None if tags is None else {tag["Key"]: tag["Value"] for tag in tags},
        role_arn=get(response, "RoleARN"),
        capabilities=list(get(response, "Capabilities", [])),
        caller_role=_caller_role(response),
    )


def _template_at(response: Any, url: str) -> str:
    from moto.cloudformation.utils import get_stack_from_s3_url  # noqa: PLC0415 - moto is imported late

    try:
        return str(get_stack_from_s3_url(url, account_id=response.current_account, partition="aws"))
    except Exception as error:
        msg = f"S3 error: The template {url} cannot be read: {error}"
        raise RefusedError(msg) from error


def _caller_role(response: Any) -> str | None:
    from moto.sts.models import sts_backends  # noqa: PLC0415 - moto is imported late

    role = sts_backends[response.current_account]["aws"].get_assumed_role_from_access_key(response.access_key)
    return str(role.role_arn) if role is not None else None


def stack_of(service_: Service, name: str) -> Stack:
    """Return a stack by name or id, or refuse."""
    stack = service_.store.find(name)
    if stack is None:
        msg = f"Stack with id {name} does not exist"
        raise RefusedError(msg)
    return stack


def change_set_of(service_: Service, response: Any) -> ChangeSet:
    """Return the change set that a request names, or refuse."""
    name, stack = get(response, "ChangeSetName"), get(response, "StackName")
    found = service_.store.find_change_set(name, stack)
    if found is None:
        msg = f"ChangeSet [{name}] does not exist"
        raise RefusedError(msg, "ChangeSetNotFound")
    return found


def present(**fields: Any) -> dict[str, Any]:
    """Return the fields that have a value."""
    return {key: value for key, value in fields.items() if value is not None}
