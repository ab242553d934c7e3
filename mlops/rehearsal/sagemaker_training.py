"""A training job: channels from S3, the image's train program under the container contract, the model back to S3."""

from __future__ import annotations

import sys
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

from mlops.rehearsal import (
    images,
    sagemaker_api,
    sagemaker_observed,
    sagemaker_pull,
    sagemaker_storage,
    sagemaker_training_input,
)
from mlops.rehearsal.faults import FAULTS, Fault
from mlops.rehearsal.sagemaker_job import REASON_LIMIT, Job, JobError
from mlops.rehearsal.sagemaker_metrics import MetricReader
from mlops.rehearsal.sagemaker_programs import Ending, Program, Result, Workspace
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase

NO_CAPACITY = (
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance type."
)
_CHECKPOINT_SECONDS = 1.0
_MESSAGES = {
    "Starting": "Preparing the instances for training",
    "Downloading": "Downloading the training image",
    "Training": "Training image download completed. Training in progress.",
    "Stopping": "Stopping the training job",
    "Uploading": "Uploading generated training model",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
}
_FAILING_PROGRAM = """
import os, pathlib, sys
print("the rehearsal injects a failure into this training job")
folder = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"], "output")
folder.mkdir(parents=True, exist_ok=True)
(folder / "failure").write_text("the training program failed because the rehearsal told it to (training-failure)")
sys.exit(1)
"""


class _Capacity:
    """The instance type that has no capacity while the fault capacity-error is on: the first one that is asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._exhausted: str | None = None

    def lacks(self, instance_type: str) -> bool:
        with self._lock:
            if FAULTS.strikes(Fault.CAPACITY_ERROR, at="the first instance type", times=1):
                self._exhausted = instance_type
            return instance_type == self._exhausted and FAULTS.strikes(Fault.CAPACITY_ERROR, at=instance_type)


_capacity = _Capacity()


class TrainingJob(Job):
    """One training job."""

    kind = "training-job"
    log_group = "/aws/sagemaker/TrainingJobs"

    def __init__(self, backend: Any, request: dict[str, Any]) -> None:
        """Take the checked request of CreateTrainingJob."""
        super().__init__(backend, request["TrainingJobName"], request)
        self.training_job_name = self.name
        self.image = images.find(request["AlgorithmSpecification"]["TrainingImage"])
        given = request["AlgorithmSpecification"].get("MetricDefinitions")
        self.metric_definitions = given or [metric.definition() for metric in self.image.metrics]
        self._metrics = MetricReader.of(self.metric_definitions)
        self.training_job_status = "InProgress"
        self.secondary_status = "Starting"
        self.training_start_time: datetime | None = None
        self.training_end_time: datetime | None = None
        self.transitions: list[dict[str, Any]] = []
        self.artifacts: str | None = None
        self._enter("Starting", announce=False)

    def stop(self) -> None:
        """Ask the job to end early, as StopTrainingJob does."""
        with self.lock:
            if self.training_job_status == "InProgress":
                self.training_job_status = "Stopping"
                self._enter("Stopping")
                self.stopping.set()

    def execute(self, workspace: Workspace) -> None:
        """Run the phases of a training job."""
        self._announce()
        if _capacity.lacks(self._instance_type):
            raise JobError(NO_CAPACITY)
        if self._next("Downloading"):
            self._download(workspace)
        result = Result(Ending.STOPPED, 0)
        if self._next("Training"):
            with self.lock:
                self.training_start_time = sagemaker_api.now()
            result = self._train(workspace)
        if self.abandoned:
            return
        with self.lock:
            self._enter("Uploading")
        self._upload(workspace)
        with self.lock:
            self.training_end_time = sagemaker_api.now() if self.training_start_time else None
            stopped = result.ending is not Ending.EXITED
            self.training_job_status = "Stopped" if stopped else "Completed"
            self._enter("MaxRuntimeExceeded" if result.ending is Ending.TIMED_OUT else self.training_job_status)
        TIMELINE.emit(
            Kind.JOB,
            self.name,
            Phase.FAILED if stopped else Phase.SUCCEEDED,
            type=self.title,
            arn=self.arn,
            status=self.secondary_status,
            metrics={name: value for name, (value, _) in self._metrics.values.items()},
        )

    def fail(self, reason: str) -> None:
        """End as Failed."""
        del reason
        self.training_end_time = sagemaker_api.now() if self.training_start_time else None
        self.training_job_status = "Failed"
        self._enter("Failed")

    def describe(self) -> dict[str, Any]:
        """Answer DescribeTrainingJob."""
        with self.lock:
            request = {name: value for name, value in self.request.items() if name != "Tags" and value is not None}
            algorithm = dict(request.pop("AlgorithmSpecification"))
            if self.metric_definitions:
                algorithm["MetricDefinitions"] = self.metric_definitions
            seconds = sagemaker_api.whole_seconds(self.training_start_time, self.training_end_time)
            optional = {
                "FailureReason": self.failure_reason,
                "TrainingStartTime": self.training_start_time,
                "TrainingEndTime": self.training_end_time,
                "TrainingTimeInSeconds": seconds or None,
                # SageMaker bills less for spot capacity; by how much is not known here.
                "BillableTimeInSeconds": seconds or None,
                "FinalMetricDataList": self._final_metrics() or None,
                "ModelArtifacts": {"S3ModelArtifacts": self.artifacts} if self.artifacts else None,
            }
            return {
                "EnableNetworkIsolation": False,
                "EnableInterContainerTrafficEncryption": False,
                "EnableManagedSpotTraining": False,
                **request,
                "TrainingJobArn": self.arn,
                "TrainingJobStatus": self.training_job_status,
                "SecondaryStatus": self.secondary_status,
                "SecondaryStatusTransitions": [dict(item) for item in self.transitions],
                "AlgorithmSpecification": algorithm,
                "CreationTime": self.creation_time,
                "LastModifiedTime": self.last_modified_time,
                "ProfilingStatus": "Disabled",
                **{name: value for name, value in optional.items() if value is not None},
            }

    def summary(self) -> dict[str, Any]:
        """Answer for ListTrainingJobs."""
        described = self.describe()
        names = (
            "TrainingJobName",
            "TrainingJobArn",
            "CreationTime",
            "TrainingEndTime",
            "LastModifiedTime",
            "TrainingJobStatus",
            "SecondaryStatus",
        )
        return {name: described[name] for name in names if name in described}

    @property
    def _instance_type(self) -> str:
        return str(self.request["ResourceConfig"].get("InstanceType", "ml.m5.large"))

    def _next(self, status: str) -> bool:
        """Go on to `status` unless the job is to stop."""
        with self.lock:
            if self.stopping.is_set():
                return False
            self._enter(status)
            return True

    def _enter(self, status: str, *, announce: bool = True) -> None:
        moment = sagemaker_api.now()
        if self.transitions:
            self.transitions[-1]["EndTime"] = moment
        self.secondary_status, self.last_modified_time = status, moment
        message = self.failure_reason if status == "Failed" and self.failure_reason else _MESSAGES[status]
        transition = {"Status": status, "StartTime": moment, "StatusMessage": message}
        if status in {"Completed", "Failed", "Stopped", "MaxRuntimeExceeded"}:
            transition["EndTime"] = moment
        self.transitions.append(transition)
        if announce:
            self._announce()

    def _announce(self) -> None:
        TIMELINE.emit(
            Kind.JOB,
            self.name,
            Phase.INFO,
            type=self.title,
            arn=self.arn,
            status=self.secondary_status,
            instance_type=self._instance_type,
        )
        detail = {**self.describe(), "Tags": {tag["Key"]: tag["Value"] for tag in self.tags}}
        sagemaker_observed.emit("SageMaker Training Job State Change", detail, resources=[self.arn])

    def _download(self, workspace: Workspace) -> None:
        try:
            sagemaker_pull.pull(self.backend, self.request["AlgorithmSpecification"]["TrainingImage"], self.role_arn)
        except sagemaker_pull.PullError as error:
            message = f"ClientError: {error}"
            raise JobError(message) from error
        client = self.s3()
        for channel in self.request.get("InputDataConfig") or []:
            source = channel["DataSource"]["S3DataSource"]
            folder = workspace.base / "input" / "data" / channel["ChannelName"]
            if not sagemaker_storage.download(client, source["S3Uri"], folder):
                message = f"ClientError: Data download failed: no S3 objects found under {source['S3Uri']}"
                raise JobError(message)
        checkpoints = self.request.get("CheckpointConfig")
        if checkpoints:
            folder = workspace.path(checkpoints.get("LocalPath", "/opt/ml/checkpoints"))
            sagemaker_storage.download(client, checkpoints["S3Uri"], folder)
        sagemaker_training_input.write(workspace.base, self.request, instance_type=self._instance_type)

    def _train(self, workspace: Workspace) -> Result:
        try:
            command, environment = self.image.command(
                "train",
                workspace=workspace,
                platform={**self.environment(), "TRAINING_JOB_NAME": self.name, "TRAINING_JOB_ARN": self.arn},
                requested=self.request.get("Environment") or {},
                network=not self.isolated,
            )
        except images.ImageProgramError as error:
            message = f"AlgorithmError: {error}"
            raise JobError(message) from error
        if FAULTS.strikes(Fault.TRAINING_FAILURE, at=self.name):
            if self.image.stored is not None:
                self.log.write("the rehearsal garbles the data of this training job (training-failure)")
                sagemaker_training_input.garble(workspace.base)
            else:
                command = [sys.executable, "-c", _FAILING_PROGRAM]
                environment = {**self.environment(), **workspace.environment()}
        instances = int(self.request["ResourceConfig"].get("InstanceCount", 1))
        if instances > 1:
            self.log.write(f"the rehearsal runs one of the {instances} instances that this job asks for")
        program = Program(command, environment=environment, workspace=workspace, log=self.log, also=self._metrics.read)
        done = threading.Event()
        keeper = threading.Thread(target=self._keep_checkpoints, args=(workspace, done), daemon=True)
        keeper.start()
        seconds = float(self.request["StoppingCondition"].get("MaxRuntimeInSeconds", 86400))
        result = program.wait(seconds=seconds, stop=self.stopping)
        done.set()
        keeper.join()
        if result.ending is Ending.EXITED and result.exit_code != 0 and not self.abandoned:
            raise JobError(_algorithm_error(workspace.base / "output" / "failure", result.exit_code))
        return result

    def _keep_checkpoints(self, workspace: Workspace, done: threading.Event) -> None:
        configured = self.request.get("CheckpointConfig")
        if not configured:
            return
        folder = workspace.path(configured.get("LocalPath", "/opt/ml/checkpoints"))
        folder.mkdir(parents=True, exist_ok=True)
        seen: dict[Path, tuple[int, int]] = {}
        finished = False
        while not finished and not self.abandoned:
            finished = done.wait(_CHECKPOINT_SECONDS)
            for path in sorted(folder.rglob("*")):
                if not path.is_file():
                    continue
                state = (path.stat().st_mtime_ns, path.stat().st_size)
                if seen.get(path) != state:
                    uri = sagemaker_storage.join(configured["S3Uri"], path.relative_to(folder).as_posix())
                    sagemaker_storage.upload_file(self.s3(), path, uri, kms_key=None)
                    seen[path] = state

    def _upload(self, workspace: Workspace) -> None:
        output = self.request["OutputDataConfig"]
        kms_key = output.get("KmsKeyId") or None
        client = self.s3()
        target = sagemaker_storage.join(output["S3OutputPath"], self.name, "output")
        for folder, name in (("model", "model"), ("output/data", "output")):
            source = workspace.base / folder
            if not source.is_dir() or not any(path.is_file() for path in source.rglob("*")):
                continue
            if output.get("CompressionType") == "NONE":
                uri = sagemaker_storage.join(target, name)
                sagemaker_storage.upload_folder(client, source, uri, kms_key=kms_key)
            else:
                uri = sagemaker_storage.join(target, f"{name}.tar.gz")
                sagemaker_storage.upload_archive(client, source, uri, kms_key=kms_key)
            if folder == "model":
                with self.lock:
                    self.artifacts = uri

    def _final_metrics(self) -> list[dict[str, Any]]:
        return [
            {"MetricName": name, "Value": value, "Timestamp": moment}
            for name, (value, moment) in self._metrics.values.items()
        ]


def _algorithm_error(failure: Path, exit_code: int) -> str:
    reason = "See job logs for more information"
    if failure.is_file():
        reason = failure.read_bytes()[:REASON_LIMIT].decode(errors="replace").strip() or reason
    ending = f", exit code: {exit_code}"
    return f"AlgorithmError: {reason}"[: REASON_LIMIT - len(ending)] + ending
