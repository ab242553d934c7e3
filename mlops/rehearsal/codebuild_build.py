"""A build as the API tells it, and its log."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from mlops.rehearsal.codebuild_buildspec import BuildError
from mlops.rehearsal.codebuild_shell import Shell
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase


@dataclass
class Build:
    """A build as BatchGetBuilds describes it, and the thread that runs it."""

    document: dict[str, Any]
    project: dict[str, Any]
    region: str
    announce: Callable[[Build], None]
    lock: threading.RLock = field(default_factory=threading.RLock)
    finished: threading.Event = field(default_factory=threading.Event)
    stopping: threading.Event = field(default_factory=threading.Event)
    shell: Shell | None = None

    @property
    def id(self) -> str:
        """Return the id, `<project>:<uuid>`."""
        return str(self.document["id"])

    def describe(self) -> dict[str, Any]:
        """Return the build in the shape of the API."""
        with self.lock:
            return copy.deepcopy(self.document)

    def stop(self) -> None:
        """End the build; it becomes STOPPED."""
        self.stopping.set()
        if self.shell is not None:
            self.shell.stop()


class BuildLog:
    """The lines of a build, on the timeline at once and in CloudWatch Logs phase by phase."""

    def __init__(self, build: Build, client: Callable[[str], Any]) -> None:
        """Take the build, and what makes clients under its service role."""
        self._build = build
        self._client = client
        self._waiting: list[dict[str, Any]] = []
        self._open = False

    def open(self) -> None:
        """Make the stream, and the group where the project does not bring one, under the service role."""
        logs = self._build.document["logs"]
        if logs["cloudWatchLogs"]["status"] != "ENABLED":
            return
        client = self._client("logs")
        try:
            try:
                client.create_log_stream(logGroupName=logs["groupName"], logStreamName=logs["streamName"])
            except client.exceptions.ResourceNotFoundException:
                client.create_log_group(logGroupName=logs["groupName"])
                client.create_log_stream(logGroupName=logs["groupName"], logStreamName=logs["streamName"])
        except ClientError as error:
            code = "ACCESS_DENIED"
            message = (
                f"Service role {self._build.document['serviceRole']} does not allow AWS CodeBuild to create Amazon "
                f"CloudWatch Logs log streams for build {self._build.document['arn']}. Error message: {reason(error)}"
            )
            raise BuildError(code, message) from error
        self._open = True

    def say(self, text: str) -> None:
        """Write a line of CodeBuild itself."""
        self.write(f"[Container] {datetime.now(UTC):%Y/%m/%d %H:%M:%S.%f} {text}")

    def write(self, line: str) -> None:
        """Write a line of the build."""
        TIMELINE.emit(Kind.LOG, line, Phase.INFO, source=self._build.id)
        self._waiting.append({"timestamp": int(time.time() * 1000), "message": line or " "})

    def flush(self) -> None:
        """Send what is waiting to CloudWatch Logs."""
        lines, self._waiting = self._waiting, []
        if not (self._open and lines):
            return
        logs = self._build.document["logs"]
        try:
            self._client("logs").put_log_events(
                logGroupName=logs["groupName"], logStreamName=logs["streamName"], logEvents=lines
            )
        except ClientError as error:
            # As in CodeBuild, a build does not fail for the want of its log; IAM's trace names the denial.
            TIMELINE.emit(Kind.LOG, f"log lines are lost: {reason(error)}", Phase.FAILED, source=self._build.id)


def failure(document: dict[str, Any]) -> str | None:
    """Return the first failed phase of a build with its code and message, in CodePipeline's words."""
    for phase in document["phases"]:
        if phase.get("phaseStatus") in ("FAILED", "FAULT", "TIMED_OUT"):
            context = phase["contexts"][0]
            return f"Phase: {phase['phaseType']}, Code: {context['statusCode']}, Message: {context['message']}"
    return None


def reason(error: ClientError) -> str:
    """Return what an API said, with the error's name."""
    return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"


def moment(seconds: float) -> datetime:
    """Return a time stamp as the API gives it."""
    return datetime.fromtimestamp(seconds, UTC)
