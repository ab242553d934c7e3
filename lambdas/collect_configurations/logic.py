"""Decides which configurations and models of earlier versions nothing refers to.

CloudFormation keeps them when a newer version takes their place, so that no rollback ever misses one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Protocol

from pydantic import Field

from lambdas.shared.events import Document, Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

STEADY = frozenset({"InService", "OutOfService", "Failed"})
"""States in which an endpoint is between no two configurations."""


class Target(Document):
    """Where a model serves: names of its endpoint and of its stack."""

    endpoint: Text
    stack: Text

    def owns(self, name: str) -> bool:
        """Whether a configuration or model is a version that this endpoint serves, or has served."""
        return re.fullmatch(rf"{re.escape(self.endpoint)}-v\d+-[0-9a-f]{{8}}(-[a-z])?", name) is not None


class Targets(Document):
    """All places where the model serves in this account and region."""

    targets: Annotated[list[Target], Field(min_length=1)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """An endpoint of anybody."""

    name: str
    status: str
    configurations: frozenset[str]
    """That it serves, and that a pending deployment brings."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A configuration or model."""

    name: str
    created: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Stack:
    """A serving stack."""

    is_steady: bool
    resources: frozenset[str]
    """Their physical ids: names or ARNs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Collected:
    """What was deleted, and which targets were left alone because they change at the moment."""

    configurations: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    changing: list[str] = field(default_factory=list)


class Account(Protocol):
    """SageMaker and CloudFormation in one account and region."""

    def endpoints(self) -> Sequence[Endpoint]:
        """Return all endpoints, whoever made them."""

    def configurations(self) -> Sequence[Found]:
        """Return all endpoint configurations, whoever made them."""

    def models_of(self, configuration: str) -> Iterable[str]:
        """Return the models that a configuration names; none where it is gone."""

    def models(self, prefix: str) -> Sequence[Found]:
        """Return the models whose names begin with `prefix`."""

    def models_of_jobs(self) -> Iterable[str]:
        """Return the models of transform jobs that run."""

    def stack(self, name: str) -> Stack | None:
        """Return a stack, None where there is none."""

    def delete_configuration(self, name: str) -> None:
        """Delete an endpoint configuration."""

    def delete_model(self, name: str) -> None:
        """Delete a model."""


def collect(targets: Sequence[Target], account: Account, *, now: datetime, days: int) -> Collected:
    """Delete configurations and models of `targets` that are older than `days` days and that nothing refers to.

    A target whose endpoint or stack changes is left alone: the names that a rollback would need are not all visible.
    Configurations go before models, and a model stays as long as any configuration of the account names it.
    """
    collected, before = Collected(), now - timedelta(days=days)
    endpoints = account.endpoints()
    stacks = {target.endpoint: account.stack(target.stack) for target in targets}
    steady = [target for target in targets if _is_steady(target, endpoints, stacks[target.endpoint])]
    collected.changing.extend(target.endpoint for target in targets if target not in steady)
    kept = frozenset().union(*(endpoint.configurations for endpoint in endpoints))
    remaining = {found.name for found in account.configurations()}
    for found in account.configurations():
        if found.created < before and found.name not in kept and _is_loose(found.name, steady, stacks):
            account.delete_configuration(found.name)
            collected.configurations.append(found.name)
            remaining.discard(found.name)
    old = [
        model.name
        for target in steady
        for model in account.models(f"{target.endpoint}-v")
        if model.created < before and _is_loose(model.name, [target], stacks)
    ]
    if old:
        named = {model for name in remaining for model in account.models_of(name)} | {*account.models_of_jobs()}
        for name in [name for name in dict.fromkeys(old) if name not in named]:
            account.delete_model(name)
            collected.models.append(name)
    return collected


def _is_steady(target: Target, endpoints: Sequence[Endpoint], stack: Stack | None) -> bool:
    mine = [one for one in endpoints if one.name in {target.endpoint, f"{target.endpoint}-preview"}]
    return all(endpoint.status in STEADY for endpoint in mine) and (stack is None or stack.is_steady)


def _is_loose(name: str, targets: Sequence[Target], stacks: Mapping[str, Stack | None]) -> bool:
    """Whether it is a version of one of `targets` and no resource of any of their stacks."""
    resources = frozenset().union(*(stack.resources for stack in stacks.values() if stack is not None))
    named = {resource.rsplit("/", 1)[-1] for resource in resources}
    return any(target.owns(name) for target in targets) and name not in named
