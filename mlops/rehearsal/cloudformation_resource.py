"""What a resource type of the emulated CloudFormation is: calls to the API of its service.

Gaps of moto that the types close: its CloudFormation support drops properties silently (versioning, layers, managed
policies, explicit SageMaker names), ignores 1,500 types, creates again where it should update, and makes everything
with no identity. Here a type calls the same API that everybody calls, with the credentials of the role that the stack
is deployed with, so that IAM is enforced and nothing can be created that the API would not accept.
"""

from __future__ import annotations

import json
import random
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from mlops.rehearsal import cloudformation_schemas as schemas

Properties = Mapping[str, Any]


class ResourceFailedError(RuntimeError):
    """A resource did not get where it should; the message is the reason that AWS gives."""


@dataclass(frozen=True, slots=True)
class Made:
    """A resource that exists: what Ref and Fn::GetAtt return for it."""

    physical_id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Call:
    """One create, update or delete of one resource: whom it is made for and how its API is reached."""

    account: str
    region: str
    stack_name: str
    stack_id: str
    logical_id: str
    name: str
    """The physical name to give: the explicit one, or a generated one."""
    client: Callable[[str], Any]
    begun: Callable[[Made], None]
    """Tell that the resource exists from now on, though perhaps incompletely: a failure after this deletes it."""

    def arn(self, service: str, resource: str, *, regional: bool = True) -> str:
        """Return an ARN of this account."""
        return f"arn:aws:{service}:{self.region if regional else ''}:{self.account}:{resource}"


class ResourceType:
    """How one type of resource is created, updated and deleted. Subclasses register themselves by `type_name`."""

    type_name: ClassVar[str] = ""
    name_property: ClassVar[str | None] = None
    """The property that names the resource; without it, CloudFormation generates a name."""
    properties: ClassVar[frozenset[str]] = frozenset()
    """The properties that take effect; a template with another one is refused, never deployed in part."""
    recorded: ClassVar[Mapping[str, str]] = {}
    """The properties that are accepted without an effect here, each with the reason."""
    limits: ClassVar[Sequence[tuple[str, str]]] = ()
    """What a resource does not do here although it is made, each with the reason."""
    lower_case: ClassVar[bool] = False

    def create(self, call: Call, properties: Properties) -> Made:
        """Make the resource."""
        raise NotImplementedError

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:
        """Change the resource in place."""
        raise NotImplementedError

    def delete(self, call: Call, made: Made, properties: Properties) -> None:
        """Delete the resource."""
        raise NotImplementedError

    def __init_subclass__(cls) -> None:
        """Register the type."""
        if cls.type_name:
            TYPES[cls.type_name] = cls()


TYPES: dict[str, ResourceType] = {}
"""Every type that is made for real."""

RECORDED: dict[str, str] = {
    "AWS::CDK::Metadata": "usage statistics of the CDK, it makes nothing in the account either",
    "AWS::SSM::Association": "moto lacks the associations of Systems Manager: no runbook runs, nobody passes it a role",
}
"""Types that are accepted and make nothing here, each with the reason."""


def generate_name(kind: ResourceType, *, stack_name: str, logical_id: str) -> str:
    """Return a physical name as CloudFormation generates it: stack, logical id, twelve random characters."""
    letters = string.ascii_lowercase if kind.lower_case else string.ascii_letters
    suffix = "".join(random.choices(letters + string.digits, k=12))  # noqa: S311 - no secret
    longest = schemas.longest_name(kind.type_name, kind.name_property) if kind.name_property else 63
    room = min(longest, 255) - len(suffix) - 1
    stem = f"{stack_name}-{logical_id}"
    if len(stem) > room:
        half = (room - 1) // 2
        stem = f"{stack_name[: room - 1 - min(len(logical_id), half)]}-{logical_id[:half]}"
    name = f"{stem}-{suffix}"
    return name.lower() if kind.lower_case else name


def camel(value: Any, *, keep: frozenset[str] = frozenset()) -> Any:
    """Return `value` with camelCase keys, as many APIs want them; what is under a key in `keep` stays as it is."""
    if isinstance(value, Mapping):
        return {
            key[0].lower() + key[1:]: item if key in keep else camel(item, keep=keep) for key, item in value.items()
        }
    if isinstance(value, list):
        return [camel(item, keep=keep) for item in value]
    return value


def pick(properties: Properties, *names: str) -> dict[str, Any]:
    """Return those of `properties` that have one of `names`."""
    return {name: properties[name] for name in names if name in properties}


def tag_map(tags: Sequence[Mapping[str, str]] | None) -> dict[str, str]:
    """Return a list of Key and Value as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in tags or []}


def tag_changes(before: Properties, after: Properties, name: str = "Tags") -> tuple[list[str], list[dict[str, str]]]:
    """Return the keys of the tags to remove, and the tags to set."""
    old, new = tag_map(before.get(name)), tag_map(after.get(name))
    return sorted(old.keys() - new.keys()), [{"Key": key, "Value": new[key]} for key in new if new[key] != old.get(key)]


def as_json(document: Any) -> str:
    """Return a policy document, which a template may hold as an object or as text, as text."""
    return document if isinstance(document, str) else json.dumps(document)
