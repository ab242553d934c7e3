"""The program that stops idle notebooks, against a Jupyter that this test plays."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import ROOT

METADATA = {
    "ResourceArn": "arn:aws:sagemaker:eu-west-1:222233334444:notebook-instance/mlops-sandbox-alice",
    "ResourceName": "mlops-sandbox-alice",
}


@pytest.fixture(scope="module")
def program() -> ModuleType:
    spec = util.spec_from_file_location("idle_stop", ROOT / "containers" / "sandbox" / "idle_stop.py")
    assert spec
    assert spec.loader
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ago(minutes: float) -> str:
    return (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


class Jupyter:
    """Answers like Jupyter; `answers` are its kernels and terminals."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {"/api/kernels": [], "/api/terminals": []}
        answers = self.answers

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(answers[self.path]).encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def jupyter() -> Iterator[Jupyter]:
    server = Jupyter()
    yield server
    server.server.shutdown()
    server.server.server_close()


@pytest.fixture
def run(program: ModuleType, jupyter: Jupyter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the program for a notebook that started some minutes ago; returns the commands that it gave."""
    metadata = tmp_path / "metadata.json"
    metadata.write_text(json.dumps(METADATA))
    given: list[list[str]] = []
    monkeypatch.setattr(program.subprocess, "run", lambda command, **_: given.append(command))

    def run(*, started: float | None = 300, server: str = jupyter.address) -> list[list[str]]:
        state = tmp_path / "state"
        if started is not None:
            state.write_text(f"{datetime.now(UTC).timestamp() - 60 * started}")
        options = ["--minutes", "120", "--server", server, "--metadata", str(metadata), "--state", str(state)]
        assert program.main(options) == 0
        return given

    return run


STOP = ["aws", "sagemaker", "stop-notebook-instance", "--notebook-instance-name", "mlops-sandbox-alice",
        "--region", "eu-west-1"]  # fmt: skip


def test_a_notebook_where_nothing_is_open_is_stopped(run: Any) -> None:
    assert run() == [STOP]


def test_a_notebook_that_has_just_started_is_not_stopped(run: Any) -> None:
    assert run(started=None) == []


def test_a_kernel_that_was_used_lately_keeps_the_notebook(run: Any, jupyter: Jupyter) -> None:
    jupyter.answers["/api/kernels"] = [{"execution_state": "idle", "last_activity": ago(30)}]
    assert run() == []


def test_a_kernel_that_nobody_used_for_long_does_not_keep_it(run: Any, jupyter: Jupyter) -> None:
    jupyter.answers["/api/kernels"] = [{"execution_state": "idle", "last_activity": ago(121)}]
    assert run() == [STOP]


def test_a_kernel_that_computes_keeps_it_however_long(run: Any, jupyter: Jupyter) -> None:
    jupyter.answers["/api/kernels"] = [{"execution_state": "busy", "last_activity": ago(900)}]
    assert run() == []


def test_a_terminal_that_was_used_lately_keeps_it(run: Any, jupyter: Jupyter) -> None:
    jupyter.answers["/api/terminals"] = [{"name": "1", "last_activity": ago(5)}]
    assert run() == []


def test_work_is_remembered_when_the_kernel_is_gone(run: Any, jupyter: Jupyter) -> None:
    jupyter.answers["/api/kernels"] = [{"execution_state": "idle", "last_activity": ago(10)}]
    assert run() == []
    jupyter.answers["/api/kernels"] = []
    assert run(started=None) == []


def test_a_jupyter_that_does_not_answer_does_not_keep_a_notebook_running(run: Any) -> None:
    assert run(server="http://127.0.0.1:9") == [STOP]
    assert run(server="http://127.0.0.1:9", started=10) == [STOP]  # the one above; none more
