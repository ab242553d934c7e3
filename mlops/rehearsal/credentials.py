"""Credentials of the emulated AWS: nothing that the user's shell holds is ever used.

Two kinds exist: the keys of an operator, who may do everything in one account and in other accounts what their policies
admit, and the session credentials of a role, which the emulated STS hands out after the role's trust policy admitted
the service that asks.
"""

from __future__ import annotations

import os
import threading
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from mlops.rehearsal import accounts, processes

DEAD_ENDPOINT = "http://127.0.0.1:9"
"""Where SDK calls go while no emulated AWS is running: port 9 (discard), where nobody listens."""

_STRAY_VARIABLES = ("BOTO_CONFIG", "CODEBUILD_BUILD_ID", "ECS_CONTAINER_METADATA_URI", "ECS_CONTAINER_METADATA_URI_V4")
_PREFIXES = ("AWS_", "AMAZON_", "BOTO_", "CDK_", "SAGEMAKER_")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key; a session token where it belongs to a role."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    def environment(self) -> dict[str, str]:
        """Return the variables by which every AWS SDK finds these credentials."""
        variables = {"AWS_ACCESS_KEY_ID": self.access_key_id, "AWS_SECRET_ACCESS_KEY": self.secret_access_key}
        if self.session_token is not None:
            variables["AWS_SESSION_TOKEN"] = self.session_token
        return variables


OPERATOR = Credentials("AKIAREHEARSALOPERATR", "the-operator-of-the-rehearsal")
"""The person at the laptop: the operator of the account of the tools."""
_OPERATOR_PREFIX = "AKIAOPER"


def operator(account: str | None = None) -> Credentials:
    """Return the keys of an account's administrator, whom no policy of that account restricts."""
    if account in (None, accounts.main()):
        return OPERATOR
    return Credentials(f"{_OPERATOR_PREFIX}{account}", OPERATOR.secret_access_key)


def account_of_operator(access_key_id: str) -> str | None:
    """Return the account whose operator has this access key, None for a key that is no operator's."""
    if access_key_id == OPERATOR.access_key_id:
        return accounts.main()
    account = access_key_id.removeprefix(_OPERATOR_PREFIX)
    return account if account != access_key_id and account.isdigit() else None


class _State:
    """Where the running emulated AWS answers, and the sessions it handed out."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.url: str | None = None
        self.region = "eu-west-1"
        self.sessions: dict[tuple[str, str, str], Credentials] = {}
        self.clients: dict[tuple[str, str, str, Credentials], Any] = {}
        self.factory: boto3.Session | None = None


_state = _State()


def scrub_environment(environment: MutableMapping[str, str] | None = None) -> None:
    """Remove everything from this process's environment by which an SDK could find a real account.

    What takes its place leads to the emulated AWS, or to a dead port while none is running.
    """
    environment = os.environ if environment is None else environment
    for name in list(environment):
        if name.upper().startswith(_PREFIXES) or name.upper() in (*_STRAY_VARIABLES, *_PROXIES):
            del environment[name]
    clean = processes.clean_environment()
    environment.update({name: clean[name] for name in clean if name.startswith("AWS_") or name in _PROXIES})
    environment.update(OPERATOR.environment())
    environment["AWS_ENDPOINT_URL"] = _state.url or DEAD_ENDPOINT
    environment["AWS_REGION"] = environment["AWS_DEFAULT_REGION"] = _state.region
    if environment is os.environ:
        boto3.DEFAULT_SESSION = None


def connect(*, url: str | None, region: str) -> None:
    """Send every later call to the emulated AWS at `url` (None: to a dead port), and forget earlier sessions."""
    with _state.lock:
        _state.url, _state.region, _state.factory = url, region, None
        _state.sessions.clear()
        _state.clients.clear()
    scrub_environment()


def endpoint() -> str:
    """Return the URL of the running emulated AWS.

    Raises:
        RuntimeError: none is running.

    """
    if _state.url is None:
        msg = "no emulated AWS is running; start mlops.rehearsal.server.EmulatedAws first"
        raise RuntimeError(msg)
    return _state.url


def service_role_credentials(
    role_arn: str,
    principal: str,
    *,
    session_name: str = "rehearsal",
    source_arn: str | None = None,
) -> Credentials:
    """Return credentials of a role for the service `principal` ("lambda.amazonaws.com"), as its trust policy allows.

    Raises:
        TrustError: the role does not exist or its trust policy does not admit the service.

    """
    from mlops.rehearsal import iam_roles  # noqa: PLC0415 - moto is imported when the server starts, not before

    iam_roles.check_trust(role_arn, principal, source_arn=source_arn)
    with _state.lock:
        key = (role_arn, principal, session_name)
        if key not in _state.sessions:
            _state.sessions[key] = iam_roles.new_session(role_arn, session_name=session_name)
        return _state.sessions[key]


def client(
    service: str,
    *,
    account: str | None = None,
    role_arn: str | None = None,
    region: str | None = None,
    principal: str | None = None,
    session_name: str = "rehearsal",
) -> Any:
    """Return a boto3 client of the emulated AWS: an operator's, or that of a role which `principal` assumes.

    The operator is that of `account`, or of the account of the tools.
    """
    url = endpoint()
    keys = operator(account)
    if role_arn is not None:
        if principal is None:
            msg = f"a client for role {role_arn} needs the service that assumes it; give principal='....amazonaws.com'"
            raise ValueError(msg)
        keys = service_role_credentials(role_arn, principal, session_name=session_name)
    return client_for(keys, service, region=region or _state.region, url=url)


def client_for(keys: Credentials, service: str, *, region: str, url: str | None = None) -> Any:
    """Return a boto3 client for `keys`; clients are cached, they are safe to share between threads."""
    url = url or endpoint()
    with _state.lock:
        cached = _state.clients.get((service, region, url, keys))
        if cached is None:
            if _state.factory is None:
                scrub_environment()
                _state.factory = boto3.Session(botocore_session=botocore.session.Session(profile=None))
            cached = _state.factory.client(
                service,
                region_name=region,
                endpoint_url=url,
                aws_access_key_id=keys.access_key_id,
                aws_secret_access_key=keys.secret_access_key,
                aws_session_token=keys.session_token,
                config=Config(
                    retries={"mode": "standard", "total_max_attempts": 5},
                    connect_timeout=5,
                    read_timeout=900,
                    max_pool_connections=50,
                ),
            )
            _state.clients[(service, region, url, keys)] = cached
        return cached


def environment_for(
    role_arn: str,
    region: str | None = None,
    *,
    principal: str,
    session_name: str = "rehearsal",
    source_arn: str | None = None,
) -> dict[str, str]:
    """Return the environment of a child process that acts as a role, and can reach nothing but the emulated AWS."""
    keys = service_role_credentials(role_arn, principal, session_name=session_name, source_arn=source_arn)
    region = region or _state.region
    return processes.clean_environment(
        AWS_ENDPOINT_URL=endpoint(), AWS_REGION=region, AWS_DEFAULT_REGION=region, **keys.environment()
    )


def operator_environment(region: str | None = None, *, account: str | None = None) -> dict[str, str]:
    """Return the environment of a child process that acts for the operator of an account."""
    region = region or _state.region
    return processes.clean_environment(
        AWS_ENDPOINT_URL=endpoint(), AWS_REGION=region, AWS_DEFAULT_REGION=region, **operator(account).environment()
    )
