"""Asynchronous invocations: retries, then the failure destination and the dead-letter queue."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from mlops.rehearsal import credentials
from mlops.rehearsal.lambda_pool import PRINCIPAL, Outcome
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase

RETRY_SECONDS = (0.5, 1.0)
"""Lambda waits one minute before the first retry and two before the second."""
_THREADS = 16


class AsyncInvocations:
    """The queue behind invocations of type Event."""

    def __init__(self, invoke: Callable[..., Outcome]) -> None:
        self._invoke = invoke
        self._ending = threading.Event()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="lambda-async")
        self._pending = 0
        self._changed = threading.Condition()

    def accept(self, function: Any, event: bytes) -> str:
        """Take an event and return at once with its request id."""
        request_id = str(uuid.uuid4())
        with self._changed:
            self._pending += 1
        self._threads.submit(self._deliver, function, event, request_id)
        return request_id

    def idle(self, seconds: float) -> bool:
        """Wait until every event is dealt with; False after `seconds`."""
        with self._changed:
            return self._changed.wait_for(lambda: self._pending == 0, seconds)

    def close(self) -> None:
        """Give up what has not been delivered yet."""
        self._ending.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _deliver(self, function: Any, event: bytes, request_id: str) -> None:
        try:
            self._attempt_all(function, event, request_id)
        except Exception as error:  # noqa: BLE001 - nobody waits for this thread
            if not self._ending.is_set():
                TIMELINE.emit(
                    Kind.EVENT, function.function_name, Phase.FAILED, target=function.function_arn, error=str(error)
                )
        finally:
            with self._changed:
                self._pending -= 1
                self._changed.notify_all()

    def _attempt_all(self, function: Any, event: bytes, request_id: str) -> None:
        config = _config(function)
        retries = int(config.get("MaximumRetryAttempts", 2))
        for attempt in range(retries + 1):
            try:
                outcome = self._invoke(function, event, request_id=request_id)
            except Exception as error:  # noqa: BLE001 - nobody waits for this thread
                text = json.dumps({"errorType": type(error).__name__, "errorMessage": str(error)})
                outcome = Outcome(text.encode(), "Unhandled", "", request_id)
            if self._ending.is_set():
                return
            if outcome.function_error is None:
                _to_destination(function, event, outcome, config, attempts=attempt + 1)
                return
            if attempt < retries and self._ending.wait(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)]):
                return
        _to_destination(function, event, outcome, config, attempts=retries + 1)
        _to_dead_letters(function, event, outcome)


def _config(function: Any) -> dict[str, Any]:
    # moto keeps the configurations of a function in a list; the last one is in force.
    configs = function.event_invoke_config
    return dict(configs[-1].config) if configs else {}


def _client(function: Any, service: str) -> Any:
    return credentials.client(
        service,
        role_arn=function.role,
        region=function.region,
        principal=PRINCIPAL,
        session_name=function.function_name,
    )


def _to_destination(function: Any, event: bytes, outcome: Outcome, config: dict[str, Any], *, attempts: int) -> None:
    side = "OnFailure" if outcome.function_error else "OnSuccess"
    arn = config.get("DestinationConfig", {}).get(side, {}).get("Destination")
    if not arn:
        return
    record = {
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": outcome.request_id,
            "functionArn": f"{function.function_arn}:$LATEST",
            "condition": "RetriesExhausted" if outcome.function_error else "Success",
            "approximateInvokeCount": attempts,
        },
        "requestPayload": _json(event),
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            **({"functionError": outcome.function_error} if outcome.function_error else {}),
        },
        "responsePayload": _json(outcome.payload),
    }
    _send(function, arn, json.dumps(record), {})


def _to_dead_letters(function: Any, event: bytes, outcome: Outcome) -> None:
    arn = (getattr(function, "dead_letter_config", None) or {}).get("TargetArn")
    if not arn:
        return
    error = _json(outcome.payload)
    message = str(error.get("errorMessage", "")) if isinstance(error, dict) else ""
    attributes = {
        "RequestID": {"DataType": "String", "StringValue": outcome.request_id},
        "ErrorCode": {"DataType": "Number", "StringValue": "200"},
        "ErrorMessage": {"DataType": "String", "StringValue": message[:1024] or "-"},
    }
    _send(function, arn, event.decode(errors="replace"), attributes)


def _send(function: Any, arn: str, body: str, attributes: dict[str, Any]) -> None:
    service = arn.split(":")[2]
    try:
        match service:
            case "sqs":
                sqs = _client(function, "sqs")
                url = f"{credentials.endpoint()}/{arn.split(':')[4]}/{arn.split(':')[5]}"
                sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)
            case "sns":
                _client(function, "sns").publish(TopicArn=arn, Message=body, MessageAttributes=attributes)
            case "lambda":
                _client(function, "lambda").invoke(FunctionName=arn, InvocationType="Event", Payload=body.encode())
            case "events":
                entry = {
                    "EventBusName": arn,
                    "Source": "lambda",
                    "DetailType": "Lambda Function Invocation Result - Failure",
                    "Detail": body,
                    "Resources": [function.function_arn],
                }
                _client(function, "events").put_events(Entries=[entry])
            case _:
                msg = f"the rehearsal does not know the destination {arn}"
                raise ValueError(msg)  # noqa: TRY301 - handled like the others below
    except Exception as error:  # noqa: BLE001 - nobody waits for this thread
        TIMELINE.emit(Kind.EVENT, arn, Phase.FAILED, target=arn, source=function.function_name, error=str(error))
        return
    TIMELINE.emit(Kind.EVENT, arn, Phase.SUCCEEDED, target=arn, source=function.function_name)


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode(errors="replace")
