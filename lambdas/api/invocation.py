"""One prediction by an endpoint: tried again when the model fails, because a prediction changes nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from lambdas.api.answers import UnusableAnswerError
from lambdas.api.problems import ProblemError
from lambdas.shared.text import clip

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ATTEMPT_SECONDS = 9
"""For one attempt: three fit into the 30 seconds that the gateway waits."""
ATTEMPTS = 3
PAUSES = (0.05, 0.2)
"""Seconds before the second and the third attempt."""
RUNTIME = Config(
    retries={"mode": "standard", "total_max_attempts": 1},
    connect_timeout=1,
    read_timeout=ATTEMPT_SECONDS,
    max_pool_connections=2,
)
"""For the endpoint: each attempt is made, and counted, here."""
CONTENT_TYPE = "text/csv"
_CALLERS_FAULT = range(400, 500)
_BUSY = frozenset({"ThrottlingException", "Throttling", "ServiceUnavailable", "ModelNotReadyException"})
_FAILED = frozenset({"ModelError", "InternalFailure", "InternalDependencyException"}) | _BUSY


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What an endpoint is asked."""

    endpoint: str
    body: bytes
    inference_id: str
    request_id: str
    variant: str | None = None
    target_model: str | None = None

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of InvokeEndpoint."""
        optional = {"TargetVariant": self.variant, "TargetModel": self.target_model}
        return {
            "EndpointName": self.endpoint,
            "ContentType": CONTENT_TYPE,
            "Accept": CONTENT_TYPE,
            "Body": self.body,
            "InferenceId": self.inference_id,
            "CustomAttributes": f"request-id={self.request_id}",
            **{name: value for name, value in optional.items() if value is not None},
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the model answered, and how."""

    predictions: list[float] | list[dict[str, float]]
    variant: str


class GoneError(Exception):
    """The endpoint, or the variant of it, is not there any more."""


class Invoker:
    """Asks endpoints."""

    def __init__(self, runtime: Any, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """Use the client `runtime`, which must not try again by itself."""
        self._runtime, self._sleep = runtime, sleep

    def ask(
        self,
        question: Question,
        *,
        read: Callable[[bytes, str], list[float] | list[dict[str, float]]],
        remaining: Callable[[], float],
        failed: Callable[[str], None],
    ) -> Answer:
        """Return the answer to `question`, in at most `ATTEMPTS` attempts.

        Args:
            question: for the endpoint.
            read: turns body and content type into predictions, or raises UnusableAnswerError.
            remaining: the seconds that are left.
            failed: told of every attempt that failed, with the reason.

        Raises:
            ProblemError: the model failed (502), was too busy (503) or too slow (504) each time.
            GoneError: SageMaker knows no such endpoint or variant.
        """
        for pause in (*PAUSES, None):
            try:
                return self._once(question, read)
            except _AttemptError as error:
                failed(error.reason)
                if pause is None or not error.again or remaining() < ATTEMPT_SECONDS + pause + 1:
                    raise error.problem() from error
                self._sleep(pause)
        raise AssertionError  # the last pause is None

    def _once(self, question: Question, read: Callable[[bytes, str], list[float] | list[dict[str, float]]]) -> Answer:
        try:
            response = self._runtime.invoke_endpoint(**question.parameters())
            predictions = read(response["Body"].read(), response.get("ContentType", ""))
        except ClientError as error:
            raise _refused(error.response) from error
        except ReadTimeoutError as error:
            raise _AttemptError(504, f"no answer in {ATTEMPT_SECONDS} seconds") from error
        except BotoCoreError as error:
            raise _AttemptError(502, f"the connection failed: {type(error).__name__}") from error
        except UnusableAnswerError as error:
            raise _AttemptError(502, str(error)) from error
        return Answer(predictions=predictions, variant=response.get("InvokedProductionVariant", ""))


class _AttemptError(Exception):
    """An attempt that brought no answer."""

    def __init__(self, status: int, reason: str, *, again: bool = True) -> None:
        super().__init__(reason)
        self.status, self.reason, self.again = status, reason, again

    def problem(self) -> ProblemError:
        headers = {"Retry-After": "1"} if self.status == 503 else {}  # noqa: PLR2004 - HTTP
        return ProblemError(self.status, self.reason, headers=headers)


def _refused(response: Mapping[str, Any]) -> Exception:
    code, message = response["Error"]["Code"], clip(response["Error"].get("Message", ""), length=200)
    if code == "ValidationError" and "not found" in message.lower():
        return GoneError(message)
    if code in _BUSY:
        return _AttemptError(503, "the model is busy")
    status = response.get("OriginalStatusCode", 0)
    if code in _FAILED or response["ResponseMetadata"]["HTTPStatusCode"] >= 500:  # noqa: PLR2004 - HTTP
        # Its words stay in its own log: they may quote the rows.
        reason = f"the model answered with status {status}" if status else "the model gave no answer"
        return _AttemptError(502, reason, again=status not in _CALLERS_FAULT)
    return RuntimeError(f"SageMaker refused the invocation: {code}: {message}")
