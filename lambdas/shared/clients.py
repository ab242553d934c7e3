"""Clients of AWS: one for each service and process, with retries and timeouts that fit a function.

botocore is used without boto3 around it: the same clients, about a tenth of a second less at every cold start.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from botocore.config import Config
from botocore.session import get_session

PATIENT = Config(retries={"mode": "adaptive", "total_max_attempts": 10}, connect_timeout=5, read_timeout=30)
"""For the APIs of AWS: throttling is waited for."""

IMPATIENT = Config(retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=5, read_timeout=20)
"""For the endpoint under test: one attempt, because a retry would hide the failure that is looked for."""


@cache
def client(service: str, config: Config = PATIENT) -> Any:
    """Return the client of `service`; credentials, region and endpoint come from the environment."""
    return get_session().create_client(service, config=config)
