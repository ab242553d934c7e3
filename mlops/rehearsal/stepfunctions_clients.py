"""How a state machine calls AWS: with the credentials of its role, once, and with checked parameters.

Gap of moto that is closed here: its interpreter calls with a fixed key, so a role's policies are never asked.
"""

from __future__ import annotations

import re
import threading
import uuid
from datetime import UTC, date, datetime
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.response import StreamingBody

from mlops.rehearsal import credentials
from mlops.rehearsal.credentials import Credentials

PRINCIPAL = "states.amazonaws.com"
_lock = threading.Lock()
_clients: dict[tuple[str, str, str, Credentials], Any] = {}


def client_for(region: str, service: str, state_credentials: Any = None) -> Any:
    """Return a client for the role of a task; nothing is retried, that is what the state's Retry is for."""
    keys = credentials.service_role_credentials(state_credentials.role_arn, PRINCIPAL, session_name="StepFunctions")
    identity = (credentials.endpoint(), service, region, keys)
    with _lock:
        if identity not in _clients:
            session = boto3.Session(botocore_session=botocore.session.Session(profile=None))
            _clients[identity] = session.client(
                service,
                region_name=region,
                endpoint_url=credentials.endpoint(),
                aws_access_key_id=keys.access_key_id,
                aws_secret_access_key=keys.secret_access_key,
                aws_session_token=keys.session_token,
                config=Config(
                    retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=905, max_pool_connections=20
                ),
            )
            _clients[identity].meta.events.register("after-call", _name_request)
        return _clients[identity]


def _name_request(parsed: dict[str, Any], **_: Any) -> None:
    # moto's interpreter writes the id of the request into every cause; not every refusal has one.
    parsed.setdefault("ResponseMetadata", {}).setdefault("RequestId", str(uuid.uuid4()))


def forget() -> None:
    """Forget every client."""
    with _lock:
        _clients.clear()


def java_service_name(service: str) -> str:
    """Return a service's name in errors of aws-sdk integrations, as the AWS SDK for Java 2 writes it: S3, Ssm, Sfn."""
    model = botocore.session.Session(profile=None).get_service_model(service)
    words = str(model.service_id).replace(" ", "")
    return re.sub(r"[A-Z]+(?=[A-Z][a-z]|$|[^A-Za-z])", lambda found: found.group().capitalize(), words)


def as_json(value: Any, *, milliseconds: bool = False) -> Any:  # noqa: PLR0911 - one for each type
    """Return what an API answered as JSON holds it: times as text, or as milliseconds, and streams as text."""
    match value:
        case datetime():
            moment = value if value.tzinfo else value.replace(tzinfo=UTC)
            if milliseconds:
                return int(moment.timestamp() * 1000)
            return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case dict():
            return {name: as_json(item, milliseconds=milliseconds) for name, item in value.items()}
        case list() | tuple():
            return [as_json(item, milliseconds=milliseconds) for item in value]
        case StreamingBody():
            return value.read().decode(errors="replace")
        case bytes():
            return value.decode(errors="replace")
        case _:
            return value
