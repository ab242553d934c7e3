"""Calls of an endpoint, as the logic needs them: an answer, or the reason why there is none."""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.shared.metrics import Task
from lambdas.shared.text import clip

ANSWER_LIMIT = 6 * 1024 * 1024
CONTENT_TYPE = "text/csv"


class CallError(Exception):
    """The endpoint gave no answer; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """An answer of the endpoint."""

    status: int
    content_type: str
    body: bytes
    milliseconds: float


class EndpointCaller:
    """Sends rows to one endpoint, or to one of its variants or models."""

    def __init__(
        self, runtime: Any, *, endpoint_name: str, variant: str | None = None, model: str | None = None
    ) -> None:
        """Use the client `runtime`, which must not try again by itself."""
        self._runtime = runtime
        wanted = {"TargetVariant": variant, "TargetModel": model}
        self._place = {"EndpointName": endpoint_name, **{name: value for name, value in wanted.items() if value}}

    def call(self, body: bytes) -> Reply:
        """Send `body`.

        Raises:
            CallError: no answer, or one that says that the model failed.
        """
        begun = time.perf_counter()
        try:
            response = self._runtime.invoke_endpoint(
                **self._place, ContentType=CONTENT_TYPE, Accept=CONTENT_TYPE, Body=body
            )
            content = response["Body"].read(ANSWER_LIMIT + 1)
            if len(content) <= ANSWER_LIMIT:
                # Only at its end botocore compares the body with its announced length.
                content += response["Body"].read()
        except ClientError as error:
            raise refused(error) from error
        except BotoCoreError as error:
            took = time.perf_counter() - begun
            msg = clip(f"no answer after {took:.1f} seconds: {error}", length=300)
            raise CallError(msg) from error
        return Reply(
            status=response["ResponseMetadata"]["HTTPStatusCode"],
            content_type=response.get("ContentType", ""),
            body=content,
            milliseconds=(time.perf_counter() - begun) * 1000,
        )


def refused(error: ClientError) -> CallError:
    """Return why a service gave no answer."""
    details = error.response["Error"]
    status = error.response.get("OriginalStatusCode") or error.response["ResponseMetadata"]["HTTPStatusCode"]
    return CallError(clip(f"{details['Code']} ({status}): {details['Message']}", length=300))


def values_of(reply: Reply, task: Task) -> list[str]:
    """Return the answer to each row: a line for each; a single value may also stand between commas."""
    text = reply.body[:ANSWER_LIMIT].decode(errors="replace").strip()
    separator = r"\s*\n\s*" if task is Task.MULTICLASS else r"\s*[,\n]\s*"
    return re.split(separator, text) if text else []


def numbers(text: str) -> list[float]:
    """Return the numbers in the answer to a row; NaN, which is within no range, for each that is none."""
    return [_number(cell) for cell in text.split(",")]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
