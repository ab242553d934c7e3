"""The two records that IAM's parts exchange: the call as the client made it, and what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ApiCall:
    """An API call as the client made it; `service` is the prefix of its IAM actions."""

    service: str
    operation: str
    params: Mapping[str, Any]
    account: str
    region: str

    @property
    def name(self) -> str:
        """The action of the same name, which is most often the one that is needed."""
        return f"{self.service}:{self.operation}"


@dataclass(frozen=True, slots=True)
class Need:
    """One action on one resource that the caller must be allowed; condition keys in lower case."""

    action: str
    resources: tuple[str, ...]
    context: Mapping[str, Any] = field(default_factory=dict)
