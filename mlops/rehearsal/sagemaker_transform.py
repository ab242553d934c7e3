"""A transform job: the model's serving container, the objects of a prefix in requests, the answers back to S3.

Gaps of moto that are closed here: transform jobs are Completed at creation and write nothing, their model need not
exist, their names may be used twice, and StopTransformJob is missing.
"""

from __future__ import annotations

import dataclasses
import gzip
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from mlops.rehearsal import sagemaker_api, sagemaker_observed, sagemaker_storage, sagemaker_transform_input
from mlops.rehearsal.sagemaker_batches import RecordTooLargeError, assembled, batches
from mlops.rehearsal.sagemaker_inference_pipeline import PipelineServer
from mlops.rehearsal.sagemaker_job import Job, JobError
from mlops.rehearsal.sagemaker_observed import LogStream
from mlops.rehearsal.sagemaker_programs import Workspace
from mlops.rehearsal.sagemaker_serving import Container, ModelServer, NoAnswerError, ServingError, UnhealthyError
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase

DEFAULT_PAYLOAD_MB = 6
_DEFAULT_TIMEOUT_SECONDS = 600
_DEFAULT_RETRIES = 3
_SUMMARY = (
    "TransformJobName",
    "TransformJobArn",
    "CreationTime",
    "TransformEndTime",
    "LastModifiedTime",
    "TransformJobStatus",
    "FailureReason",
)
_STRATEGIES = {"MULTI_RECORD": "MultiRecord", "SINGLE_RECORD": "SingleRecord"}
_WORDS = {name: word for word, name in _STRATEGIES.items()}
Server: TypeAlias = ModelServer | PipelineServer
_UNHEALTHY = (
    "AlgorithmError: Model container failed to respond to ping. Please ensure /ping endpoint is implemented and "
    "responds with an HTTP 200 status code"
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How requests are sent: what the job says, else what the container wants, else what SageMaker does."""

    concurrent: int
    megabytes: int
    strategy: str

    @classmethod
    def of(cls, request: dict[str, Any], wanted: dict[str, Any]) -> Limits:
        """Take the job's request and what the container answered at /execution-parameters."""
        strategy = request.get("BatchStrategy") or _STRATEGIES.get(str(wanted.get("BatchStrategy")), "MultiRecord")
        return cls(
            concurrent=request.get("MaxConcurrentTransforms") or int(wanted.get("MaxConcurrentTransforms") or 1),
            megabytes=request.get("MaxPayloadInMB") or int(wanted.get("MaxPayloadInMB") or DEFAULT_PAYLOAD_MB),
            strategy=strategy,
        )


class _RefusedObjectError(Exception):
    """The container did not transform an object; the text is the kind of error."""


class TransformJob(Job):
    """One transform job."""

    kind = "transform-job"
    log_group = "/aws/sagemaker/TransformJobs"

    def __init__(self, backend: Any, request: dict[str, Any], containers: Sequence[Container]) -> None:
        """Take the checked request of CreateTransformJob and the containers of the model that it names."""
        super().__init__(backend, request["TransformJobName"], request)
        wanted = request.get("Environment") or {}
        self.containers = [
            dataclasses.replace(container, environment={**container.environment, **wanted}) for container in containers
        ]
        self.transform_job_name = self.name
        self.transform_job_status = "InProgress"
        self.transform_start_time: datetime | None = None
        self.transform_end_time: datetime | None = None
        self._data_log = LogStream(backend, self.log_group, f"{self.log.stream}/data-log", source=self.name)
        self._server: Server | None = None

    @property
    def role_arn(self) -> str:
        """The execution role of the model: a transform job has none of its own."""
        return self.containers[0].role_arn

    def stop(self) -> None:
        """Ask the job to end early, as StopTransformJob does."""
        with self.lock:
            if self.transform_job_status == "InProgress":
                self._enter("Stopping")
                self.stopping.set()
                self._give_up()

    def abandon(self) -> None:
        """Stop without a trace."""
        super().abandon()
        self._give_up()

    def execute(self, workspace: Workspace) -> None:
        """Start the container, transform every object, end the container."""
        del workspace  # the container has its own
        self._announce()
        server = self._server = self._prepared()
        try:
            self._start(server)
            if not self.stopping.is_set():
                with self.lock:
                    self.transform_start_time = sagemaker_api.now()
                self._transform(server)
        finally:
            server.end()
        if self.abandoned:
            return
        with self.lock:
            self._enter("Stopped" if self.stopping.is_set() else "Completed")
        phase = Phase.FAILED if self.stopping.is_set() else Phase.SUCCEEDED
        TIMELINE.emit(Kind.JOB, self.name, phase, type=self.title, arn=self.arn, status=self.transform_job_status)

    def _prepared(self) -> Server:
        title, variables = f"transform job {self.name}", self._variables()
        if len(self.containers) > 1:
            return PipelineServer(self.backend, self.containers, self.log, title, variables=variables)
        return ModelServer(self.backend, self.containers[0], self.log, title, variables)

    def fail(self, reason: str) -> None:
        """End as Failed."""
        del reason
        self._enter("Failed")

    def describe(self) -> dict[str, Any]:
        """Answer DescribeTransformJob."""
        with self.lock:
            request = {name: value for name, value in self.request.items() if name != "Tags" and value is not None}
            optional = {
                "FailureReason": self.failure_reason,
                "TransformStartTime": self.transform_start_time,
                "TransformEndTime": self.transform_end_time,
            }
            return {
                **request,
                "TransformJobArn": self.arn,
                "TransformJobStatus": self.transform_job_status,
                "CreationTime": self.creation_time,
                **{name: value for name, value in optional.items() if value is not None},
            }

    def summary(self) -> dict[str, Any]:
        """Answer for ListTransformJobs."""
        described = {**self.describe(), "LastModifiedTime": self.last_modified_time}
        return {name: described[name] for name in _SUMMARY if name in described}

    def _give_up(self) -> None:
        """Wait neither for the container's health nor for an answer."""
        if self._server is not None:
            self._server.abort()
            self._server.kill()

    def _variables(self) -> dict[str, str]:
        given = {
            "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": self.request.get("MaxConcurrentTransforms"),
            "SAGEMAKER_MAX_PAYLOAD_IN_MB": self.request.get("MaxPayloadInMB"),
            "SAGEMAKER_BATCH_STRATEGY": _WORDS.get(str(self.request.get("BatchStrategy"))),
        }
        return {"SAGEMAKER_BATCH": "true", **{name: str(value) for name, value in given.items() if value}}

    def _enter(self, status: str) -> None:
        self.transform_job_status, self.last_modified_time = status, sagemaker_api.now()
        if status in {"Completed", "Failed", "Stopped"}:
            self.transform_end_time = self.last_modified_time
        self._announce()

    def _announce(self) -> None:
        status = self.transform_job_status
        TIMELINE.emit(Kind.JOB, self.name, Phase.INFO, type=self.title, arn=self.arn, status=status)
        sagemaker_observed.emit("SageMaker Transform Job State Change", self.describe(), resources=[self.arn])

    def _start(self, server: Server) -> None:
        try:
            server.start()
        except UnhealthyError as error:
            if not self.stopping.is_set():
                raise JobError(_UNHEALTHY) from error
        except ServingError as error:
            message = f"ClientError: {error}"
            raise JobError(message) from error

    def _transform(self, server: Server) -> None:
        limits = Limits.of(self.request, _parameters(server))
        self._tell(
            f"MaxConcurrentTransforms={limits.concurrent}, MaxPayloadInMB={limits.megabytes}, "
            f"BatchStrategy={_WORDS[limits.strategy]}"
        )
        client = self.s3()
        asked = self.request["TransformInput"]["DataSource"]["S3DataSource"]
        source = asked["S3Uri"]
        bucket, prefix, keys = sagemaker_transform_input.objects(client, source, asked["S3DataType"])
        refusals: list[str] = []
        count = 0
        for key in keys:
            if self.stopping.is_set():
                return
            count += 1
            try:
                answer = self._transformed(server, limits, f"{bucket}/{key}", self._content(client, bucket, key))
            except _RefusedObjectError as refusal:
                # Other objects are transformed all the same; this one has no output, and the job fails in the end.
                refusals.append(str(refusal))
                continue
            if not self.stopping.is_set():
                self._upload(client, sagemaker_storage.relative_path(key, prefix), answer)
        if not count:
            message = f"ClientError: No S3 objects found under S3 URL {source}"
            raise JobError(message)
        if refusals and not self.stopping.is_set():
            message = f"{refusals[0]}: See job logs for more information"
            raise JobError(message)

    def _content(self, client: Any, bucket: str, key: str) -> bytes:
        content = sagemaker_storage.read(client, bucket, key)
        if self.request["TransformInput"].get("CompressionType") != "Gzip":
            return content
        try:
            return gzip.decompress(content)
        except (OSError, EOFError) as error:
            kind = "ClientError"
            self._tell(f"{bucket}/{key}: cannot be decompressed: {error}")
            raise _RefusedObjectError(kind) from error

    def _transformed(self, server: Server, limits: Limits, place: str, content: bytes) -> bytes:
        split = self.request["TransformInput"].get("SplitType", "None")
        assemble = self.request["TransformOutput"].get("AssembleWith", "None")
        requests = batches(content, split=split, strategy=limits.strategy, megabytes=limits.megabytes)
        try:
            with ThreadPoolExecutor(limits.concurrent, thread_name_prefix=self.name) as pool:
                answers = list(pool.map(lambda body: self._ask(server, place, body), requests))
        except RecordTooLargeError as error:
            kind = "ClientError"
            self._tell(f"{place}: {error}")
            raise _RefusedObjectError(kind) from error
        return assembled(answers, assemble=assemble)

    def _ask(self, server: Server, place: str, body: bytes) -> bytes:
        settings = self.request.get("ModelClientConfig") or {}
        seconds = float(settings.get("InvocationsTimeoutInSeconds", _DEFAULT_TIMEOUT_SECONDS))
        retries = int(settings.get("InvocationsMaxRetries", _DEFAULT_RETRIES))
        headers = {
            "Content-Type": self.request["TransformInput"].get("ContentType"),
            "Accept": self.request["TransformOutput"].get("Accept"),
        }
        given = {name: value for name, value in headers.items() if value}
        problems: list[str] = []
        for _ in range(retries + 1):
            if self.stopping.is_set():
                return b""
            try:
                answer = server.invoke(body, given, seconds=seconds)
            except NoAnswerError as error:
                problems = [f"Unable to get response from algorithm: {error}"]
                continue
            if answer.status < 400:  # noqa: PLR2004 - HTTP
                return answer.body
            text = answer.body.decode(errors="replace")
            if answer.status < 500:  # noqa: PLR2004 - HTTP
                self._say(place, [f"ClientError: {answer.status}", "", "Message:", text])
                kind = "ClientError"
                raise _RefusedObjectError(kind)
            problems = [f"Bad HTTP status received from algorithm: {answer.status}", "", "Message:", text]
        self._say(place, problems)
        kind = "AlgorithmError"
        raise _RefusedObjectError(kind)

    def _say(self, place: str, lines: list[str]) -> None:
        for line in lines:
            self._tell(f"{place}: {line}")

    def _tell(self, text: str) -> None:
        self._data_log.write(f"[sagemaker logs]: {text}")

    def _upload(self, client: Any, path: str, content: bytes) -> None:
        output = self.request["TransformOutput"]
        uri = sagemaker_storage.join(output["S3OutputPath"], f"{path}.out")
        sagemaker_storage.write(client, content, uri, kms_key=output.get("KmsKeyId") or None)


def _parameters(server: Server) -> dict[str, Any]:
    answer = server.get("/execution-parameters")
    if answer is None or answer.status != 200:  # noqa: PLR2004 - HTTP; the container need not have it
        return {}
    try:
        wanted = json.loads(answer.body)
    except ValueError:
        return {}
    return wanted if isinstance(wanted, dict) else {}
