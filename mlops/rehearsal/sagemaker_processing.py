"""A processing job: inputs from S3, the entry point under /opt/ml/processing, outputs back to S3."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from mlops.rehearsal import images, sagemaker_api, sagemaker_observed, sagemaker_storage
from mlops.rehearsal.sagemaker_job import REASON_LIMIT, Job, JobError
from mlops.rehearsal.sagemaker_programs import Ending, Program, Workspace, bound
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase

DEFAULT_RUNTIME_SECONDS = 86400


class ProcessingJob(Job):
    """One processing job."""

    kind = "processing-job"
    log_group = "/aws/sagemaker/ProcessingJobs"

    def __init__(self, backend: Any, request: dict[str, Any]) -> None:
        """Take the checked request of CreateProcessingJob."""
        super().__init__(backend, request["ProcessingJobName"], request)
        self.processing_job_name = self.name
        self.image = images.find(request["AppSpecification"]["ImageUri"])
        self.processing_job_status = "InProgress"
        self.processing_start_time: datetime | None = None
        self.processing_end_time: datetime | None = None
        self.exit_message: str | None = None

    @property
    def isolated(self) -> bool:
        """Whether the container may call nothing at all, AWS included."""
        return bool((self.request.get("NetworkConfig") or {}).get("EnableNetworkIsolation"))

    def stop(self) -> None:
        """Ask the job to end early, as StopProcessingJob does."""
        with self.lock:
            if self.processing_job_status == "InProgress":
                self._enter("Stopping")
                self.stopping.set()

    def execute(self, workspace: Workspace) -> None:
        """Download, run, upload."""
        self._announce()
        client = self.s3()
        self._download(client, workspace)
        with self.lock:
            self.processing_start_time = sagemaker_api.now()
        ending = self._run_program(workspace)
        if self.abandoned:
            return
        if ending is Ending.TIMED_OUT:
            limit = self._seconds
            message = f"ClientError: Job runtime exceeded MaxRuntimeInSeconds provided ({limit} seconds)"
            raise JobError(message)
        if ending is Ending.EXITED:
            self._upload(client, workspace)
        with self.lock:
            self._enter("Completed" if ending is Ending.EXITED else "Stopped")
        phase = Phase.SUCCEEDED if ending is Ending.EXITED else Phase.FAILED
        TIMELINE.emit(Kind.JOB, self.name, phase, type=self.title, arn=self.arn, status=self.processing_job_status)

    def fail(self, reason: str) -> None:
        """End as Failed."""
        del reason
        self._enter("Failed")

    def describe(self) -> dict[str, Any]:
        """Answer DescribeProcessingJob."""
        with self.lock:
            request = {name: value for name, value in self.request.items() if name != "Tags" and value is not None}
            optional = {
                "FailureReason": self.failure_reason,
                "ExitMessage": self.exit_message,
                "ProcessingStartTime": self.processing_start_time,
                "ProcessingEndTime": self.processing_end_time,
            }
            return {
                "StoppingCondition": {"MaxRuntimeInSeconds": DEFAULT_RUNTIME_SECONDS},
                **request,
                "ProcessingJobArn": self.arn,
                "ProcessingJobStatus": self.processing_job_status,
                "CreationTime": self.creation_time,
                "LastModifiedTime": self.last_modified_time,
                **{name: value for name, value in optional.items() if value is not None},
            }

    def summary(self) -> dict[str, Any]:
        """Answer for ListProcessingJobs."""
        described = self.describe()
        names = (
            "ProcessingJobName",
            "ProcessingJobArn",
            "CreationTime",
            "ProcessingEndTime",
            "LastModifiedTime",
            "ProcessingJobStatus",
            "FailureReason",
            "ExitMessage",
        )
        return {name: described[name] for name in names if name in described}

    @property
    def _seconds(self) -> int:
        condition = self.request.get("StoppingCondition") or {}
        return int(condition.get("MaxRuntimeInSeconds", DEFAULT_RUNTIME_SECONDS))

    def _enter(self, status: str) -> None:
        self.processing_job_status, self.last_modified_time = status, sagemaker_api.now()
        if status in {"Completed", "Failed", "Stopped"}:
            self.processing_end_time = self.last_modified_time
        self._announce()

    def _announce(self) -> None:
        status = self.processing_job_status
        TIMELINE.emit(Kind.JOB, self.name, Phase.INFO, type=self.title, arn=self.arn, status=status)
        sagemaker_observed.emit("SageMaker Processing Job State Change", self.describe(), resources=[self.arn])

    def _download(self, client: Any, workspace: Workspace) -> None:
        for item in self.request.get("ProcessingInputs") or []:
            source = item["S3Input"]
            folder = workspace.path(source["LocalPath"])
            if not sagemaker_storage.download(client, source["S3Uri"], folder):
                text = f'No S3 objects found under S3 URL "{source["S3Uri"]}" of input {item["InputName"]}'
                message = f"ClientError: Data download failed: {text}"
                raise JobError(message)
        for output in self._outputs:
            workspace.path(output["S3Output"]["LocalPath"]).mkdir(parents=True, exist_ok=True)
        for name in ("config", "output"):
            (workspace.base / name).mkdir(exist_ok=True)
        configuration = {"ProcessingJobArn": self.arn, **{k: v for k, v in self.request.items() if k != "Tags"}}
        (workspace.base / "config" / "processingjobconfig.json").write_text(json.dumps(configuration, default=str))
        resources = {"current_host": "algo-1", "hosts": ["algo-1"]}
        (workspace.base / "config" / "resourceconfig.json").write_text(json.dumps(resources))

    @property
    def _outputs(self) -> list[dict[str, Any]]:
        return list((self.request.get("ProcessingOutputConfig") or {}).get("Outputs") or [])

    def _run_program(self, workspace: Workspace) -> Ending:
        application = self.request["AppSpecification"]
        words = [*(application.get("ContainerEntrypoint") or []), *(application.get("ContainerArguments") or [])]
        own = workspace.environment()
        del own["SAGEMAKER_BASE_DIR"]  # of the rehearsal's own programs only; a processing program finds /opt/ml
        environment = {
            **self.environment(),
            **own,
            "PROCESSING_JOB_NAME": self.name,
            "PROCESSING_JOB_ARN": self.arn,
            **(self.request.get("Environment") or {}),
        }
        command, environment = bound(words, environment, workspace)
        program = Program(command, environment=environment, workspace=workspace, log=self.log)
        result = program.wait(seconds=self._seconds, stop=self.stopping)
        with self.lock:
            self.exit_message = _message(workspace.base / "output" / "message")
        if result.ending is Ending.EXITED and result.exit_code != 0 and not self.abandoned:
            message = f"AlgorithmError: See job logs for more information, exit code: {result.exit_code}"
            raise JobError(message)
        return result.ending

    def _upload(self, client: Any, workspace: Workspace) -> None:
        configuration = self.request.get("ProcessingOutputConfig") or {}
        kms_key = configuration.get("KmsKeyId") or None
        for output in self._outputs:
            target = output["S3Output"]
            sagemaker_storage.upload_folder(
                client, workspace.path(target["LocalPath"]), target["S3Uri"], kms_key=kms_key
            )


def _message(path: Path) -> str | None:
    if not path.is_file():
        return None
    try:
        return path.read_bytes()[:REASON_LIMIT].decode() or None
    except UnicodeDecodeError as error:
        msg = "ClientError: the message in /opt/ml/output/message is not UTF-8"
        raise JobError(msg) from error
