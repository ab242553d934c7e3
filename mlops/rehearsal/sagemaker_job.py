"""What training and processing jobs have in common: a thread, a role, a state that others may ask for."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from mlops.rehearsal import credentials, sagemaker_api
from mlops.rehearsal.sagemaker_observed import LogStream
from mlops.rehearsal.sagemaker_programs import Workspace
from mlops.rehearsal.sagemaker_requests import invalid
from mlops.rehearsal.sagemaker_storage import StorageError
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase

PRINCIPAL = "sagemaker.amazonaws.com"
REASON_LIMIT = 1024

_lock = threading.Lock()
_running: set[Job] = set()


class JobError(Exception):
    """A job cannot go on; the text is its FailureReason."""


class Job(ABC):
    """One job: it runs in a thread of its own from `start` on."""

    kind: str  # as ARNs write it, "training-job"
    log_group: str

    def __init__(self, backend: Any, name: str, request: dict[str, Any]) -> None:
        """Take moto's backend (for account and region) and the request that made the job."""
        self.backend = backend
        self.name = name
        self.request = request
        self.arn = sagemaker_api.arn(backend, self.kind, name)
        self.tags: list[dict[str, str]] = list(request.get("Tags") or [])
        self.creation_time = self.last_modified_time = sagemaker_api.now()
        self.failure_reason: str | None = None
        self.log = LogStream(
            backend, self.log_group, f"{name}/algo-1-{int(self.creation_time.timestamp())}", source=name
        )
        self.stopping = threading.Event()
        self.abandoned = False
        self.lock = threading.RLock()
        self._thread = threading.Thread(target=self._run, name=f"{self.kind}-{name}", daemon=True)

    @property
    def role_arn(self) -> str:
        """The execution role."""
        return str(self.request["RoleArn"])

    @property
    def title(self) -> str:
        """The kind of job as the timeline says it."""
        return self.kind.removesuffix("-job")

    def s3(self) -> Any:
        """Return an S3 client with the credentials of the execution role."""
        return client("s3", self.role_arn, self.backend)

    def environment(self) -> dict[str, str]:
        """Return the environment of the container: the role's credentials, unless the network is isolated."""
        from mlops.rehearsal import processes  # noqa: PLC0415 - only here

        region = self.backend.region_name
        if self.isolated:
            return processes.clean_environment(AWS_REGION=region, AWS_DEFAULT_REGION=region)
        return credentials.environment_for(
            self.role_arn, region, principal=PRINCIPAL, session_name="SageMaker", source_arn=self.arn
        )

    @property
    def isolated(self) -> bool:
        """Whether the container may call nothing at all, AWS included."""
        return bool(self.request.get("EnableNetworkIsolation"))

    def start(self) -> None:
        """Begin to run."""
        with _lock:
            _running.add(self)
        TIMELINE.emit(Kind.JOB, self.name, Phase.STARTED, type=self.title, arn=self.arn)
        self._thread.start()

    def abandon(self) -> None:
        """Stop without a trace: the emulated AWS is about to end."""
        self.abandoned = True
        self.stopping.set()

    def join(self, seconds: float) -> None:
        """Wait for its end."""
        self._thread.join(seconds)

    @abstractmethod
    def execute(self, workspace: Workspace) -> None:
        """Do the work; raise JobError or StorageError when it cannot be done."""

    @abstractmethod
    def fail(self, reason: str) -> None:
        """End as Failed."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return the answer of the job's Describe API."""

    @property
    def response_object(self) -> dict[str, Any]:
        """The same under the name that moto uses."""
        return self.describe()

    def _run(self) -> None:
        workspace = Workspace(f"mlops-{self.title}")
        try:
            self.execute(workspace)
        except JobError as error:
            self._end_failed(str(error))
        except StorageError as error:
            self._end_failed(f"ClientError: Data download or upload failed: {error}")
        except Exception as error:  # noqa: BLE001 - a job that ends in an unknown way has failed, and says how
            self._end_failed(f"InternalServerError: the rehearsal itself failed: {type(error).__name__}: {error}")
        finally:
            workspace.remove()
            with _lock:
                _running.discard(self)

    def _end_failed(self, reason: str) -> None:
        if self.abandoned:
            return
        with self.lock:
            self.failure_reason = reason[:REASON_LIMIT]
            self.fail(self.failure_reason)
        TIMELINE.emit(Kind.JOB, self.name, Phase.FAILED, type=self.title, arn=self.arn, reason=self.failure_reason)


def client(service: str, role_arn: str, backend: Any) -> Any:
    """Return a client with a role's credentials, assumed by SageMaker; refuse as SageMaker does when it cannot."""
    from mlops.rehearsal.iam_roles import TrustError  # noqa: PLC0415 - it imports moto

    try:
        return credentials.client(
            service, role_arn=role_arn, region=backend.region_name, principal=PRINCIPAL, session_name="SageMaker"
        )
    except TrustError as error:
        message = (
            f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal "
            f"'{PRINCIPAL}' to assume the role. ({error})"
        )
        raise invalid(message) from error


def running() -> Iterator[Job]:
    """Yield the jobs that run now."""
    with _lock:
        yield from list(_running)


def shutdown() -> None:
    """End every job without a trace, and wait for it."""
    jobs = list(running())
    for job in jobs:
        job.abandon()
    for job in jobs:
        job.join(5)
