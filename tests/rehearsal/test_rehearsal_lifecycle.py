"""However a rehearsal ends, it leaves no process, no port and no temporary file; and no environment leads it astray."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlops.rehearsal import guard
from tests.rehearsal.command_world import Command, eventually, started

HOSTILE = {
    "AWS_ACCESS_KEY_ID": "AKIAHOSTILEHOSTILE00",
    "AWS_SECRET_ACCESS_KEY": "hostile-secret",
    "AWS_SESSION_TOKEN": "hostile-token",
    "AWS_PROFILE": "hostile",
    "AWS_ENDPOINT_URL": "http://192.0.2.1:1",
    "AWS_ENDPOINT_URL_S3": "http://192.0.2.1:2",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://192.0.2.1/hostile",
    "HTTPS_PROXY": "http://192.0.2.1:3",
    "http_proxy": "http://192.0.2.1:4",
    "CDK_DEFAULT_ACCOUNT": "999999999999",
    "NODE_OPTIONS": "--require=/hostile.js",
    "PYTHONSTARTUP": "/hostile.py",
    "MOTO_CALL_RESET_API": "hostile",
    "SAGEMAKER_BASE_DIR": "/hostile",
    "LD_LIBRARY_PATH": "/hostile",
}


def ended_without_a_trace(command: Command) -> None:
    """Check the message and that nothing is left."""
    assert command.output.endswith("\nInterrupted: everything that was started has been ended.\n"), command.output
    assert "Traceback" not in command.output
    assert command.left() == []


@pytest.mark.parametrize("seconds", [0.3, 1.0, 2.5])
def test_ctrl_c_ends_everything_that_has_begun(tmp_path: Path, seconds: float) -> None:
    with started("churn", "--approve", folder=tmp_path / "tmp") as command:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            command.look()
        command.signal(signal.SIGINT, group=True)
        assert command.end() == 130
        ended_without_a_trace(command)


def test_a_second_ctrl_c_ends_everything_too(tmp_path: Path) -> None:
    with started("churn", "--approve", folder=tmp_path / "tmp") as command:
        command.wait_for("Synthesize: started")
        command.wait_for_processes(4)
        for _ in range(3):
            command.signal(signal.SIGINT, group=True)
            time.sleep(0.03)
        assert command.end() == 130
        ended_without_a_trace(command)


def test_sigkill_leaves_no_process_not_even_a_grandchild(tmp_path: Path) -> None:
    with started("churn", "--approve", folder=tmp_path / "tmp") as command:
        command.wait_for("Synthesize: started")
        # The command line of the CDK, the app in Python, and the app's own Node.
        command.wait_for_processes(5)
        command.signal(signal.SIGKILL)
        command.end()
        assert eventually(lambda: command.left() == [], seconds=10), command.left()


def test_a_reader_that_goes_away_ends_everything(tmp_path: Path) -> None:
    with started("churn", "--approve", folder=tmp_path / "tmp", keep_reading=False) as command:
        assert command.end() == 141
        assert command.left() == []


def test_nothing_of_the_environment_reaches_a_child_or_the_network_and_sigterm_ends_everything(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("[profile hostile]\naws_access_key_id = AKIAHOSTILE\naws_secret_access_key = hostile\n")
    hostile = HOSTILE | {"AWS_CONFIG_FILE": str(config), "HOME": str(tmp_path / "missing")}
    with started("churn", "--approve", folder=tmp_path / "tmp", environment=hostile) as command:
        command.wait_for("Upload the data: succeeded")
        assert eventually(lambda: "awslambdaric" in " ".join(command.look()), seconds=20), command.output
        command.signal(signal.SIGTERM)
        assert command.end() == 130
        ended_without_a_trace(command)
    assert len(command.environments) > 5
    values = set(hostile.values()) - {str(tmp_path / "missing")}
    for environment in command.environments.values():
        assert not values.intersection(environment.values()), environment
        assert "NODE_OPTIONS" not in environment
    assert command.connections <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def test_the_guard_ends_what_has_lost_its_parent_and_removes_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "mlops-x"
    folder.mkdir()
    stray = subprocess.Popen(["sleep", "60"], env={guard.MARK: str(folder), "PATH": os.defpath}, start_new_session=True)
    other = subprocess.Popen(["sleep", "60"], env={guard.MARK: f"{folder}y", "PATH": os.defpath})
    try:
        ended = subprocess.run([sys.executable, "-I", guard.__file__, str(folder)], input=b"", timeout=30, check=False)
        assert ended.returncode == 0
        assert stray.wait(5) == -signal.SIGKILL
        assert other.poll() is None
        assert not folder.exists()
    finally:
        other.kill()
        other.wait()


def test_two_at_once_do_not_meet(tmp_path: Path) -> None:
    with (
        started("churn", "--approve", folder=tmp_path / "one") as one,
        started("churn", "--approve", folder=tmp_path / "other") as other,
    ):
        for command in (one, other):
            command.wait_for("Build / Build: started")
        for command in (one, other):
            command.signal(signal.SIGINT)
            assert command.end() == 130
            ended_without_a_trace(command)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_approval_at_the_prompt_leads_to_endpoints_that_answer_until_ctrl_c(tmp_path: Path) -> None:
    terminal, line = pty.openpty()
    with started("churn", "--keep", "--report", "kept.html", folder=tmp_path / "tmp", stdin=line) as command:
        command.wait_for("Approve / Approve: started", seconds=200)
        os.write(terminal, b"maybe\ny\n")
        command.wait_for("until Ctrl-C", seconds=60)
        assert "Please answer y or n." in command.output
        assert eventually(lambda: "The SageMaker API" in command.output and ".decode())" in command.output, seconds=10)
        commands = command.output[command.output.index("The endpoints answer") :]
        calls = re.findall(r"(?:curl --silent|env -i) .*", commands)
        assert len(calls) == 4
        for call in calls:
            answer = subprocess.run(
                ["sh", "-c", call],
                cwd="/",
                env=HOSTILE | {"PATH": os.defpath},
                capture_output=True,
                timeout=60,
                check=False,
            )
            assert re.search(rb"0\.\d+", answer.stdout), (call, answer)
        command.signal(signal.SIGINT)
        assert command.end() == 130
        ended_without_a_trace(command)
    assert (tmp_path / "kept.html").exists()
    os.close(terminal)
    os.close(line)
