"""What a job or an endpoint tells while it lives: log lines, events of EventBridge, and the rehearsal's timeline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import IO, Any

from mlops.rehearsal.timeline import TIMELINE, Kind, Phase


class LogStream:
    """A stream in CloudWatch Logs that is written line by line, and to the timeline at the same time.

    Lines go to the log backend directly: on AWS, the service's own agent writes them.
    """

    def __init__(self, backend: Any, group: str, stream: str, *, source: str) -> None:
        """Take moto's SageMaker backend (for account and region) and how the timeline calls the source."""
        self.group = group
        self.stream = stream
        self._backend = backend
        self._source = source
        self._lock = threading.Lock()
        self._made = False

    def beside(self, name: str) -> LogStream:
        """Return a stream of the same group and source, called after this one."""
        return LogStream(self._backend, self.group, f"{self.stream}/{name}", source=self._source)

    def write(self, line: str) -> None:
        """Add one line. CloudWatch shows a tab as #011, as the log agent of SageMaker writes it."""
        from moto.logs.models import logs_backends  # noqa: PLC0415 - moto is imported when the server is there

        TIMELINE.emit(Kind.LOG, line, Phase.INFO, source=self._source)
        logs = logs_backends[self._backend.account_id][self._backend.region_name]
        with self._lock:
            if not self._made:
                logs.ensure_log_group(self.group)
                if self.stream not in logs.groups[self.group].streams:
                    logs.create_log_stream(self.group, self.stream)
                self._made = True
            message = {"timestamp": int(time.time() * 1000), "message": line.replace("\t", "#011")}
            logs.put_log_events(self.group, self.stream, [message])

    def follow(self, output: IO[bytes], *, also: Callable[[str], None] | None = None) -> None:
        """Write every line of `output` until it ends, then close it."""
        with output:
            for raw in output:
                line = raw.decode(errors="replace").rstrip("\r\n")
                self.write(line)
                if also is not None:
                    also(line)


def emit(detail_type: str, detail: dict[str, Any], *, resources: Iterable[str]) -> None:
    """Send an event of SageMaker to EventBridge; what goes wrong there never reaches the job."""
    try:
        from mlops.rehearsal import events  # noqa: PLC0415 - it imports moto

        arns = tuple(resources)
        _, _, _, region, account, _ = arns[0].split(":", 5)
        events.emit("aws.sagemaker", detail_type, _event_detail(detail), arns, account=account, region=region)
    except Exception as error:  # noqa: BLE001 - a job does not end because a rule's target is broken
        TIMELINE.emit(Kind.EVENT, detail_type, Phase.FAILED, error=f"{type(error).__name__}: {error}")


def _event_detail(value: Any) -> Any:
    # Events of SageMaker carry times as milliseconds since 1970.
    match value:
        case datetime():
            return int(value.replace(tzinfo=UTC).timestamp() * 1000)
        case dict():
            return {name: _event_detail(item) for name, item in value.items()}
        case list():
            return [_event_detail(item) for item in value]
        case _:
            return value
