# ruff: noqa: E402 - the imports below need PyTorch
from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.vision.needs_torch import skip_without_torch

skip_without_torch()

from segmentation.job import Folders

FOLDER = Path(__file__).resolve().parents[2] / "containers" / "vision"
SMALL = {"backbone": "resnet18", "image_size": "64", "workers": "0", "batch_size": "1", "minimum_score": "0"}
SMALL |= {"maximum_detections": "5"}
Job = Callable[..., Folders]


@contextmanager
def started(program: str, folders: Folders, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(FOLDER / program)],
        env={"PATH": os.environ["PATH"], "SAGEMAKER_BASE_DIR": str(folders.base)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def train(folders: Folders) -> tuple[int, str]:
    with started("train", folders) as process:
        output, _ = process.communicate(timeout=300)
        return process.returncode, output


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def test_wrong_hyperparameters_end_with_1_and_all_reasons(job: Job) -> None:
    folders = job(epochs="0", backbone="vgg")
    assert train(folders)[0] == 1
    assert folders.failure.read_text().startswith("2 hyperparameters are wrong: backbone is 'vgg'")


def test_two_processes_are_stopped_and_go_on_to_the_end_and_the_model_answers(job: Job) -> None:
    """The life of a job as SageMaker drives it: torchrun, SIGTERM, a second start, and the endpoint."""
    folders = job(**SMALL, processes="2", epochs="1")
    with started("train", folders) as process:
        assert process.stdout
        for line in process.stdout:
            if "step=1 " in line:
                process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 143
    assert not folders.failure.exists()
    assert not (folders.output / "evaluation.json").exists()
    code, output = train(folders)
    assert code == 0, output
    assert "resumed epoch=" in output
    evaluation = json.loads((folders.output / "evaluation.json").read_text())
    assert evaluation["training"]["processes"] == 2
    # Six pictures, two processes with batches of one.
    assert evaluation["training"]["steps"] == 3
    the_model_answers(folders)


def the_model_answers(folders: Folders) -> None:
    port = free_port()
    picture = min((folders.base / "input" / "data" / "training" / "PNGImages").iterdir()).read_bytes()
    with started("serve", folders, SAGEMAKER_BIND_TO_PORT=str(port)) as process:
        statuses: set[int] = set()
        deadline = time.monotonic() + 120
        while 200 not in statuses:
            assert time.monotonic() < deadline, statuses
            assert process.poll() is None
            statuses.add(status(f"http://127.0.0.1:{port}/ping"))
            time.sleep(0.05)
        assert statuses <= {0, 503, 200}
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations", data=picture, headers={"Content-Type": "image/png"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
            document = json.load(answer)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in {0, -signal.SIGTERM}
    assert document["image"] == {"height": 64, "width": 64}
    counts = {len(document[name]) for name in ("boxes", "labels", "scores", "masks")}
    assert counts == {5}
    assert {sum(mask["counts"]) for mask in document["masks"]} == {64 * 64}
    assert set(document["labels"]) == {"object"}


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - the server started by the test
            code: int = answer.status
            return code
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_a_server_without_a_model_ends_with_the_reason(job: Job) -> None:
    with started("serve", job(), SAGEMAKER_BIND_TO_PORT=str(free_port())) as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "model.json: No such file" in output


def test_a_failure_of_the_processes_ends_the_job_with_its_reason(job: Job) -> None:
    folders = job(**SMALL, processes="2")
    folders.checkpoints.mkdir()
    (folders.checkpoints / "checkpoint.pt").write_bytes(b"half of it")
    assert train(folders)[0] == 1
    assert "checkpoint.pt cannot be read as weights" in folders.failure.read_text()


def test_data_that_cannot_be_used_end_the_job_before_its_processes_start(job: Job, tmp_path: Path) -> None:
    folders = job(channels={"train": tmp_path}, processes="2")
    code, output = train(folders)
    assert code == 1
    assert output.count("the job has the channels train; it needs") == 1
    assert folders.failure.read_text().startswith("the job has the channels train; it needs")
