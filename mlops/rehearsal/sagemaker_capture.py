"""Data capture of the emulated endpoints: requests and answers as JSON lines in S3, some moments after they were given.

As in SageMaker, several records share an object, whose key tells the hour; the role of the model writes it.
"""

from __future__ import annotations

import base64
import json
import random
import threading
import time
import uuid
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any, NamedTuple

from mlops.rehearsal import sagemaker_job
from mlops.rehearsal.sagemaker_fleets import Fleet, Server
from mlops.rehearsal.sagemaker_serving import Answer

_FLUSH_SECONDS = 0.5
"""Real seconds for which records are collected: a minute of the emulated clock at its usual scale."""


class Capture(NamedTuple):
    """What the records of one request have in common, that of the shadow variant included."""

    event_id: str
    inference_id: str | None
    moment: datetime


class _Place(NamedTuple):
    server: Server
    backend: Any
    uri: str
    kms_key: str | None


_lock = threading.Lock()
_waiting: dict[_Place, list[str]] = defaultdict(list)
_timer: list[threading.Timer] = []


def begin(fleet: Fleet, inference_id: str | None) -> Capture | None:
    """Return what identifies a request that is to be captured, None for one that is not."""
    options = fleet.configuration.data_capture_config
    if not options or not options.get("EnableCapture"):
        return None
    if random.uniform(0, 100) >= float(options["InitialSamplingPercentage"]):  # noqa: S311 - a sample
        return None
    return Capture(str(uuid.uuid4()), inference_id, datetime.now(UTC))


def keep(capture: Capture, fleet: Fleet, server: Server, *, body: bytes, content_type: str, answer: Answer) -> None:
    """Keep a request and the answer of one variant; they are written to S3 within moments."""
    options = fleet.configuration.data_capture_config
    metadata = {"eventId": capture.event_id, "inferenceTime": capture.moment.strftime("%Y-%m-%dT%H:%M:%SZ")}
    if capture.inference_id is not None:
        metadata["inferenceId"] = capture.inference_id
    modes = {option["CaptureMode"] for option in options.get("CaptureOptions", [])}
    captured = {}
    if modes & {"Input", "InputAndOutput"}:
        captured["endpointInput"] = _captured(body, content_type, "INPUT", options)
    if modes & {"Output", "InputAndOutput"}:
        captured["endpointOutput"] = _captured(answer.body, answer.content_type, "OUTPUT", options)
    record = {"captureData": captured, "eventMetadata": metadata, "eventVersion": "0"}
    folder = f"{fleet.endpoint_name}/{server.variant}/{capture.moment:%Y/%m/%d/%H}"
    uri = f"{options['DestinationS3Uri'].rstrip('/')}/{folder}"
    place = _Place(server, fleet.backend, uri, options.get("KmsKeyId"))
    with _lock:
        _waiting[place].append(json.dumps(record) + "\n")
        if not _timer:
            _timer.append(threading.Timer(_FLUSH_SECONDS, flush))
            _timer[0].daemon = True
            _timer[0].start()


def flush() -> None:
    """Write everything that waits."""
    with _lock:
        waiting = dict(_waiting)
        _waiting.clear()
        if _timer:
            _timer.pop().cancel()
    for place, lines in waiting.items():
        _write(place, "".join(lines))


def _captured(data: bytes, content_type: str, mode: str, options: dict[str, Any]) -> dict[str, str]:
    # What the configuration does not name as CSV or JSON is kept in base64.
    known = options.get("CaptureContentTypeHeader") or {}
    encoding = "BASE64"
    for name, word in (("CsvContentTypes", "CSV"), ("JsonContentTypes", "JSON")):
        if content_type.partition(";")[0].strip() in known.get(name, []):
            encoding = word
    text = base64.b64encode(data).decode() if encoding == "BASE64" else data.decode(errors="replace")
    return {"observedContentType": content_type, "mode": mode, "data": text, "encoding": encoding}


def _write(place: _Place, text: str) -> None:
    bucket, _, prefix = place.uri.removeprefix("s3://").partition("/")
    key = f"{prefix}/{datetime.now(UTC):%M-%S-%f}-{uuid.uuid4()}.jsonl"
    extra = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": place.kms_key} if place.kms_key else {}
    try:
        s3 = sagemaker_job.client("s3", place.server.container.role_arn, place.backend)
        s3.put_object(Bucket=bucket, Key=key, Body=text.encode(), **extra)
    except Exception as error:  # noqa: BLE001 - the invocations succeeded; the endpoint's log says what was lost
        what = f"{type(error).__name__}: {error}"
        place.server.log.write(f"data capture failed at {time.strftime('%H:%M:%S')}: {what}")
