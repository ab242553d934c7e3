"""IAM's decision on one request, as a pure function: policies and request in, verdict with its reason out.

Written after "Policy evaluation logic" of the IAM user guide: an explicit deny wins; in the account of the principal an
allow of the identity's policies or of the resource's policy is enough, as far as the permissions boundary reaches;
across accounts both are needed, whatever the resource's policy names; the policies of a KMS key and of a role are
always asked, and may hand the question to IAM by naming the account.
What the evaluator does not know never allows and always denies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mlops.rehearsal.iam_conditions import (
    Context,
    UnknownOperatorError,
    UnknownVariableError,
    arn_like,
    as_list,
    conditions_match,
    like,
    resolve,
)

_STATEMENT_KEYS = {
    "Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal", "Condition",
}  # fmt: skip


class Effect(StrEnum):
    """What a set of policies says to a request."""

    ALLOW = "allow"
    DENY = "deny"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy document and the name under which a reader finds it."""

    name: str
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: a role session or a service."""

    account: str
    role_arn: str | None = None
    session_arn: str | None = None
    service: str | None = None

    @property
    def name(self) -> str:
        """As AWS writes it in its messages."""
        return self.session_arn or self.role_arn or self.service or self.account


@dataclass(frozen=True, slots=True)
class Request:
    """One action on one resource; `resources` are the ways in which policies may write that resource's ARN."""

    action: str
    resources: tuple[str, ...]
    context: Context = field(default_factory=dict)

    @property
    def resource(self) -> str:
        """The ARN that is shown."""
        return self.resources[0]


@dataclass(frozen=True, slots=True)
class Policies:
    """Everything that has a say in a request."""

    identity: Sequence[Policy] = ()
    boundary: Policy | None = None
    resource: Policy | None = None
    resource_account: str | None = None
    resource_decides: bool = False
    """The resource's policy must allow, as a KMS key's does; naming the account hands the question to IAM."""


Statement = tuple[str, str]
"""The name of a policy, and the Sid of one of its statements or its place there: "#1" is the first one."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request is allowed, and because of what."""

    allowed: bool
    reason: str
    because: tuple[Statement, ...] = ()
    """The statements that allow it, one of each side that has a say."""


@dataclass(frozen=True, slots=True)
class _Finding:
    effect: Effect
    why: str = ""
    by_account: bool = False
    """The matching statement names the account, not the principal itself."""
    by_session: bool = False
    statement: Statement | None = None


def decide(principal: Principal, request: Request, policies: Policies) -> Verdict:  # noqa: PLR0911 - the steps of IAM's evaluation in their order
    """Return IAM's verdict on a request of a principal."""
    identity = _ask(policies.identity, principal, request)
    boundary = _ask([policies.boundary], principal, request) if policies.boundary else None
    resource = _ask([policies.resource], principal, request, resource_policy=True) if policies.resource else None
    for finding in (identity, boundary, resource):
        if finding is not None and finding.effect is Effect.DENY:
            return Verdict(allowed=False, reason=finding.why)
    admitted = resource is not None and resource.effect is Effect.ALLOW
    direct = resource is not None and admitted and not resource.by_account
    foreign = principal.service is None and policies.resource_account not in (None, principal.account)
    asked = direct or foreign or policies.resource_decides
    if asked and not admitted:
        return Verdict(
            allowed=False, reason=f"no resource-based policy allows the {request.action} action{_hint(resource)}"
        )
    because = tuple(
        finding.statement
        for finding in (identity, boundary, resource if asked else None)
        if finding is not None and finding.statement is not None
    )
    if principal.service is not None:
        if direct and resource is not None:
            return Verdict(allowed=True, reason=resource.why, because=because)
        return Verdict(allowed=False, reason=f"no resource-based policy allows {principal.service} to {request.action}")
    if direct and resource is not None and resource.by_session and not foreign:
        return Verdict(allowed=True, reason=resource.why, because=because)
    if boundary is not None and boundary.effect is not Effect.ALLOW:
        return Verdict(
            allowed=False, reason=f"no permissions boundary allows the {request.action} action{_hint(boundary)}"
        )
    if direct and resource is not None and not foreign:
        return Verdict(allowed=True, reason=resource.why, because=because)
    if identity.effect is Effect.ALLOW:
        return Verdict(allowed=True, reason=identity.why, because=because)
    return Verdict(
        allowed=False, reason=f"no identity-based policy allows the {request.action} action{_hint(identity)}"
    )


def _hint(finding: _Finding | None) -> str:
    return f" ({finding.why})" if finding is not None and finding.why else ""


def _ask(
    policies: Iterable[Policy], principal: Principal, request: Request, *, resource_policy: bool = False
) -> _Finding:
    allow: _Finding | None = None
    doubts: list[str] = []
    for policy in policies:
        for place, statement in enumerate(as_list(policy.document.get("Statement", [])), start=1):
            finding = _statement(policy, statement, principal, request, place=place, resource_policy=resource_policy)
            if finding.effect is Effect.DENY:
                return finding
            if finding.effect is Effect.ALLOW and (allow is None or (allow.by_account and not finding.by_account)):
                allow = finding
            elif finding.effect is Effect.SILENT and finding.why:
                doubts.append(finding.why)
    return allow or _Finding(Effect.SILENT, "; ".join(dict.fromkeys(doubts)))


def name_of(statement: Mapping[str, Any], place: int) -> str:
    """Return how a statement is known in its policy: its Sid, else its place there."""
    return str(statement.get("Sid") or f"#{place}")


def _statement(  # noqa: PLR0911 - one case after the other
    policy: Policy,
    statement: Mapping[str, Any],
    principal: Principal,
    request: Request,
    *,
    place: int,
    resource_policy: bool,
) -> _Finding:
    deny = statement.get("Effect") == "Deny"
    where = f"{policy.name}{'/' + str(statement['Sid']) if statement.get('Sid') else ''}"
    unknown = set(statement) - _STATEMENT_KEYS
    by_account = by_session = False
    try:
        if unknown:
            msg = f"element {min(unknown)!r} is not known to the rehearsal's IAM evaluator"
            raise UnknownOperatorError(msg)  # noqa: TRY301 - handled like the others below
        if resource_policy:
            admitted, by_account, by_session = _principal_matches(statement, principal)
            if not admitted:
                return _Finding(Effect.SILENT)
        if not _action_matches(statement, request) or not _resource_matches(statement, request):
            return _Finding(Effect.SILENT)
        if not conditions_match(statement.get("Condition") or {}, request.context):
            return _Finding(Effect.SILENT, "" if deny else f"the conditions of {where} do not hold")
    except UnknownVariableError as error:
        return _Finding(Effect.SILENT, f"{where}: {error}")
    except UnknownOperatorError as error:
        return _Finding(Effect.DENY if deny else Effect.SILENT, f"{where}: {error}")
    if deny:
        kind = "a resource-based policy" if resource_policy else "an identity-based policy"
        return _Finding(Effect.DENY, f"with an explicit deny in {kind} ({where})")
    known = (policy.name, name_of(statement, place))
    return _Finding(Effect.ALLOW, where, by_account=by_account, by_session=by_session, statement=known)


def _action_matches(statement: Mapping[str, Any], request: Request) -> bool:
    if "NotAction" in statement:
        return not any(like(str(name), request.action, ignore_case=True) for name in as_list(statement["NotAction"]))
    return any(like(str(name), request.action, ignore_case=True) for name in as_list(statement.get("Action", [])))


def _resource_matches(statement: Mapping[str, Any], request: Request) -> bool:
    def matches(patterns: Any) -> bool:
        return any(
            like(resolve(str(pattern), request.context), arn)
            for pattern in as_list(patterns)
            for arn in request.resources
        )

    if "NotResource" in statement:
        return not matches(statement["NotResource"])
    # A role's trust policy and a session policy without the element speak of the resource that they are attached to.
    return matches(statement["Resource"]) if "Resource" in statement else True


def _principal_matches(statement: Mapping[str, Any], principal: Principal) -> tuple[bool, bool, bool]:
    if "NotPrincipal" in statement:
        named, by_account, _ = _named(statement["NotPrincipal"], principal)
        return not (named or by_account), False, False
    named, by_account, by_session = _named(statement.get("Principal"), principal)
    return named or by_account, by_account and not named, by_session


def _named(element: Any, principal: Principal) -> tuple[bool, bool, bool]:
    """Return whether the element names the principal itself, its account, or its session."""
    if element == "*":
        return True, False, False
    if isinstance(element, str):
        element = {"AWS": element}
    if not isinstance(element, Mapping):
        return False, False, False
    named = by_account = by_session = False
    for kind, values in element.items():
        for value in as_list(values):
            text = str(value)
            if kind == "AWS" and text == "*":
                named = True  # the same as "*" alone: everybody, AWS services too
            elif kind == "Service":
                named = named or (principal.service is not None and text in (principal.service, "*"))
            elif kind == "AWS" and principal.service is None:
                root = text in (principal.account, f"arn:aws:iam::{principal.account}:root")
                by_account = by_account or root
                session = principal.session_arn is not None and text == principal.session_arn
                by_session = by_session or session
                named = named or session or text in ("*", principal.role_arn)
    return named, by_account, by_session


def names_resource(patterns: Iterable[str], arn: str) -> bool:
    """Whether one of the ARN patterns covers `arn`."""
    return any(arn_like(pattern, arn) for pattern in patterns)
