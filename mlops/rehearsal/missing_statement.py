"""A statement that is missing in a policy between accounts: which there are, and what each of them is there for.

A rehearsal without one of them shows that it is needed: something is denied, the run stops, and the report names the
statement, the call that broke, and where.
"""

from __future__ import annotations

import difflib
import re
from typing import Any

from mlops.rehearsal import statements
from mlops.rehearsal.iam_conditions import arn_like, as_list, like
from mlops.rehearsal.iam_trace import TRACE, Decision
from mlops.rehearsal.statements import PolicyKind, Statement

_NAMED = {PolicyKind.BUCKET: ":::", PolicyKind.TRUST: "/", PolicyKind.IDENTITY: "/"}
_GIVEN = re.compile(r"-[A-Za-z0-9]{12}$")
_RESOURCE_POLICIES = (
    PolicyKind.BUCKET,
    PolicyKind.KEY,
    PolicyKind.REPOSITORY,
    PolicyKind.PACKAGE_GROUP,
    PolicyKind.BUS,
    PolicyKind.TRUST,
)


class UnknownStatementError(LookupError):
    """There is no such statement; the text names those that there are."""


def removable(project: str) -> dict[str, Statement]:
    """Return the statements by which accounts admit each other, and those that hand roles over, by name."""
    admitting = [one for one in statements.listed(None, *_RESOURCE_POLICIES) if _admits(one)]
    passing = [one for one in statements.listed(None, PolicyKind.IDENTITY) if _passes(one)]
    return {name_of(one): one for one in (*admitting, *passing) if _ours(one, project)}


def find(name: str, project: str) -> Statement:
    """Return the statement called `name`, or the only one whose Sid that is.

    Raises:
        UnknownStatementError: there is none, or several.

    """
    known = removable(project)
    if name in known:
        return known[name]
    by_sid = [one for one in known.values() if one.sid == name]
    if len(by_sid) == 1:
        return by_sid[0]
    near = difflib.get_close_matches(name, [*known, *(one.sid for one in known.values())], n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    which = f"is one of several: {', '.join(map(name_of, by_sid))}" if by_sid else f"is none of {', '.join(known)}"
    msg = f"--without-statement: '{name}' {which}{hint}"
    raise UnknownStatementError(msg)


def name_of(statement: Statement) -> str:
    """Return `<kind>:<what the policy stands on>/<Sid>`, the same in each deployment.

    A key has no name, so its account and region stand for it; the end that CloudFormation gives to a name is left out.
    """
    kind, arn = statement.kind, statement.resource
    account_and_region = "-".join(arn.split(":")[4:2:-1])
    where = account_and_region if kind is PolicyKind.KEY else arn.rsplit(_NAMED.get(kind, "/"), 1)[-1]
    return f"{kind}:{_GIVEN.sub('', where)}/{statement.sid}"


def words_of(statement: Statement) -> str:
    """Return what the statement allows, for a person."""
    actions = ", ".join(map(str, as_list(statement.document.get("Action", []))))
    return f"{actions} for {', '.join(_principals(statement)) or statement.resource}"


def broken_by(statement: Statement, *, since: float = 0.0) -> list[str]:
    """Return the refusals after `since` that the missing statement explains, each once, in order."""
    refused = [one for one in TRACE.all() if not one.allowed and one.at >= since]
    found = [f"{one.role_arn} may not {one.action} on {one.resource}" for one in refused if _explains(statement, one)]
    return list(dict.fromkeys(found))


def used_by(statement: Statement) -> dict[str, int]:
    """Return how often each call was allowed because of the statement, by "role: action"."""
    found: dict[str, int] = {}
    for decision in TRACE.all():
        if decision.allowed and (statement.policy, statement.sid) in decision.because:
            call = f"{decision.role_arn.rsplit('/', 1)[-1]}: {decision.action}"
            found[call] = found.get(call, 0) + 1
    return found


def _explains(statement: Statement, decision: Decision) -> bool:
    if not any(
        like(str(action), decision.action, ignore_case=True) for action in as_list(statement.document["Action"])
    ):
        return False
    if statement.kind is PolicyKind.IDENTITY:
        return decision.role_arn == statement.resource
    if statement.kind is PolicyKind.TRUST and decision.resource != statement.resource:
        return False
    return any(arn_like(one, decision.role_arn) or one == decision.role_arn for one in _principals(statement))


def _principals(statement: Statement) -> list[str]:
    """Return the roles, or the services, that the statement names."""
    document = statement.document
    arns = _condition(document, "aws:PrincipalArn")
    principal = document.get("Principal")
    services = principal.get("Service", []) if isinstance(principal, dict) else []
    return [str(one) for one in (*arns, *as_list(services))]


def _condition(document: Any, key: str) -> list[Any]:
    return [
        value
        for keys in (document.get("Condition") or {}).values()
        for name, values in keys.items()
        if name.lower() == key.lower()
        for value in as_list(values)
    ]


def _admits(statement: Statement) -> bool:
    """Whether it admits roles by the form of `mlops_constructs.admission`."""
    return statement.document.get("Effect") == "Allow" and bool(_condition(statement.document, "aws:PrincipalArn"))


def _passes(statement: Statement) -> bool:
    return "iam:PassRole" in as_list(statement.document.get("Action", []))


def _ours(statement: Statement, project: str) -> bool:
    """Whether a stack of the project made it, and not the CDK's bootstrap."""
    return f"{project}-" in name_of(statement) or statement.kind is PolicyKind.KEY
