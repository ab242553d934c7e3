"""A container's programs, run as SageMaker runs them: a workspace as /opt/ml, and a process."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlops.container.store import STRICT, StoredImage, Variation
from mlops.rehearsal import processes

POLL_SECONDS = 0.03
_OUTPUT_TAIL = 1500
REGION = "eu-west-1"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long is waited for what, in seconds."""

    training: float = 600.0
    training_end: float = 120.0
    """Between SIGTERM and SIGKILL, as SageMaker has it."""
    start: float = 120.0
    answer: float = 60.0
    serving_end: float = 30.0
    """As above, for containers that serve."""


@dataclass(frozen=True, slots=True)
class Training:
    """What a training is given."""

    hyperparameters: Mapping[str, Any]
    channels: Mapping[str, Path]
    """Files or folders; what is not there makes an empty channel."""
    checkpoints: bool = False
    variation: Variation = STRICT
    network: bool = False
    nonsense: bool = False
    """Whether every file of the channels holds nonsense."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a training ended."""

    code: int | None
    """None: it had to be killed."""
    seconds: float
    seconds_after_signal: float | None
    output: str
    failure: str
    model: list[str]
    checkpoints: list[str]


class Workspace:
    """The folder that is a container's /opt/ml, with what lies beside it."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="mlops-check-"))
        self.base = self.root / "opt" / "ml"
        self.base.mkdir(parents=True)

    def remove(self) -> None:
        """Delete everything."""
        shutil.rmtree(self.root, ignore_errors=True)


@dataclass
class Process:
    """A running program of a container."""

    image: StoredImage
    workspace: Workspace
    child: subprocess.Popen[bytes] = field(init=False)

    def start(self, program: Any, *, environment: Mapping[str, str], network: bool, variation: Variation) -> None:
        """Start it."""
        command, variables = self.image.command(
            program, workspace=self.workspace.root, environment=environment, network=network, variation=variation
        )
        with (self.workspace.root / "output.log").open("wb") as log:
            self.child = processes.spawn(command, env=variables, cwd=self.workspace.root, stdout=log)

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.child.poll() is None

    @property
    def output(self) -> str:
        """The end of what it wrote."""
        text = (self.workspace.root / "output.log").read_text(encoding="utf-8", errors="replace")
        return text.strip()[-_OUTPUT_TAIL:]

    def wait(self, seconds: float) -> bool:
        """Wait for its end and return whether it came."""
        deadline = time.monotonic() + seconds
        while self.running and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        return not self.running

    def terminate(self) -> None:
        """Send it SIGTERM."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        processes.end(self.child, grace=0.0)


def train(
    image: StoredImage,
    training: Training,
    limits: Limits,
    *,
    keep: Path | None = None,
    signal_after: float | None = None,
) -> Ended:
    """Train; `keep` gets a copy of the model, `signal_after` seconds SIGTERM is sent."""
    workspace = Workspace()
    process = Process(image, workspace)
    try:
        _lay_out(workspace.base, training)
        begin = time.monotonic()
        process.start(
            "train",
            environment={"TRAINING_JOB_NAME": "mlops-check", "AWSREGION": REGION, "AWS_DEFAULTREGION": REGION},
            network=training.network,
            variation=training.variation,
        )
        after = None
        ended = process.wait(limits.training if signal_after is None else signal_after)
        if not ended and signal_after is not None:
            asked = time.monotonic()
            process.terminate()
            ended = process.wait(limits.training_end)
            after = time.monotonic() - asked
        code = process.child.returncode if ended else None
        seconds = time.monotonic() - begin
        process.kill()
        if keep is not None:
            shutil.copytree(workspace.base / "model", keep, dirs_exist_ok=True, symlinks=True)
        return Ended(
            code=code,
            seconds=seconds,
            seconds_after_signal=after,
            output=process.output,
            failure=_failure(workspace.base / "output" / "failure"),
            model=_names(workspace.base / "model"),
            checkpoints=_names(workspace.base / "checkpoints"),
        )
    finally:
        workspace.remove()


def _lay_out(base: Path, training: Training) -> None:
    config, data = base / "input" / "config", base / "input" / "data"
    for folder in (config, data, base / "model", base / "output" / "data"):
        folder.mkdir(parents=True)
    if training.checkpoints:
        (base / "checkpoints").mkdir()
    for name, source in training.channels.items():
        (data / name).mkdir()
        if source.is_dir():
            shutil.copytree(source, data / name, dirs_exist_ok=True)
        elif source.exists():
            shutil.copy(source, data / name)
    if training.nonsense:
        for path in data.rglob("*"):
            if path.is_file():
                path.write_bytes(b"this is \x00\xff not data\n" * 3)
    described = {
        "hyperparameters.json": dict(training.hyperparameters),
        "inputdataconfig.json": {
            name: {
                "TrainingInputMode": "File",
                "ContentType": "text/csv" if source.suffix == ".csv" else "application/octet-stream",
                "S3DistributionType": "FullyReplicated",
                "RecordWrapperType": "None",
            }
            for name, source in training.channels.items()
        },
        "resourceconfig.json": {
            "current_host": "algo-1",
            "current_instance_type": "ml.m5.large",
            "current_group_name": "homogeneousCluster",
            "hosts": ["algo-1"],
            "instance_groups": [
                {"instance_group_name": "homogeneousCluster", "instance_type": "ml.m5.large", "hosts": ["algo-1"]}
            ],
            "network_interface_name": "eth0",
        },
    }
    for name, content in described.items():
        (config / name).write_text(json.dumps(content), encoding="utf-8")


def _failure(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()[:1024]
    except OSError:
        return ""


def _names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
