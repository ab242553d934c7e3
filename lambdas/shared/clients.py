"""Clients of AWS: one for each service, role and region in a process, with retries and timeouts that fit a function.

botocore is used without boto3 around it: the same clients, about a tenth of a second less at every cold start.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.credentials import CredentialProvider, CredentialResolver, DeferredRefreshableCredentials
from botocore.session import get_session

if TYPE_CHECKING:
    from lambdas.shared.access import Access

PATIENT = Config(retries={"mode": "adaptive", "total_max_attempts": 10}, connect_timeout=5, read_timeout=30)
"""For the APIs of AWS: throttling is waited for."""

IMPATIENT = Config(retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=5, read_timeout=20)
"""For the endpoint under test: one attempt, because a retry would hide the failure that is looked for."""

_SESSION_NAME_LENGTH = 64


@cache
def client(service: str, config: Config = PATIENT, *, access: Access | None = None) -> Any:
    """Return the client of `service`; what `access` leaves open comes from the environment."""
    session = session_elsewhere(access) if access and access.is_remote else get_session()
    return session.create_client(service, config=config)


def session_elsewhere(access: Access) -> Any:
    """Return a session with the role and in the region of `access`."""
    session = get_session()
    if access.region:
        session.set_config_variable("region", access.region)
    if access.role_arn:
        session.register_component("credential_provider", CredentialResolver([_AssumedRole(access.role_arn)]))
    return session


class _AssumedRole(CredentialProvider):  # type: ignore[misc] # botocore has no types
    """Credentials of a role, taken when they are needed and again before they expire: a function lives longer."""

    METHOD = "assume-role"

    def __init__(self, role_arn: str) -> None:
        super().__init__()
        self._role_arn = role_arn

    def load(self) -> DeferredRefreshableCredentials:
        """Return the credentials; nothing is asked for yet."""
        return DeferredRefreshableCredentials(refresh_using=self._assume, method=self.METHOD)

    def _assume(self) -> dict[str, str]:
        # The name leads from the trail of the other account to the function.
        name = os.environ["AWS_LAMBDA_FUNCTION_NAME"][:_SESSION_NAME_LENGTH]
        given = client("sts").assume_role(RoleArn=self._role_arn, RoleSessionName=name)["Credentials"]
        return {
            "access_key": given["AccessKeyId"],
            "secret_key": given["SecretAccessKey"],
            "token": given["SessionToken"],
            "expiry_time": given["Expiration"].isoformat(),
        }
