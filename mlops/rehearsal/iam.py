"""IAM of the emulated account: every call that a role makes is decided by its policies, and every decision is kept.

Gaps of moto that are closed here: moto's check sees "*" as the resource of most services, takes conditions other than
StringEquals for true, knows neither iam:PassRole nor permissions boundaries nor the use of KMS keys, answers in XML
whatever the protocol, and is switched off. The enforcement stands in front of moto, so nothing in moto can forget it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mlops.rehearsal import iam_calls, iam_context, iam_errors, iam_policies, iam_requests, iam_roles, iam_s3
from mlops.rehearsal.credentials import OPERATOR
from mlops.rehearsal.iam_evaluator import Policies, Principal, Request, Verdict, decide
from mlops.rehearsal.iam_needs import ApiCall, Need
from mlops.rehearsal.iam_resources import UnknownCallError
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase

NOT_REHEARSED: tuple[tuple[str, str], ...] = (
    ("service control policies, session policies and KMS grants", "the emulated account belongs to no organization"),
    (
        "policies that depend on aws:ResourceTag, aws:SourceIp, VPC endpoints or MFA",
        "these keys have no real value here",
    ),
    ("TLS conditions (aws:SecureTransport)", "calls count as TLS: the emulated endpoints stand for HTTPS endpoints"),
)
_UNSIGNED_PATHS = ("/moto-api", "/cfnresponse")


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision: what a role wanted, whether it may, because of what, and when."""

    role_arn: str
    action: str
    resource: str
    allowed: bool
    at: float
    reason: str = ""

    @property
    def message(self) -> str:
        """The refusal in the words of AWS."""
        return f"User: {self.role_arn} is not authorized to perform: {self.action} on resource: {self.resource}" + (
            f" because {self.reason}" if not self.reason.startswith("with ") else f" {self.reason}"
        )


class AccessDeniedError(PermissionError):
    """An adapter that acts for a role met a refusal."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.message)
        self.decision = decision


class _Trace:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._decisions: list[Decision] = []

    def add(self, decision: Decision) -> Decision:
        with self._lock:
            self._decisions.append(decision)
        if not decision.allowed:
            TIMELINE.emit(
                Kind.IAM,
                decision.action,
                Phase.FAILED,
                role=decision.role_arn,
                action=decision.action,
                resource=decision.resource,
                reason=decision.reason,
            )
        return decision

    def all(self) -> list[Decision]:
        with self._lock:
            return list(self._decisions)

    def clear(self) -> None:
        with self._lock:
            self._decisions.clear()


_trace = _Trace()


def trace() -> list[Decision]:
    """Return every decision since the start, in order."""
    return _trace.all()


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
    return _decide_for_role(role_arn, need, session="rehearsal", region=region)


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

    For an encrypted topic or queue the policy of the key must admit the service, too.
    """
    parts = resource.split(":")
    account = source_account or parts[4] or (source_arn.split(":")[4] if source_arn else "")
    keys = {
        **iam_context.of_service(
            service, account=account, region=parts[3], source_arn=source_arn, source_account=source_account
        ),
        **{key.lower(): value for key, value in (context or {}).items()},
    }
    needs = [Need(action, (resource,), keys)]
    if parts[2] in ("sns", "sqs"):
        key = iam_calls.key_of(resource)
        via = {"kms:viaservice": f"{parts[2]}.{parts[3]}.amazonaws.com"}
        needs += [Need(name, (key,), {**keys, **via}) for name in ("kms:GenerateDataKey", "kms:Decrypt") if key]
    for need in needs:
        policies = iam_policies.resource_policy(need.action, need.resources[0], account=account)
        verdict = decide(
            Principal(account, service=service), Request(need.action, need.resources, need.context), policies
        )
        decision = _record(service, need, verdict)
        if not decision.allowed:
            break
    return decision


def _record(who: str, need: Need, verdict: Verdict) -> Decision:
    return _trace.add(
        Decision(who, need.action, need.resources[0], verdict.allowed, TIMELINE.elapsed(), verdict.reason)
    )


def _decide_for_role(role_arn: str, need: Need, *, session: str, region: str) -> Decision:
    account, name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    session_arn = f"arn:aws:sts::{account}:assumed-role/{name}/{session}"
    try:
        role = iam_roles.find_role(role_arn)
    except iam_roles.TrustError as error:
        return _record(role_arn, need, Verdict(allowed=False, reason=str(error)))
    caller = iam_context.of_caller(
        account=account, role_arn=role_arn, session_arn=session_arn, user_id=f"{role.id}:{session}", region=region
    )
    caller |= {f"aws:principaltag/{tag['Key'].lower()}": tag["Value"] for tag in iam_roles.tags_of(role)}
    request = Request(need.action, need.resources, {**caller, **need.context})
    identity, boundary = iam_policies.role_policies(role)
    from_resource = iam_policies.resource_policy(need.action, need.resources[0], account=account)
    policies = Policies(
        identity=identity,
        boundary=boundary,
        resource=from_resource.resource,
        resource_account=from_resource.resource_account,
        resource_decides=from_resource.resource_decides,
    )
    verdict = decide(Principal(account, role_arn=role_arn, session_arn=session_arn), request, policies)
    return _record(role_arn, need, verdict)


class Enforcement:
    """A WSGI layer in front of the emulated services: refuses what its caller may not do, passes on the rest."""

    def __init__(self, application: Callable[..., Iterable[bytes]], *, account: str) -> None:
        self._application = application
        self._account = account

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        signed = iam_requests.signature(environ)
        if signed is None:
            path = environ.get("PATH_INFO", "")
            if any(part in path for part in _UNSIGNED_PATHS):
                return self._application(environ, start_response)
            message = "the request is not signed: the emulated AWS answers its own credentials only"
            return iam_errors.refuse(environ, start_response, model="s3", message=message)
        model = iam_requests.model_name(environ, signed)
        if signed.access_key_id == OPERATOR.access_key_id:
            refusal = self._operator(environ, signed)
        else:
            session = iam_roles.session_of(signed.access_key_id, signed.session_token)
            if session is None:
                message = "The security token included in the request is invalid: not one of this emulated AWS"
                TIMELINE.emit(
                    Kind.IAM,
                    "unknown credentials",
                    Phase.FAILED,
                    action=signed.service,
                    role="",
                    resource="",
                    reason=message,
                )
                return iam_errors.refuse(
                    environ, start_response, model=model, message=message, code="InvalidClientTokenId"
                )
            refusal = self._role(environ, signed, session)
        if refusal is not None:
            return iam_errors.refuse(environ, start_response, model=model, message=refusal)
        return self._application(environ, start_response)

    def _operator(self, environ: dict[str, Any], signed: iam_requests.Signature) -> str | None:
        # The person at the laptop may do everything; a role that does not admit the account stays closed, though.
        if signed.service != "sts":
            return None
        call = iam_requests.api_call(environ, signed, account=self._account)
        if call.operation != "AssumeRole":
            return None
        return self._assume(call, Principal(self._account))

    def _role(self, environ: dict[str, Any], signed: iam_requests.Signature, session: iam_roles.Session) -> str | None:
        try:
            call = iam_requests.api_call(environ, signed, account=self._account)
            needs = iam_calls.needs_of(call)
        except UnknownCallError as error:
            operation = environ.get("HTTP_X_AMZ_TARGET", "").rsplit(".", 1)[-1] or str(environ.get("PATH_INFO"))
            need = Need(f"{signed.service}:{operation}", ("*",))
            return _record(session.role_arn, need, Verdict(allowed=False, reason=str(error))).message
        for need in needs:
            decision = _decide_for_role(session.role_arn, need, session=session.name, region=signed.region)
            if not decision.allowed:
                return decision.message
        if call.name == "sts:AssumeRole":
            caller = Principal(session.account, role_arn=session.role_arn, session_arn=session.arn)
            return self._assume(call, caller)
        return self._hidden(call, session)

    def _assume(self, call: ApiCall, caller: Principal) -> str | None:
        role_arn = str(call.params.get("RoleArn", ""))
        try:
            iam_roles.check_trust_of(role_arn, caller, context=iam_context.of_request(call))
        except iam_roles.TrustError as error:
            return f"User: {caller.name} is not authorized to perform: sts:AssumeRole on resource: {role_arn} ({error})"
        return None

    def _hidden(self, call: ApiCall, session: iam_roles.Session) -> str | None:
        """S3 says that an object is missing only to those who may list the bucket; to others, it is forbidden."""
        if call.name not in ("s3:GetObject", "s3:HeadObject") or call.params.get("VersionId"):
            return None
        bucket, key = str(call.params["Bucket"]), str(call.params["Key"])
        if iam_s3.exists(self._account, bucket, key):
            return None
        need = Need("s3:ListBucket", (f"arn:aws:s3:::{bucket}",), {"s3:prefix": key})
        decision = _decide_for_role(session.role_arn, need, session=session.name, region=call.region)
        return None if decision.allowed else f"{decision.message} (the object does not exist)"


def install() -> None:
    """Leave the decisions to the enforcement: moto's own reading of bucket policies takes conditions for true."""
    from moto.iam.access_control import PermissionResult  # noqa: PLC0415 - moto is imported when the server starts, not before
    from moto.s3.models import FakeBucket  # noqa: PLC0415 - moto is imported when the server starts, not before

    bucket: Any = FakeBucket
    bucket.get_permission = lambda _self, _action, _resource: PermissionResult.NEUTRAL


def reset() -> None:
    """Forget the decisions of an earlier start."""
    _trace.clear()
