"""Roles of the emulated accounts: who may assume them, and the sessions that are handed out.

Gap of moto that is closed here: its AssumeRole neither looks at the trust policy nor asks whether the role exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops.rehearsal import iam_context, iam_policies
from mlops.rehearsal.credentials import Credentials
from mlops.rehearsal.iam_evaluator import Policies, Principal, Request, decide
from mlops.rehearsal.iam_trace import TRACE, Decision
from mlops.rehearsal.timeline import TIMELINE

SESSION_SECONDS = 12 * 3600


class TrustError(RuntimeError):
    """A service asked for a role that does not exist or does not trust it."""


@dataclass(frozen=True, slots=True)
class Session:
    """A role that somebody assumed."""

    role_arn: str
    name: str
    account: str
    arn: str


def find_role(role_arn: str) -> Any:
    """Return moto's role object.

    Raises:
        TrustError: there is no such role.

    """
    from moto.iam.models import iam_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    parts = role_arn.split(":")
    if len(parts) == 6:  # noqa: PLR2004 - the parts of an ARN
        name = role_arn.rsplit("/", 1)[-1]
        for role in list(iam_backends[parts[4]]["aws"].roles.values()):
            if role.name == name and role.arn == role_arn:
                return role
    msg = f"role {role_arn} does not exist in the emulated account"
    raise TrustError(msg)


def tags_of(role: Any) -> list[Mapping[str, str]]:
    """Return a role's tags as Key and Value pairs."""
    tags = role.tags or []
    if isinstance(tags, Mapping):
        tags = tags.values()
    return [tag for tag in tags if isinstance(tag, Mapping) and "Key" in tag]


def check_trust(role_arn: str, principal: str, *, source_arn: str | None = None) -> None:
    """Ask a role's trust policy whether the service `principal` may assume it, for the account of `source_arn`.

    Without a source the service acts for the account of the role.

    Raises:
        TrustError: the role does not exist or does not admit the service.

    """
    role = find_role(role_arn)
    account = (source_arn.split(":")[4] if source_arn else "") or role_arn.split(":")[4]
    context = iam_context.of_service(principal, account=account, region="us-east-1", source_arn=source_arn)
    policies = Policies(resource=iam_policies.trust_policy(role), resource_decides=True)
    request = Request("sts:AssumeRole", (role_arn,), context)
    verdict = decide(Principal(account, service=principal), request, policies)
    elapsed = TIMELINE.elapsed()
    TRACE.add_once(
        Decision(principal, request.action, role_arn, verdict.allowed, elapsed, verdict.reason, verdict.because)
    )
    if not verdict.allowed:
        msg = f"role {role_arn} does not let {principal} assume it: {verdict.reason}"
        raise TrustError(msg)


def new_session(role_arn: str, *, session_name: str) -> Credentials:
    """Return new session credentials of a role from the emulated STS."""
    from moto.sts.models import sts_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    session = sts_backends[role_arn.split(":")[4]]["aws"].assume_role(
        region_name="us-east-1",
        role_session_name=session_name,
        role_arn=role_arn,
        policy="",
        duration=SESSION_SECONDS,
        external_id="",
    )
    return Credentials(session.access_key_id, session.secret_access_key, session.session_token)


def session_of(access_key_id: str, token: str | None) -> Session | None:
    """Return the session to which an access key belongs, None for keys that this emulated AWS did not hand out."""
    from moto.sts.models import sts_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    for account in list(sts_backends):
        for assumed in reversed(sts_backends[account]["aws"].assumed_roles):
            if assumed.access_key_id == access_key_id and assumed.session_token == token:
                return Session(assumed.role_arn, assumed.session_name, assumed.account_id, assumed.arn)
    return None
