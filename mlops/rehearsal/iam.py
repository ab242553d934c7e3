"""IAM of the emulated accounts: every call that a role makes is decided by its policies, and every decision is kept.

Gaps of moto that are closed here: moto's check sees "*" as the resource of most services, takes conditions other than
StringEquals for true, knows neither iam:PassRole nor permissions boundaries nor the use of KMS keys nor the policies of
resources in other accounts, answers in XML whatever the protocol, and is switched off.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlops.rehearsal import accounts, iam_calls, iam_context, iam_policies, iam_roles
from mlops.rehearsal.iam_evaluator import Policies, Policy, Principal, Request, Verdict, decide
from mlops.rehearsal.iam_needs import Need
from mlops.rehearsal.iam_trace import TRACE, Decision
from mlops.rehearsal.timeline import TIMELINE

NOT_REHEARSED: tuple[tuple[str, str], ...] = (
    ("service control policies, session policies and KMS grants", "an organization gives its accounts its id only"),
    (
        "policies that depend on aws:ResourceTag, aws:SourceIp, VPC endpoints or MFA",
        "these keys have no real value here",
    ),
    ("TLS conditions (aws:SecureTransport)", "calls count as TLS: the emulated endpoints stand for HTTPS endpoints"),
)
_ADMINISTRATOR = Policy("administrator", {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})


class AccessDeniedError(PermissionError):
    """An adapter that acts for a role met a refusal."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.message)
        self.decision = decision


def trace() -> list[Decision]:
    """Return every decision since the start, in order."""
    return TRACE.all()


def check(
    role_arn: str,
    action: str,
    resource: str = "*",
    context: Mapping[str, Any] | None = None,
    *,
    region: str = "eu-west-1",
) -> Decision:
    """Decide on an action of a role, for an adapter that acts in the role's name without an HTTP call."""
    need = Need(action, (resource,), {key.lower(): value for key, value in (context or {}).items()})
    return decide_for_role(role_arn, need, session="rehearsal", region=region)


def require(
    role_arn: str,
    action: str,
    resource: str = "*",
    context: Mapping[str, Any] | None = None,
    *,
    region: str = "eu-west-1",
) -> None:
    """Raise AccessDeniedError unless a role may do an action."""
    decision = check(role_arn, action, resource, context, region=region)
    if not decision.allowed:
        raise AccessDeniedError(decision)


def check_service(
    service: str,
    action: str,
    resource: str,
    *,
    source_arn: str | None = None,
    source_account: str | None = None,
    context: Mapping[str, Any] | None = None,
) -> Decision:
    """Decide on what a service ("events.amazonaws.com") does in its own name: the policy of the resource must admit it.

    The service acts for `source_account`, which is that of `source_arn` or of the resource unless it is given. For an
    encrypted topic or queue the policy of the key must admit the service, too.
    """
    parts = resource.split(":")
    owner = accounts.owner_of(resource) or accounts.main()
    source = source_account or (source_arn.split(":")[4] if source_arn else "") or owner
    keys = {
        **iam_context.of_service(service, account=source, region=parts[3], source_arn=source_arn),
        **iam_context.of_resource(owner),
        **{key.lower(): value for key, value in (context or {}).items()},
    }
    needs = [Need(action, (resource,), keys)]
    if parts[2] in ("sns", "sqs"):
        key = iam_calls.key_of(resource)
        via = {"kms:viaservice": f"{parts[2]}.{parts[3]}.amazonaws.com"}
        needs += [Need(name, (key,), {**keys, **via}) for name in ("kms:GenerateDataKey", "kms:Decrypt") if key]
    for need in needs:
        policies = iam_policies.resource_policy(need.action, need.resources[0])
        verdict = decide(
            Principal(source, service=service), Request(need.action, need.resources, need.context), policies
        )
        decision = _record(service, need, verdict)
        if not decision.allowed:
            break
    return decision


def refuse(who: str, need: Need, reason: str) -> Decision:
    """Keep the refusal of a call that cannot be decided."""
    return _record(who, need, Verdict(allowed=False, reason=reason))


def decide_for_role(role_arn: str, need: Need, *, session: str, region: str) -> Decision:
    """Decide on a call that a session of a role makes."""
    account, name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    session_arn = f"arn:aws:sts::{account}:assumed-role/{name}/{session}"
    try:
        role = iam_roles.find_role(role_arn)
    except iam_roles.TrustError as error:
        return refuse(role_arn, need, str(error))
    caller = iam_context.of_caller(
        account=account, role_arn=role_arn, session_arn=session_arn, user_id=f"{role.id}:{session}", region=region
    )
    caller |= {f"aws:principaltag/{tag['Key'].lower()}": tag["Value"] for tag in iam_roles.tags_of(role)}
    identity, boundary = iam_policies.role_policies(role)
    principal = Principal(account, role_arn=role_arn, session_arn=session_arn)
    return _decide(principal, need, caller, identity=identity, boundary=boundary)


def decide_for_operator(account: str, need: Need, *, region: str) -> Decision:
    """Decide on a call of an account's operator: what reaches another account is up to the policies there."""
    user = f"arn:aws:iam::{account}:user/operator"
    caller = iam_context.of_operator(account=account, user_arn=user, region=region)
    return _decide(Principal(account, role_arn=user), need, caller, identity=[_ADMINISTRATOR], boundary=None)


def _decide(
    principal: Principal,
    need: Need,
    caller: Mapping[str, Any],
    *,
    identity: list[Policy],
    boundary: Policy | None,
) -> Decision:
    found = iam_policies.resource_policy(need.action, need.resources[0])
    context = {**caller, **iam_context.of_resource(found.resource_account or principal.account), **need.context}
    policies = Policies(
        identity=identity,
        boundary=boundary,
        resource=found.resource,
        resource_account=found.resource_account,
        resource_decides=found.resource_decides,
    )
    verdict = decide(principal, Request(need.action, need.resources, context), policies)
    return _record(str(principal.role_arn), need, verdict)


def _record(who: str, need: Need, verdict: Verdict) -> Decision:
    return TRACE.add(
        Decision(
            who,
            need.action,
            need.resources[0],
            verdict.allowed,
            TIMELINE.elapsed(),
            verdict.reason,
            verdict.because,
        )
    )


def install() -> None:
    """Leave the decisions to the enforcement: moto itself takes the conditions of bucket and key policies for true."""
    from moto.iam.access_control import PermissionResult  # noqa: PLC0415 - moto is imported when the server starts, not before
    from moto.kms import responses  # noqa: PLC0415 - moto is imported when the server starts, not before
    from moto.s3.models import FakeBucket  # noqa: PLC0415 - moto is imported when the server starts, not before

    bucket: Any = FakeBucket
    bucket.get_permission = lambda _self, _action, _resource: PermissionResult.NEUTRAL
    kms: Any = responses
    kms.validate_policy = lambda _key, _action: None


def reset() -> None:
    """Forget the decisions of an earlier start."""
    TRACE.clear()
