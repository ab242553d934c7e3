"""Where the adapters hang their own handlers into moto's SageMaker API.

Gaps of moto that are closed here: requests are not validated, and an API that it lacks answers 501.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from mlops.rehearsal import sagemaker_requests
from mlops.rehearsal.faults import FAULTS, Fault
from mlops.rehearsal.sagemaker_requests import SageMakerError

Handler = Callable[[Any, dict[str, Any]], dict[str, Any] | None]
"""Takes moto's backend (it knows account and region) and the request; returns the answer."""

THROTTLED_CALLS = 2
_ERROR_CODES = ("AccessDeniedException", "SerializationException", "ThrottlingException", "ConflictException")
_served: set[str] = set()


def now() -> datetime:
    """Return the time as moto keeps it: UTC, without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


def whole_seconds(begin: datetime | None, end: datetime | None) -> int:
    """Return the seconds between two times, rounded up as SageMaker bills them."""
    return math.ceil((end - begin).total_seconds()) if begin and end else 0


def arn(backend: Any, kind: str, name: str) -> str:
    """Return the ARN of a SageMaker resource in the account and region of `backend`."""
    return f"arn:aws:sagemaker:{backend.region_name}:{backend.account_id}:{kind}/{name}"


def patch(owner: Any, **functions: Any) -> None:
    """Put `functions` in the place of what moto's class `owner` has under their names."""
    for name, function in functions.items():
        setattr(owner, name, function)


def serve(operation: str, handler: Handler) -> None:
    """Let `handler` answer `operation` ("CreateTrainingJob") in the place of moto."""
    from moto.core.responses import ActionResult  # noqa: PLC0415 - moto is imported when the server is there
    from moto.core.utils import camelcase_to_underscores  # noqa: PLC0415 - as above
    from moto.sagemaker.responses import SageMakerResponse  # noqa: PLC0415 - as above

    def method(self: Any) -> Any:
        sagemaker_requests.check(operation, self.body)
        _throttle(operation)
        return ActionResult(handler(self.sagemaker_backend, dict(self._get_params())) or {})

    name = camelcase_to_underscores(operation)
    method.__name__ = name
    _served.add(name)
    setattr(SageMakerResponse, name, method)


def install() -> None:
    """Check every Create request, throttle when that fault is on, and answer errors in SageMaker's shape."""
    from moto.core import errors  # noqa: PLC0415 - moto is imported when the server is there
    from moto.core.responses import ActionResult  # noqa: PLC0415 - as above
    from moto.sagemaker.responses import SageMakerResponse  # noqa: PLC0415 - as above

    # moto warns about error codes that the service model does not name; the real service sends these all the same.
    errors.COMMON_ERROR_CODES.extend(code for code in _ERROR_CODES if code not in errors.COMMON_ERROR_CODES)
    original = SageMakerResponse.call_action

    def call_action(self: Any) -> Any:
        try:
            return original(self)
        except SageMakerError as error:
            status, headers, body = self.serialized(ActionResult(error))
            headers["status"] = status
            status, headers, body = self._transform_response(self.response_headers, (body, headers))
            headers, body = self._enrich_response(headers, body)
            return status, headers, body

    patch(SageMakerResponse, call_action=call_action)
    for name, method in list(vars(SageMakerResponse).items()):
        if name.startswith("create_") and name not in _served:
            setattr(SageMakerResponse, name, _checked(name, method))


def _checked(name: str, method: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @functools.wraps(method)
    def wrapper(self: Any) -> Any:
        operation = self._get_action()
        sagemaker_requests.check(operation, self.body)
        _throttle(operation)
        return method(self)

    wrapper.__name__ = name
    return wrapper


def _throttle(operation: str) -> None:
    if operation.startswith("Create") and FAULTS.strikes(Fault.THROTTLING, at=operation, times=THROTTLED_CALLS):
        code, message = "ThrottlingException", "Rate exceeded"
        raise SageMakerError(code, message)
