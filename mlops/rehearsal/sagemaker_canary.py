"""The canary faults: a new version that passes every check before it has traffic, and fails as soon as it has."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from mlops.rehearsal.faults import CANARY_FAULTS, FAULTS, Fault
from mlops.rehearsal.sagemaker_fleets import Fleet, Server
from mlops.rehearsal.sagemaker_serving import Answer

SLOW_SECONDS = 2.0
"""What canary-slow adds to every answer, in real seconds."""
_ERROR_EVERY = 3
_DIES_AT = 20
_OK = 200
_ERROR = Answer(500, "text/plain", b"the rehearsal lets this version fail (canary-errors)", None)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


def strike(fleet: Fleet) -> None:
    """Let the canary fault that is switched on, if one is, strike a fleet that gets its first traffic."""
    for fault in CANARY_FAULTS:
        if FAULTS.strikes(fault, at=fleet.endpoint_name):
            fleet.fault = fault


def ask(fleet: Fleet, server: Server, body: bytes, headers: dict[str, str]) -> Answer:
    """Return what a server of a fleet answers, with what the faults make of it.

    Raises:
        NoAnswerError: the container does not answer.

    """
    if FAULTS.strikes(Fault.SERVE_DIES, at="the first invocation", times=1):
        server.kill()
    wrong = fleet.wrong
    match fleet.fault:
        case Fault.CANARY_ERRORS if next(fleet.numbers) % _ERROR_EVERY == 0:
            return _ERROR
        case Fault.CANARY_SLOW:
            time.sleep(SLOW_SECONDS)
        case Fault.CANARY_DIES if next(fleet.numbers) == _DIES_AT:
            server.kill()
        case Fault.CANARY_WRONG:
            wrong = True
    answer = server.invoke(body, headers)
    if wrong and answer.status == _OK:
        turned = opposite(answer.body, answer.content_type)
        return Answer(answer.status, answer.content_type, turned, answer.custom_attributes)
    return answer


def opposite(body: bytes, content_type: str) -> bytes:
    """Return `body` with every probability p as 1 - p: the answer of a model that learned the wrong class."""
    text = body.decode()
    if "json" in content_type:
        lines = text.splitlines() if "lines" in content_type else [text]
        return "\n".join(json.dumps(_opposite_value(json.loads(line))) for line in lines if line).encode()
    return _NUMBER.sub(lambda found: repr(1.0 - float(found.group())), text).encode()


def _opposite_value(value: Any) -> Any:
    match value:
        case float():
            return 1.0 - value
        case dict():
            return {name: _opposite_value(item) for name, item in value.items()}
        case list():
            return [_opposite_value(item) for item in value]
        case _:
            return value
