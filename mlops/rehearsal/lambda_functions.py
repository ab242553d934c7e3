"""Lambda functions of the emulated account: the code that ships, in processes of its own, with the role's credentials.

Gaps of moto that are closed here: it runs functions in Docker or answers with an echo; waits for invocations of type
Event; forgets DeadLetterConfig and LoggingConfig; knows no public layer; creates functions whose role does not trust
Lambda or lacks what Lambda checks at their creation.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Mapping
from typing import Any

from mlops.rehearsal import iam, interfaces, lambda_code
from mlops.rehearsal.iam_roles import TrustError, check_trust
from mlops.rehearsal.lambda_async import AsyncInvocations
from mlops.rehearsal.lambda_pool import PRINCIPAL, KmsAccessDeniedError, Outcome, Pool

NOT_REHEARSED: tuple[tuple[str, str], ...] = (
    ("the Python version, the processor and the memory limit of functions", "functions run in this machine's Python"),
    ("the release of the Powertools layer", "the public layer is represented by the release in this environment"),
    ("waits between asynchronous retries", "half a second and one second instead of one minute and two"),
    ("the 10 seconds limit of the init phase, and X-Ray segments", "load would decide; nothing reads them"),
    ("the read-only file system and the private network of functions", "the process runs on this machine"),
)


class _Service:
    def __init__(self) -> None:
        self.pool = Pool()
        self.asynchronous = AsyncInvocations(self.pool.invoke)

    def close(self) -> None:
        self.asynchronous.close()
        self.pool.close()


_lock = threading.Lock()
_current: _Service | None = None


def _service() -> _Service:
    global _current  # noqa: PLW0603 - one emulated AWS at a time
    with _lock:
        if _current is None:
            _current = _Service()
        return _current


def reset() -> None:
    """Begin without any sandbox."""
    shutdown()


def shutdown() -> None:
    """End every sandbox and drop the events that wait."""
    global _current
    with _lock:
        service, _current = _current, None
    if service is not None:
        service.close()


def wait_until_idle(seconds: float = 30.0) -> bool:
    """Wait until every asynchronous invocation is dealt with; False after `seconds`."""
    return _service().asynchronous.idle(seconds)


def invoke(function: Any, event: bytes) -> Outcome:
    """Run one of moto's functions and wait for its answer."""
    return _service().pool.invoke(function, event)


def install() -> None:
    """Put the runner in the place of moto's."""
    from moto.awslambda.models import LambdaBackend, LambdaFunction  # noqa: PLC0415 - moto is imported when the server starts, not before

    initialise = LambdaFunction.__init__
    update = LambdaFunction.update_configuration
    describe = LambdaFunction.get_configuration
    create = LambdaBackend.create_function
    configure = LambdaBackend.put_function_event_invoke_config

    def new_function(self: Any, account_id: str, spec: dict[str, Any], region: str, version: str | int = 1) -> None:
        initialise(self, account_id, spec, region, version)
        _keep(self, spec)

    def update_configuration(self: Any, config_updates: dict[str, Any]) -> dict[str, Any]:
        _check_interfaces(config_updates.get("Role") or self.role, config_updates.get("VpcConfig"), self.region)
        update(self, config_updates)
        _keep(self, config_updates)
        return dict(self.get_configuration())

    def get_configuration(self: Any, on_create: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - moto's signature
        config: dict[str, Any] = describe(self, on_create)
        if getattr(self, "dead_letter_config", None):
            config["DeadLetterConfig"] = self.dead_letter_config
        config["LoggingConfig"] = {"LogFormat": "Text", "LogGroup": self.logs_group_name, **(self.logging_config or {})}
        return config

    def create_function(self: Any, spec: dict[str, Any]) -> Any:
        _validate(spec, account=self.account_id, region=self.region_name)
        return create(self, spec)

    def put_event_invoke_config(self: Any, function_name: str, config: dict[str, Any]) -> dict[str, Any]:
        self.get_function(function_name).event_invoke_config.clear()
        return dict(configure(self, function_name, config))

    of_function: dict[str, Any] = {
        "__init__": new_function,
        "update_configuration": update_configuration,
        "get_configuration": get_configuration,
        "_get_layers_data": lambda _self, arns: [{"Arn": arn, "CodeSize": 0} for arn in arns],
        "invoke": _invoke,
    }
    of_backend: dict[str, Any] = {
        "create_function": create_function,
        "put_function_event_invoke_config": put_event_invoke_config,
    }
    for name, method in of_function.items():
        setattr(LambdaFunction, name, method)
    for name, method in of_backend.items():
        setattr(LambdaBackend, name, method)


def _keep(function: Any, spec: Mapping[str, Any]) -> None:
    """Keep what moto forgets of a function's configuration."""
    if not hasattr(function, "dead_letter_config"):
        function.dead_letter_config = None
        function.logging_config = None
    if "DeadLetterConfig" in spec:
        function.dead_letter_config = dict(spec["DeadLetterConfig"] or {}) or None
    if "LoggingConfig" in spec:
        function.logging_config = dict(spec["LoggingConfig"] or {})
        function.logs_group_name = function.logging_config.get("LogGroup", f"/aws/lambda/{function.function_name}")
    if "TracingConfig" in spec:
        function.tracing_config = dict(spec["TracingConfig"] or {}) or {"Mode": "PassThrough"}
    if "KMSKeyArn" in spec:
        function.kms_key_arn = spec["KMSKeyArn"]


def _validate(spec: Mapping[str, Any], *, account: str, region: str) -> None:
    """Refuse what Lambda refuses at creation, and what the rehearsal cannot represent."""
    from moto.awslambda.exceptions import InvalidParameterValueException  # noqa: PLC0415 - moto is imported when the server starts, not before

    reason = lambda_code.unsupported(
        runtime=spec.get("Runtime"), package_type=spec.get("PackageType", "Zip"), layers=spec.get("Layers") or ()
    )
    if reason:
        raise InvalidParameterValueException(reason)
    role = str(spec["Role"])
    arn = f"arn:aws:lambda:{region}:{account}:function:{spec['FunctionName']}"
    try:
        check_trust(role, PRINCIPAL, source_arn=arn)
    except TrustError as error:
        msg = f"The role defined for the function cannot be assumed by Lambda. ({error})"
        raise InvalidParameterValueException(msg) from error
    needs = []
    if (spec.get("TracingConfig") or {}).get("Mode") == "Active":
        needs.append(("PutTraceSegments", "XRAY", "xray:PutTraceSegments", "*"))
    target = (spec.get("DeadLetterConfig") or {}).get("TargetArn")
    if target:
        service, call = ("SQS", "SendMessage") if ":sqs:" in target else ("SNS", "Publish")
        needs.append((call, service, f"{service.lower()}:{call}", target))
    for call, service, action, resource in needs:
        if not iam.check(role, action, resource, region=region).allowed:
            msg = f"The provided execution role does not have permissions to call {call} on {service}"
            raise InvalidParameterValueException(msg)
    _check_interfaces(role, spec.get("VpcConfig"), region)


def _check_interfaces(role: str, config: Mapping[str, Any] | None, region: str) -> None:
    """Refuse a function in a VPC whose role may not make its interfaces."""
    from moto.awslambda.exceptions import InvalidParameterValueException  # noqa: PLC0415 - moto is imported when the server starts, not before

    refused = interfaces.refused_to_function(role, config, region=region)
    if refused is not None:
        msg = f"The provided execution role does not have permissions to call {refused} on EC2"
        raise InvalidParameterValueException(msg)


def _invoke(self: Any, body: str | bytes, request_headers: Any, response_headers: dict[str, Any]) -> str | bytes:
    """Invoke a function as the API does; stands in the place of moto's LambdaFunction.invoke."""
    event = (body.encode() if isinstance(body, str) else body) or b"{}"
    headers = {str(name).lower(): value for name, value in dict(request_headers or {}).items()}
    kind = headers.get("x-amz-invocation-type") or ("Event" if _comes_from_topic(event) and not headers else None)
    response_headers["x-amz-executed-version"] = str(self.version)
    _refuse_bad_requests(self, event)
    if kind == "DryRun":
        return b""
    if kind == "Event":
        _service().asynchronous.accept(self, event)
        return b""
    try:
        outcome = invoke(self, event)
    except KmsAccessDeniedError as error:
        raise _client_error(str(error), kind="KMSAccessDeniedException", status=502) from error
    if outcome.function_error:
        response_headers["x-amz-function-error"] = outcome.function_error
    response_headers["x-amz-log-result"] = base64.b64encode(outcome.log.encode()).decode()
    return outcome.payload


def _refuse_bad_requests(function: Any, event: bytes) -> None:
    try:
        json.loads(event)
    except ValueError as error:
        text = f"Could not parse request body into json: {error}"
        raise _client_error(text, kind="InvalidRequestContentException", status=400) from error
    reserved = function.reserved_concurrency
    if reserved is not None and _service().pool.running(function) >= int(reserved):
        text = "Rate Exceeded."
        raise _client_error(text, kind="TooManyRequestsException", status=429)


def _client_error(message: str, *, kind: str, status: int) -> Exception:
    from moto.awslambda.exceptions import LambdaClientError  # noqa: PLC0415 - moto is imported when the server starts, not before

    error: Exception = LambdaClientError(kind, message)
    error.code = status  # type: ignore[attr-defined]
    return error


def _comes_from_topic(event: bytes) -> bool:
    # moto delivers notifications in the publisher's thread; SNS invokes functions asynchronously.
    try:
        content = json.loads(event)
        return bool(content["Records"][0]["EventSource"] == "aws:sns")
    except (ValueError, LookupError, TypeError):
        return False
