"""InvokeEndpoint of the emulated SageMaker: the request goes to the process of a variant, and its answer comes back.

Gap of moto that is closed here: it answers the word "body" to every request.
"""

from __future__ import annotations

import base64
import json
import random
import re
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import Any

from mlops.rehearsal import sagemaker_api, sagemaker_job
from mlops.rehearsal.faults import FAULTS, Fault
from mlops.rehearsal.sagemaker_serving import Answer, ModelServer, NoAnswerError

BODY_LIMIT = 6 * 1024 * 1024
_MESSAGE_LIMIT = 1024
_STATUS = {"ValidationError": 400, "ModelError": 424}
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


class RuntimeRefusal(Exception):  # noqa: N818 - it is an answer, not a defect
    """An error answer of InvokeEndpoint."""

    def __init__(self, code: str, message: str, **details: Any) -> None:
        """Take the error code, the text, and further members of the error."""
        super().__init__(message)
        self.code = code
        self.document = {"Message": message, **details}

    def answer(self) -> tuple[int, dict[str, Any], str]:
        """Return it as moto answers."""
        status = _STATUS[self.code]
        headers = {"status": status, "x-amzn-errortype": self.code, "Content-Type": "application/json"}
        return status, headers, json.dumps(self.document)


def install() -> None:
    """Hang the handler into moto."""
    from moto.sagemakerruntime.responses import (  # noqa: PLC0415 - moto is imported when the server is there
        SageMakerRuntimeResponse,
    )

    # Bodies may be anything, a NumPy array for example: moto must not decode them.
    sagemaker_api.patch(SageMakerRuntimeResponse, invoke_endpoint=_invoke_endpoint, use_raw_body=True)


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


def _invoke_endpoint(self: Any) -> Any:
    try:
        return _answered(self)
    except RuntimeRefusal as refusal:
        return refusal.answer()


def _answered(self: Any) -> Any:
    from moto.sagemaker.models import sagemaker_backends  # noqa: PLC0415 - imported when the server is there

    from mlops.rehearsal import sagemaker_endpoints  # noqa: PLC0415 - it installs this module

    name = self.path.split("/")[2]
    backend = sagemaker_backends[self.current_account][self.region]
    endpoint = backend.endpoints.get(name)
    deployment = sagemaker_endpoints.deployment_of(endpoint) if endpoint else None
    if endpoint is None or deployment is None or not deployment.servers:
        message = f"Endpoint {name} of account {self.current_account} not found."
        raise _refused(message)
    body = self.raw_body if isinstance(self.raw_body, bytes) else self.body.encode()
    if len(body) > BODY_LIMIT:
        return 413, {"status": 413}, json.dumps({"Message": f"the body is longer than {BODY_LIMIT} bytes"})
    server = _choose(endpoint, deployment.servers, self.headers.get("X-Amzn-SageMaker-Target-Variant"))
    answer = _ask(server, body, dict(self.headers), backend=backend, endpoint=name)
    if deployment.wrong:
        wrong = opposite(answer.body, answer.content_type)
        answer = Answer(answer.status, answer.content_type, wrong, answer.custom_attributes)
    _capture(backend, endpoint, server, body=body, headers=dict(self.headers), answer=answer)
    headers = {"Content-Type": answer.content_type, "x-Amzn-Invoked-Production-Variant": server.variant}
    if answer.custom_attributes:
        headers["X-Amzn-SageMaker-Custom-Attributes"] = answer.custom_attributes
    return 200, headers, answer.body


def _choose(endpoint: Any, servers: dict[str, ModelServer], target: str | None) -> ModelServer:
    if target is not None:
        if target not in servers:
            message = f"Variant {target} of endpoint {endpoint.endpoint_name} not found."
            raise _refused(message)
        return servers[target]
    weights = {item["VariantName"]: item["CurrentWeight"] for item in endpoint.production_variants or []}
    chances = [float(weights.get(name, 1.0)) for name in servers]
    if not any(chances):
        message = f"All variants of endpoint {endpoint.endpoint_name} have weight 0."
        raise _refused(message)
    return servers[random.choices(list(servers), chances)[0]]  # noqa: S311 - no secret depends on it


def _ask(server: ModelServer, body: bytes, headers: dict[str, str], *, backend: Any, endpoint: str) -> Answer:
    if FAULTS.strikes(Fault.SERVE_DIES, at="the first invocation", times=1):
        server.kill()
    try:
        answer = server.invoke(body, headers)
    except NoAnswerError as error:
        raise _model_error(server, 0, str(error), backend=backend, endpoint=endpoint) from error
    if answer.status >= 400:  # noqa: PLR2004 - HTTP
        text = answer.body.decode(errors="replace")
        raise _model_error(server, answer.status, text, backend=backend, endpoint=endpoint)
    return answer


def _model_error(server: ModelServer, status: int, text: str, *, backend: Any, endpoint: str) -> RuntimeRefusal:
    side = "client" if 400 <= status < 500 else "server"  # noqa: PLR2004 - HTTP
    text = text[:_MESSAGE_LIMIT]
    region, account = backend.region_name, backend.account_id
    message = (
        f'Received {side} error ({status}) from primary with message "{text}". See '
        f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#logEventViewer:"
        f"group=/aws/sagemaker/Endpoints/{endpoint} in account {account} for more information."
    )
    return RuntimeRefusal(
        "ModelError",
        message,
        OriginalStatusCode=status,
        OriginalMessage=text,
        LogStreamArn=f"arn:aws:logs:{region}:{account}:log-group:{server.log.group}",
    )


def _refused(message: str) -> RuntimeRefusal:
    return RuntimeRefusal("ValidationError", message)


def _capture(
    backend: Any, endpoint: Any, server: ModelServer, *, body: bytes, headers: dict[str, str], answer: Answer
) -> None:
    configuration = backend.endpoint_configs.get(endpoint.endpoint_config_name)
    options = configuration.data_capture_config if configuration else {}
    if not options or not options.get("EnableCapture"):
        return
    if random.uniform(0, 100) >= float(options["InitialSamplingPercentage"]):  # noqa: S311 - a sample
        return
    given = {name.lower(): value for name, value in headers.items()}
    moment = datetime.now(UTC)
    metadata = {"eventId": str(uuid.uuid4()), "inferenceTime": moment.strftime("%Y-%m-%dT%H:%M:%SZ")}
    if "x-amzn-sagemaker-inference-id" in given:
        metadata["inferenceId"] = given["x-amzn-sagemaker-inference-id"]
    modes = {option["CaptureMode"] for option in options.get("CaptureOptions", [])}
    captured = {}
    if modes & {"Input", "InputAndOutput"}:
        content_type = given.get("content-type", "application/octet-stream")
        captured["endpointInput"] = _captured(body, content_type, "INPUT", options)
    if modes & {"Output", "InputAndOutput"}:
        captured["endpointOutput"] = _captured(answer.body, answer.content_type, "OUTPUT", options)
    record = {"captureData": captured, "eventMetadata": metadata, "eventVersion": "0"}
    folder = f"{endpoint.endpoint_name}/{server.variant}/{moment:%Y/%m/%d/%H}"
    uri = f"{options['DestinationS3Uri'].rstrip('/')}/{folder}/{moment:%M-%S-%f}-{uuid.uuid4()}.jsonl"
    line = json.dumps(record) + "\n"
    threading.Thread(target=_write, args=(backend, server, options, uri, line), daemon=True).start()


def _captured(data: bytes, content_type: str, mode: str, options: dict[str, Any]) -> dict[str, str]:
    # What the configuration does not name as CSV or JSON is kept in base64.
    known = options.get("CaptureContentTypeHeader") or {}
    encoding = "BASE64"
    for name, word in (("CsvContentTypes", "CSV"), ("JsonContentTypes", "JSON")):
        if content_type.partition(";")[0].strip() in known.get(name, []):
            encoding = word
    text = base64.b64encode(data).decode() if encoding == "BASE64" else data.decode(errors="replace")
    return {"observedContentType": content_type, "mode": mode, "data": text, "encoding": encoding}


def _write(backend: Any, server: ModelServer, options: dict[str, Any], uri: str, line: str) -> None:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    kms_key = options.get("KmsKeyId")
    extra = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
    try:
        s3 = sagemaker_job.client("s3", server.container.role_arn, backend)
        s3.put_object(Bucket=bucket, Key=key, Body=line.encode(), **extra)
    except Exception as error:  # noqa: BLE001 - the invocation succeeded; the endpoint's log says what was lost
        server.log.write(f"data capture failed at {time.strftime('%H:%M:%S')}: {type(error).__name__}: {error}")
