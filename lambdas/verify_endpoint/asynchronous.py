"""Calls of an asynchronous endpoint: the request is an object of S3, and so is the answer.

Sources: InvokeEndpointAsync of the SageMaker Runtime API reference; "Invoke an asynchronous endpoint" of the SageMaker
developer guide.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.shared.endpoint_calls import ANSWER_LIMIT, CONTENT_TYPE, CallError, Reply, refused
from lambdas.shared.storage import split_uri
from lambdas.shared.text import clip

WAIT_SECONDS = 480
"""How long is waited for all answers together: an endpoint without instances needs minutes to start one."""
POLL_SECONDS = 0.25
_MISSING = frozenset({"NoSuchKey", "404"})


class AsynchronousCaller:
    """Sends rows to one asynchronous endpoint and waits for their answer."""

    def __init__(self, runtime: Any, s3: Any, *, endpoint_name: str, folder: str) -> None:
        """Use the clients `runtime` and `s3`; requests are written into `folder`, an S3 URI."""
        self._runtime, self._s3 = runtime, s3
        self._name, self._folder = endpoint_name, folder
        self._deadline = time.monotonic() + WAIT_SECONDS

    def call(self, body: bytes) -> Reply:
        """Send `body` and wait until its answer is there.

        Raises:
            CallError: no answer in time, or one that says that the model failed.
        """
        bucket, key = split_uri(f"{self._folder}/{uuid.uuid4()}.csv")
        begun = time.perf_counter()
        try:
            self._s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType=CONTENT_TYPE)
            accepted = self._runtime.invoke_endpoint_async(
                EndpointName=self._name,
                ContentType=CONTENT_TYPE,
                Accept=CONTENT_TYPE,
                InputLocation=f"s3://{bucket}/{key}",
            )
            content = self._answer(accepted["OutputLocation"], accepted.get("FailureLocation"))
            took = time.perf_counter() - begun
        except ClientError as error:
            raise refused(error) from error
        except BotoCoreError as error:
            took = time.perf_counter() - begun
            msg = clip(f"no answer after {took:.1f} seconds: {error}", length=300)
            raise CallError(msg) from error
        # The type that was asked for: the service does not say that the object has the type of the answer. An answer
        # of another type does not pass the checks of its rows.
        return Reply(status=200, content_type=CONTENT_TYPE, body=content, milliseconds=took * 1000)

    def _answer(self, output: str, failure: str | None) -> bytes:
        while time.monotonic() < self._deadline:
            content = self._read(output)
            if content is not None:
                return content
            failed = self._read(failure) if failure else None
            if failed is not None:
                msg = clip(f"the model failed: {failed.decode(errors='replace')}", length=300)
                raise CallError(msg)
            time.sleep(POLL_SECONDS)
        msg = f"neither an answer at {output} nor a failure within {WAIT_SECONDS} seconds"
        raise CallError(msg)

    def _read(self, uri: str) -> bytes | None:
        bucket, key = split_uri(uri)
        try:
            body = self._s3.get_object(Bucket=bucket, Key=key)["Body"]
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                return None
            raise
        content: bytes = body.read(ANSWER_LIMIT + 1)
        body.close()
        return content
