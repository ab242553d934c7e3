"""Asynchronous endpoints of the emulated SageMaker: a queue, objects of S3 as requests and answers, and topics.

Gap of moto that is closed here: an answer is invented, and nothing is written anywhere. Sources: "Asynchronous
inference" of the SageMaker developer guide with its pages on invocation, metrics and results.
"""

from __future__ import annotations

import json
import threading
import traceback
import uuid
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from mlops.rehearsal import sagemaker_api, sagemaker_endpoints, sagemaker_job, sagemaker_runtime
from mlops.rehearsal.clock import CLOCK
from mlops.rehearsal.cloudwatch_metrics import METRICS
from mlops.rehearsal.sagemaker_runtime import RuntimeRefusal
from mlops.rehearsal.sagemaker_serving import Answer
from mlops.rehearsal.sagemaker_storage import split
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase

NOT_REHEARSED: tuple[tuple[str, str], ...] = (
    ("requests in a queue that expire, requests above 6 MB, and invocations of more than a minute", "none expires"),
    ("how many requests an instance works on where nobody says it", "SageMaker chooses; here it is one"),
    ("the end of the process of an endpoint without instances", "it keeps running, and gets no request"),
)
_MINUTE_SECONDS = 60.0
_POLL_SECONDS = 0.02
_HEADERS = {
    # What the request says of the object, and what the container hears.
    "X-Amzn-SageMaker-Content-Type": "Content-Type",
    "X-Amzn-SageMaker-Accept": "Accept",
    "X-Amzn-SageMaker-Custom-Attributes": "X-Amzn-SageMaker-Custom-Attributes",
    "X-Amzn-SageMaker-Inference-Id": "X-Amzn-SageMaker-Inference-Id",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request that waits, and where its answer goes."""

    endpoint: str
    input_uri: str
    output_uri: str
    failure_uri: str
    inference_id: str
    headers: dict[str, str]
    received: str


@dataclass(eq=False)
class Queue:
    """What waits at one endpoint, and what is worked on."""

    backend: Any
    endpoint: str
    waiting: deque[Request] = field(default_factory=deque)
    working: int = 0

    @property
    def backlog(self) -> int:
        """How many requests wait or are worked on."""
        return len(self.waiting) + self.working


@dataclass(slots=True)
class _Life:
    """One life of the emulated AWS."""

    ended: threading.Event = field(default_factory=threading.Event)
    queues: dict[str, Queue] = field(default_factory=dict)
    more: threading.Condition = field(default_factory=threading.Condition)


_life = _Life()


def install() -> None:
    """Hang the handler into moto."""
    from moto.sagemakerruntime.responses import (  # noqa: PLC0415 - moto is imported when the server is there
        SageMakerRuntimeResponse,
    )

    sagemaker_api.patch(SageMakerRuntimeResponse, invoke_endpoint_async=_invoke_endpoint_async)


def reset() -> None:
    """Begin with empty queues."""
    global _life  # noqa: PLW0603 - one emulated AWS at a time
    shutdown()
    _life = _Life()
    for function in (_dispatch, _publish):
        threading.Thread(target=function, args=(_life,), name=f"async{function.__name__}", daemon=True).start()


def shutdown() -> None:
    """Work on nothing more."""
    _life.ended.set()
    with _life.more:
        _life.more.notify_all()


def configuration_of(backend: Any, endpoint: str) -> dict[str, Any] | None:
    """Return the asynchronous part of what an endpoint serves now, None for any other endpoint."""
    serving = sagemaker_endpoints.serving_of(backend, endpoint)
    found: dict[str, Any] | None = serving.blue.configuration.async_inference_config if serving is not None else None
    return found or None


def backlog(backend: Any, endpoint: str) -> int:
    """Return how many requests wait at an endpoint, or are worked on."""
    queue = _life.queues.get(sagemaker_api.arn(backend, "endpoint", endpoint))
    return queue.backlog if queue is not None else 0


def _invoke_endpoint_async(self: Any) -> Any:
    from moto.sagemaker.models import sagemaker_backends  # noqa: PLC0415 - moto is imported when the server is there

    backend = sagemaker_backends[self.current_account][self.region]
    try:
        request = _accepted(backend, self.path.split("/")[2], {name.lower(): one for name, one in self.headers.items()})
    except RuntimeRefusal as refusal:
        headers = {"status": refusal.status, "x-amzn-errortype": refusal.code, "Content-Type": "application/json"}
        return refusal.status, headers, json.dumps(refusal.document)
    headers = {
        "status": 202,
        "X-Amzn-SageMaker-OutputLocation": request.output_uri,
        "X-Amzn-SageMaker-FailureLocation": request.failure_uri,
    }
    return 202, headers, json.dumps({"InferenceId": request.inference_id})


def _accepted(backend: Any, endpoint: str, headers: dict[str, str]) -> Request:
    configuration = configuration_of(backend, endpoint)
    if configuration is None:
        found = sagemaker_endpoints.serving_of(backend, endpoint) is not None
        what = "is not asynchronous; use InvokeEndpoint" if found else f"of account {backend.account_id} not found"
        message = f"Endpoint {endpoint} {what}."
        raise sagemaker_runtime.refused(message)
    output = configuration["OutputConfig"]
    name = str(uuid.uuid4())
    folder = output["S3OutputPath"].rstrip("/")
    failures = (output.get("S3FailurePath") or folder).rstrip("/")
    request = Request(
        endpoint=endpoint,
        input_uri=headers["x-amzn-sagemaker-inputlocation"],
        output_uri=f"{folder}/{name}.out",
        failure_uri=f"{failures}/{name}-error.out",
        inference_id=headers.get("x-amzn-sagemaker-inference-id") or str(uuid.uuid4()),
        headers={heard: headers[said.lower()] for said, heard in _HEADERS.items() if said.lower() in headers},
        received=_timestamp(),
    )
    arn = sagemaker_api.arn(backend, "endpoint", endpoint)
    with _life.more:
        _life.queues.setdefault(arn, Queue(backend, endpoint)).waiting.append(request)
        _life.more.notify_all()
    return request


def _dispatch(life: _Life) -> None:
    """Give waiting requests to threads, as many at once as instances and configuration allow."""
    while not life.ended.is_set():
        with life.more:
            begun = [(queue, request) for queue in life.queues.values() for request in _ready(queue)]
            if not begun:
                life.more.wait(_POLL_SECONDS if any(queue.waiting for queue in life.queues.values()) else 1.0)
        for queue, request in begun:
            threading.Thread(target=_work, args=(life, queue, request), name="async-work", daemon=True).start()


def _ready(queue: Queue) -> list[Request]:
    configuration, begun = configuration_of(queue.backend, queue.endpoint), []
    if configuration is None:
        return []
    limits = configuration.get("ClientConfig") or {}
    each = int(limits.get("MaxConcurrentInvocationsPerInstance") or 1)
    while queue.waiting and queue.working < each * _instances(queue):
        begun.append(queue.waiting.popleft())
        queue.working += 1
    return begun


def _instances(queue: Queue) -> int:
    serving = sagemaker_endpoints.serving_of(queue.backend, queue.endpoint)
    variants = serving.blue.production if serving is not None else []
    return sum(int(variant.get("CurrentInstanceCount", 0)) for variant in variants)


def _work(life: _Life, queue: Queue, request: Request) -> None:
    try:
        _answer(queue.backend, request)
    except Exception as error:  # noqa: BLE001 - what goes wrong with one request must not stop the queue
        text = f"the rehearsal itself failed at an asynchronous request: {type(error).__name__}: {error}"
        TIMELINE.emit(Kind.LOG, text, Phase.FAILED, source=request.endpoint, traceback=traceback.format_exc())
    finally:
        with life.more:
            queue.working -= 1
            life.more.notify_all()


def _answer(backend: Any, request: Request) -> None:
    serving = sagemaker_endpoints.serving_of(backend, request.endpoint)
    configuration = configuration_of(backend, request.endpoint)
    if serving is None or configuration is None:  # the endpoint has been deleted meanwhile, and its queue with it
        return
    role = next(iter(serving.blue.servers.values())).container.role_arn
    s3, output = sagemaker_job.client("s3", role, backend), configuration["OutputConfig"]
    answer, failure, written = None, "", request.failure_uri
    try:
        bucket, key = split(request.input_uri)
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        answer, _ = sagemaker_runtime.invoke(backend, request.endpoint, body, request.headers)
        written = request.output_uri
    except (ClientError, BotoCoreError) as error:
        failure = f"Unable to read the request at {request.input_uri} with the role {role}: {error}"
    except RuntimeRefusal as refusal:
        failure = str(refusal)
    try:
        _put(s3, output, written, answer.body if answer is not None else failure.encode())
    except (ClientError, BotoCoreError) as error:
        failure = f"Unable to write to {written} with the role {role}: {error}"
        TIMELINE.emit(Kind.LOG, failure, Phase.FAILED, source=request.endpoint)
    topic = (output.get("NotificationConfig") or {}).get("ErrorTopic" if failure else "SuccessTopic")
    if topic:
        _notify(backend, role, topic, _message(backend, request, answer, failure))


def _put(s3: Any, output: dict[str, Any], uri: str, body: bytes) -> None:
    bucket, key = split(uri)
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": output["KmsKeyId"]} if "KmsKeyId" in output else {}
    s3.put_object(Bucket=bucket, Key=key, Body=body, **encryption)


def _message(backend: Any, request: Request, answer: Answer | None, failure: str) -> dict[str, Any]:
    parameters = {"endpointName": request.endpoint, "inputLocation": request.input_uri}
    result: dict[str, Any] = {"failureReason": failure, "responseParameters": {"outputLocation": request.failure_uri}}
    if answer is not None and not failure:
        result = {"responseParameters": {"contentType": answer.content_type, "outputLocation": request.output_uri}}
    return {
        "awsRegion": backend.region_name,
        "eventTime": _timestamp(),
        "receivedTime": request.received,
        "invocationStatus": "Failed" if failure else "Completed",
        "requestParameters": {**parameters, "contentType": request.headers.get("Content-Type")},
        **result,
        "inferenceId": request.inference_id,
        "eventVersion": "1.0",
        "eventSource": "aws:sagemaker",
        "eventName": "InferenceResult",
    }


def _notify(backend: Any, role: str, topic: str, message: dict[str, Any]) -> None:
    try:
        sagemaker_job.client("sns", role, backend).publish(TopicArn=topic, Message=json.dumps(message))
    except (ClientError, BotoCoreError) as error:
        text = f"the topic {topic} was not told with the role {role}: {error}"
        TIMELINE.emit(Kind.LOG, text, Phase.FAILED, source=message["requestParameters"]["endpointName"])


def _publish(life: _Life) -> None:
    """Publish the state of the queues once a minute of the emulated clock."""
    while not life.ended.is_set():
        if not CLOCK.sleep(_MINUTE_SECONDS):
            life.ended.wait(0.05)
            continue
        with life.more:
            _follow_endpoints(life)
            states = [(one, one.backlog, _instances(one)) for one in life.queues.values()]
        for queue, waiting, instances in states:
            values = {
                "ApproximateBacklogSize": float(waiting),
                "ApproximateBacklogSizePerInstance": waiting / max(instances, 1),
                "HasBacklogWithoutCapacity": float(waiting > 0 and instances == 0),
            }
            for name, value in values.items():
                METRICS.put(
                    queue.backend.account_id, queue.backend.region_name, "AWS/SageMaker", name,
                    {"EndpointName": queue.endpoint}, value, unit="None",
                )  # fmt: skip


def _follow_endpoints(life: _Life) -> None:
    """Have a queue for every asynchronous endpoint: an idle one has metrics, too; and none for those that are gone."""
    from moto.sagemaker.models import sagemaker_backends  # noqa: PLC0415 - moto is imported when the server is there

    found: dict[str, Queue] = {}
    for regions in list(sagemaker_backends.values()):
        for backend in list(regions.values()):
            for endpoint in list(backend.endpoints.values()):
                if configuration_of(backend, endpoint.endpoint_name) is not None:
                    found[endpoint.arn] = life.queues.get(endpoint.arn) or Queue(backend, endpoint.endpoint_name)
    life.queues = found


def _timestamp() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000Z}"
