"""A training job of the algorithm under a base folder of its own, run as the real program."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[2]
PACKAGE = "mlops.rehearsal.xgboost_algorithm"
HYPERPARAMETERS = {"num_round": "8", "objective": "binary:logistic", "max_depth": "3", "eta": "0.3", "seed": "7"}


def rows(count: int, *, seed: int, columns: int = 4) -> list[list[float]]:
    """Rows with the label first; the label depends on the first features."""
    source = random.Random(seed)  # noqa: S311 - made-up data
    made = []
    for _ in range(count):
        features = [round(source.gauss(0, 1), 3) for _ in range(columns)]
        label = float(features[0] * features[1] + features[2] + source.gauss(0, 0.5) > 0.8)
        made.append([label, *features])
    return made


def csv(table: list[list[float]], delimiter: str = ",") -> str:
    return "".join(delimiter.join(f"{cell:g}" for cell in row) + "\n" for row in table)


def libsvm(table: list[list[float]]) -> str:
    lines = (" ".join([f"{row[0]:g}", *(f"{i}:{cell:g}" for i, cell in enumerate(row[1:]))]) for row in table)
    return "".join(line + "\n" for line in lines)


def environment(base: Path, **extra: str) -> dict[str, str]:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "constructs")])
    return {"PATH": os.environ["PATH"], "PYTHONPATH": paths, "SAGEMAKER_BASE_DIR": str(base), **extra}


@dataclass
class Outcome:
    """What a finished job left."""

    code: int
    log: str
    failure: str | None

    @property
    def metric_lines(self) -> list[str]:
        return [line for line in self.log.splitlines() if line.startswith("[") and "]\t" in line]


@dataclass
class Job:
    base: Path
    hyperparameters: dict[str, str] = field(default_factory=lambda: dict(HYPERPARAMETERS))
    channels: dict[str, dict[str, str]] = field(default_factory=dict)
    resources: dict[str, Any] = field(default_factory=lambda: {"current_host": "algo-1", "hosts": ["algo-1"]})
    checkpoints: dict[str, str] | None = None

    def add(self, channel: str, text: str, *, content_type: str | None = "text/csv", name: str = "data.csv") -> None:
        folder = self.base / "input" / "data" / channel
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        self.channels[channel] = {
            "TrainingInputMode": "File",
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None",
            **({"ContentType": content_type} if content_type else {}),
        }

    def start(self) -> subprocess.Popen[str]:
        config = self.base / "input" / "config"
        config.mkdir(parents=True, exist_ok=True)
        documents: dict[str, Mapping[str, Any] | None] = {
            "hyperparameters": self.hyperparameters,
            "inputdataconfig": self.channels,
            "resourceconfig": self.resources,
            "checkpointconfig": self.checkpoints,
        }
        for name, document in documents.items():
            if document is not None:
                (config / f"{name}.json").write_text(json.dumps(document))
        return subprocess.Popen(
            [sys.executable, "-m", f"{PACKAGE}.train"],
            env=environment(self.base),
            cwd=self.base,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def outcome(self, process: subprocess.Popen[str]) -> Outcome:
        log, _ = process.communicate(timeout=60)
        file = self.base / "output" / "failure"
        return Outcome(process.returncode, log, file.read_text() if file.exists() else None)

    def run(self) -> Outcome:
        return self.outcome(self.start())

    @property
    def model(self) -> Path:
        return self.base / "model" / "xgboost-model"


@dataclass
class Answer:
    """What an endpoint answered."""

    status: int
    content_type: str | None
    body: str


@dataclass
class Endpoint:
    port: int

    def call(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            response = connection.getresponse()
            return Answer(response.status, response.headers.get("Content-Type"), response.read().decode())

    def invoke(self, body: str, content_type: str = "text/csv", **headers: str) -> Answer:
        return self.call("POST", "/invocations", body.encode(), Content_Type=content_type, **headers)


@contextlib.contextmanager
def serving(base: Path, **extra: str) -> Iterator[tuple[Endpoint, subprocess.Popen[str]]]:
    """The serving program, ready, on a port that it chose."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"{PACKAGE}.serve"],
        env=environment(base, SAGEMAKER_BIND_TO_PORT="0", **extra),
        cwd=base,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first.startswith("Listening on http://127.0.0.1:"), first + process.stdout.read()
        yield Endpoint(int(first.rpartition(":")[2])), process
    finally:
        process.terminate()
        process.communicate(timeout=10)


def wait_until(condition: Any, *, seconds: float = 20) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(0.02)
