"""The program `serve` as SageMaker starts it: processes, ports, health, signals."""

from __future__ import annotations

import contextlib
import http.client
import shutil
import signal
import time
from pathlib import Path

import psutil
import pytest

from tests.tabular.tabular_world import CSV, Job

ROW = b"5.1,3.5,1.4,0.2\n"


@pytest.fixture
def ready(job: Job, iris_model: Path) -> Job:
    """A job with a model."""
    shutil.copytree(iris_model, job.base / "model", dirs_exist_ok=True)
    return job


@pytest.mark.parametrize("workers", [1, 2])
def test_it_serves_until_sigterm_and_ends_with_0(workers: int, ready: Job) -> None:
    with ready.serving(workers=workers) as server:
        assert server.ask("POST", "/invocations", ROW, CSV).body == b"1.0,0.0,0.0\n"
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        for _ in range(3):  # over one connection
            connection.request("POST", "/invocations", ROW, CSV)
            assert connection.getresponse().read() == b"1.0,0.0,0.0\n"
        connection.close()
        assert server.end() == 0


def test_every_processor_gets_a_process_and_one_that_dies_is_replaced(ready: Job) -> None:
    with ready.serving(workers=2) as server:
        before = workers_of(server.process.pid)
        assert len(before) == 2
        before[0].send_signal(signal.SIGKILL)
        until = time.monotonic() + 20
        while time.monotonic() < until and {one.pid for one in workers_of(server.process.pid)} == {
            one.pid for one in before
        }:
            time.sleep(0.05)
        server.wait()
        assert {one.pid for one in workers_of(server.process.pid)} != {one.pid for one in before}
        assert [server.ask("POST", "/invocations", ROW, CSV).status for _ in range(10)] == [200] * 10


def workers_of(pid: int) -> list[psutil.Process]:
    """The processes that serve, those that have ended left out."""
    found = []
    for one in psutil.Process(pid).children():
        with contextlib.suppress(psutil.Error):
            if "spawn_main" in " ".join(one.cmdline()):
                found.append(one)
    return found


@pytest.mark.parametrize("workers", [1, 2])
def test_without_a_model_it_is_never_healthy_and_says_why(workers: int, job: Job) -> None:
    with job.serving(workers=workers, healthy=False) as server:
        assert server.process.wait(30) not in {0, None}
        assert "holds no model of this container" in server.log.read_text()


def test_a_port_in_use_is_told(ready: Job) -> None:
    with ready.serving() as server, ready.serving(healthy=False, SAGEMAKER_BIND_TO_PORT=str(server.port)) as second:
        assert second.process.wait(30) == 1
        assert "cannot be used" in (ready.base / "serve.log").read_text()


def test_a_wrong_variable_is_told(job: Job) -> None:
    with job.serving(healthy=False, SAGEMAKER_BIND_TO_PORT="none") as server:
        assert server.process.wait(30) == 1
        assert "SAGEMAKER_BIND_TO_PORT is 'none'" in server.log.read_text()


def test_an_answer_to_a_chunked_request_and_an_early_413_leave_the_server_healthy(ready: Job) -> None:
    with ready.serving(MAX_CONTENT_LENGTH="100") as server:
        chunked = (
            b"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-type: text/csv\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        assert server.raw(chunked + b"10\r\n" + ROW + b"\r\n0\r\n\r\n")[0].startswith(b"HTTP/1.1 200")
        large = server.ask("POST", "/invocations", ROW * 10, CSV)
        assert large.status == 413
        assert server.ask("GET", "/ping").status == 200


def test_answers_to_pipelined_requests_come_in_their_order(ready: Job) -> None:
    one = b"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-type: text/csv\r\ncontent-length: 16\r\n\r\n" + ROW
    with ready.serving() as server:
        found = server.raw(one + one.replace(ROW, b"6.5,3.0,5.8,2.2\n") + one)[0]
    answers = [part.rpartition(b"\r\n\r\n")[2] for part in found.split(b"HTTP/1.1 ")[1:]]
    assert len(answers) == 3
    assert answers[0] == answers[2] != answers[1]


def test_serving_imports_no_scikit_learn(ready: Job) -> None:
    with ready.serving() as server:
        mapped = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert "/onnxruntime/" in mapped
    assert "/sklearn/" not in mapped
    assert "/scipy/" not in mapped


def test_several_processes_share_the_models_of_a_multi_model_endpoint(job: Job, iris_model: Path) -> None:
    document = f'{{"model_name": "m", "url": "{iris_model}"}}'.encode()
    with job.serving(workers=2, SAGEMAKER_MULTI_MODEL="true") as server:
        assert server.ask("POST", "/models", document).status == 200
        assert {server.ask("POST", "/models/m/invoke", ROW, CSV).status for _ in range(20)} == {200}
        assert server.ask("DELETE", "/models/m").status == 200
        assert {server.ask("POST", "/models/m/invoke", ROW, CSV).status for _ in range(20)} == {404}
