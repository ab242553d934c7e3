"""The layer in front of the emulated services: it refuses what a caller may not do, and says which account answers.

It stands in front of moto, so nothing in moto can forget it. Gap of moto that is closed here: it takes the account of a
call from the access key alone, so a key, a queue or a model package of another account is never found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mlops.rehearsal import (
    accounts,
    credentials,
    iam,
    iam_calls,
    iam_errors,
    iam_homes,
    iam_requests,
    iam_roles,
    iam_s3,
)
from mlops.rehearsal.iam_needs import ApiCall, Need
from mlops.rehearsal.iam_resources import UnknownCallError
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase

_UNSIGNED_PATHS = ("/moto-api", "/cfnresponse")
_ACCOUNT = "HTTP_X_MOTO_ACCOUNT_ID"
"""The header by which moto is told the account that answers; nobody else may set it."""


class Enforcement:
    """Answers a request in the right account, if its caller may make it."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        """Stand in front of `application`, moto's."""
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        environ[_ACCOUNT] = accounts.main()
        signed = iam_requests.signature(environ)
        if signed is None:
            path = environ.get("PATH_INFO", "")
            if any(part in path for part in _UNSIGNED_PATHS):
                return self._application(environ, start_response)
            message = "the request is not signed: the emulated AWS answers its own credentials only"
            return iam_errors.refuse(environ, start_response, model="s3", message=message)
        model = iam_requests.model_name(environ, signed)
        account = credentials.account_of_operator(signed.access_key_id)
        if account is not None:
            refusal = _operator(environ, signed, account)
        else:
            session = iam_roles.session_of(signed.access_key_id, signed.session_token)
            if session is None:
                message = _unknown(signed)
                return iam_errors.refuse(
                    environ, start_response, model=model, message=message, code="InvalidClientTokenId"
                )
            refusal = _role(environ, signed, session)
        if refusal is not None:
            return iam_errors.refuse(environ, start_response, model=model, message=refusal)
        return self._application(environ, start_response)


def _unknown(signed: iam_requests.Signature) -> str:
    message = "The security token included in the request is invalid: not one of this emulated AWS"
    TIMELINE.emit(
        Kind.IAM, "unknown credentials", Phase.FAILED, action=signed.service, role="", resource="", reason=message
    )
    return message


def _operator(environ: dict[str, Any], signed: iam_requests.Signature, account: str) -> str | None:
    """Let the operator do everything in the own account; roles and other accounts decide for themselves."""
    environ[_ACCOUNT] = account
    if not iam_homes.may_cross(signed.service):
        return None
    try:
        call = iam_requests.api_call(environ, signed, account=account)
        needs = iam_calls.needs_of(call)
    except UnknownCallError:
        return None  # moto says what it thinks of it, in the operator's own account
    environ[_ACCOUNT] = iam_homes.home_of(call)
    for need in needs:
        if need.action != "sts:AssumeRole" and accounts.owner_of(need.resources[0]) in (None, account):
            continue
        decision = iam.decide_for_operator(account, need, region=signed.region)
        if not decision.allowed:
            return decision.message
    return None


def _role(environ: dict[str, Any], signed: iam_requests.Signature, session: iam_roles.Session) -> str | None:
    environ[_ACCOUNT] = session.account
    try:
        call = iam_requests.api_call(environ, signed, account=session.account)
        needs = iam_calls.needs_of(call)
    except UnknownCallError as error:
        operation = environ.get("HTTP_X_AMZ_TARGET", "").rsplit(".", 1)[-1] or str(environ.get("PATH_INFO"))
        need = Need(f"{signed.service}:{operation}", ("*",))
        return iam.refuse(session.role_arn, need, str(error)).message
    environ[_ACCOUNT] = iam_homes.home_of(call)
    for need in needs:
        decision = iam.decide_for_role(session.role_arn, need, session=session.name, region=signed.region)
        if not decision.allowed:
            return decision.message
    return _hidden(call, session)


def _hidden(call: ApiCall, session: iam_roles.Session) -> str | None:
    """S3 says that an object is missing only to those who may list the bucket; to others, it is forbidden."""
    if call.name not in ("s3:GetObject", "s3:HeadObject") or call.params.get("VersionId"):
        return None
    bucket, key = str(call.params["Bucket"]), str(call.params["Key"])
    if iam_s3.exists(bucket, key):
        return None
    need = Need("s3:ListBucket", (f"arn:aws:s3:::{bucket}",), {"s3:prefix": key})
    decision = iam.decide_for_role(session.role_arn, need, session=session.name, region=call.region)
    return None if decision.allowed else f"{decision.message} (the object does not exist)"
