"""Calls of an endpoint, as the logic needs them: an answer, or the reason why there is none."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

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
    """Sends rows to one endpoint."""

    def __init__(self, runtime: Any, *, endpoint_name: str) -> None:
        """Use the client `runtime`, which must not try again by itself."""
        self._runtime, self._name = runtime, endpoint_name

    def call(self, body: bytes) -> Reply:
        """Send `body`.

        Raises:
            CallError: no answer, or one that says that the model failed.
        """
        begun = time.perf_counter()
        try:
            response = self._runtime.invoke_endpoint(
                EndpointName=self._name, ContentType=CONTENT_TYPE, Accept=CONTENT_TYPE, Body=body
            )
            content = response["Body"].read(ANSWER_LIMIT + 1)
            if len(content) <= ANSWER_LIMIT:
                # Only at its end botocore compares the body with its announced length.
                content += response["Body"].read()
        except ClientError as error:
            details = error.response["Error"]
            status = error.response.get("OriginalStatusCode") or error.response["ResponseMetadata"]["HTTPStatusCode"]
            msg = clip(f"{details['Code']} ({status}): {details['Message']}", length=300)
            raise CallError(msg) from error
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
