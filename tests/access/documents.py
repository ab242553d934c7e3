"""Policy documents, and where a reader finds their statements."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Statement:
    """A statement and where a reader finds it."""

    policy: str
    index: int
    body: dict[str, Any] = field(hash=False)

    @property
    def name(self) -> str:
        """The policy and the statement's Sid, else its place in the policy."""
        return f"{self.policy} / {self.body.get('Sid', self.index)}"


@dataclass(frozen=True)
class Document:
    """A policy document."""

    name: str
    statements: tuple[Statement, ...] = ()

    @cached_property
    def body(self) -> dict[str, Any]:
        """As AWS stores it."""
        return {"Version": "2012-10-17", "Statement": [one.body for one in self.statements]}

    def changed(self, statement: Statement, body: dict[str, Any] | None) -> Document:
        """Return the document with another body of one statement, without it where there is none."""
        other = () if body is None else (replace(statement, body=body),)
        kept = [(one,) if one is not statement else other for one in self.statements]
        return replace(self, statements=tuple(one for each in kept for one in each))


def document(name: str, body: Any) -> Document:
    """Return `body`, a policy document or a list of statements, under a name."""
    body = json.loads(body) if isinstance(body, str) else body
    found = body["Statement"] if isinstance(body, dict) and "Statement" in body else body
    return Document(name, tuple(Statement(name, index, one) for index, one in enumerate(as_list(found))))


def as_list(value: Any) -> list[Any]:
    """Return what IAM and CloudFormation take for a list."""
    return value if isinstance(value, list) else [] if value is None else [value]
