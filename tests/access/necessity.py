"""What a changed policy would change: the matrix must notice a statement less, a condition less, a statement more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tests.access.documents import Document, Statement
from tests.access.evaluators import Question, ask_rehearsal
from tests.access.landscape import Landscape, Role
from tests.access.matrix import Probe
from tests.access.who import ACCOUNTS

_ALONE = ("mlops-network", "mlops-sandbox")
"""Stacks that have nothing to do with another account."""


@dataclass(frozen=True)
class Change:
    """A policy document in place of another one."""

    name: str
    old: Document
    new: Document

    def apply(self, question: Question) -> Question:
        """Return a question as it is asked after the change."""
        caller = question.caller
        permissions = tuple(self.new if one is self.old else one for one in caller.permissions)
        guard = self.new if question.guard is self.old else question.guard
        return replace(question, guard=guard, caller=replace(caller, permissions=permissions))

    def noticed_by(self, probes: list[Probe]) -> Iterator[Probe]:
        """Yield those of `probes` that are answered differently after the change."""
        return (probe for probe in probes if ask_rehearsal(self.apply(probe.question)) is not probe.allowed)


def crossing(landscape: Landscape) -> Iterator[tuple[Document, Statement]]:
    """Yield the statements that let accounts work together.

    These are all of the policies of resources; all about the roles outside the tools account; the trust of those roles
    in the tools account that others admit, and what they may do elsewhere. What roles do inside the tools account is
    the subject of the rehearsal's least-privilege test, and what sandboxes and networks do that of their own tests.
    """
    for guard in landscape.guards.values():
        yield from ((guard, one) for one in guard.statements if not any(name in guard.name for name in _ALONE))
    for role in landscape.roles.values():
        for document in (role.trust, *role.permissions):
            yield from ((document, one) for one in document.statements if _crosses(role, document, one))


def _crosses(role: Role, document: Document, statement: Statement) -> bool:
    if role.account != ACCOUNTS["tools"]:
        return not role.path.startswith(_ALONE)
    if document is role.trust:
        return ":role/mlops/" in role.arn
    return any(account in str(statement.body["Resource"]) for account in ACCOUNTS.values() if account != role.account)


def removals(landscape: Landscape) -> list[Change]:
    """Return the removal of each statement that crosses accounts."""
    return [
        Change(statement.name, document, document.changed(statement, None))
        for document, statement in crossing(landscape)
    ]


def loosenings(landscape: Landscape) -> list[Change]:
    """Return the removal of each single condition of an allowing statement that crosses accounts."""
    return [
        Change(
            f"{statement.name}: {operator} {key}",
            document,
            document.changed(statement, _without_condition(statement.body, operator, key)),
        )
        for document, statement in crossing(landscape)
        if statement.body["Effect"] == "Allow"
        for operator, keys in statement.body.get("Condition", {}).items()
        for key in keys
    ]


def _without_condition(body: dict[str, Any], operator: str, key: str) -> dict[str, Any]:
    conditions = {
        name: {one: value for one, value in keys.items() if (name, one) != (operator, key)}
        for name, keys in body["Condition"].items()
    }
    return {**body, "Condition": {name: keys for name, keys in conditions.items() if keys}}
