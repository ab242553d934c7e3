"""What `mlops` answers to wrong input, on a machine that lacks something, and when it breaks."""

from __future__ import annotations

import errno
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from mlops.rehearsal.timeline import Kind, Phase, Timeline
from mlops.report.live import LiveDisplay

ROOT = Path(__file__).resolve().parents[1]


def mlops(*arguments: str, cwd: Path, redirect: str = "</dev/null", **environment: str) -> tuple[int, str]:
    """Run the command of the project in `cwd`; return exit status and everything that it wrote."""
    temporary = cwd / "tmp"
    temporary.mkdir(exist_ok=True)
    ended = subprocess.run(
        ["sh", "-c", f'exec "$0" -m mlops rehearse "$@" {redirect}', sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(cwd), "TMPDIR": str(temporary), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )
    text = ended.stdout.decode()
    assert "Traceback" not in text
    assert list(temporary.iterdir()) == []
    return ended.returncode, text


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project that a test may break."""
    shutil.copytree(ROOT / "mlops", tmp_path / "mlops", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    return tmp_path


def test_an_unknown_model_is_answered_with_the_nearest_name(project: Path) -> None:
    status, text = mlops("chrun", "--approve", cwd=project)
    assert status == 2
    assert "did you mean churn?" in text
    assert not (project / "reports").exists()


def test_an_unknown_fault_is_answered_with_the_nearest_name(project: Path) -> None:
    status, text = mlops("churn", "--approve", "--fault", "blnk-label", cwd=project)
    assert status == 2
    assert "did you mean 'blank-label'?" in text


def test_every_mistake_in_the_settings_is_told_at_once(project: Path) -> None:
    model = project / "config/models/churn.yaml"
    model.write_text(model.read_text().replace("max_depth: 4", "max_dept: 4"))
    environments = project / "config/environments.yaml"
    environments.write_text(environments.read_text().replace("eu-west-1", "eu-west-one", 1))
    status, text = mlops("churn", "--approve", cwd=project)
    assert status == 2
    assert "max_dept" in text
    assert "eu-west-one" in text


def test_a_file_that_is_no_yaml_is_named(project: Path) -> None:
    (project / "config/models/churn.yaml").write_text("a: [1\nb: }")
    status, text = mlops("churn", "--approve", cwd=project)
    assert status == 2
    assert "churn.yaml:2" in text


def test_without_a_terminal_somebody_must_have_approved(project: Path) -> None:
    status, text = mlops("churn", cwd=project)
    assert status == 2
    assert "add --approve" in text


@pytest.mark.parametrize("report", ["config", "cdk.json/report.html", "new/../config/environments.yaml/x/y.html"])
def test_a_report_that_cannot_be_written_is_found_out_before_the_run(project: Path, report: str) -> None:
    (project / "cdk.json").touch()
    status, text = mlops("churn", "--approve", "--report", report, cwd=project)
    assert status == 2
    assert text.startswith("--report: ")
    assert len(text.splitlines()) == 1
    assert not (project / "new").exists()


def test_what_is_not_installed_is_named_with_the_remedy(project: Path) -> None:
    (project / "node_modules").unlink()
    (project / "sitecustomize.py").write_text("import sys\nsys.modules['moto'] = None\n")
    status, text = mlops("churn", "--approve", cwd=project)
    assert status == 1
    assert "the Python package moto" in text
    assert "the CDK command line" in text
    assert "tools/setup.sh" in text


def test_a_defect_is_one_line_and_its_trace_is_in_a_file(project: Path) -> None:
    (project / "mlops/rehearsal/keep.py").write_text("raise RuntimeError('the parrot is dead')")
    status, text = mlops("churn", "--approve", cwd=project)
    assert status == 1
    assert len(text.split("\n\n")) == 1
    [trace] = (project / "reports").iterdir()
    assert f"RuntimeError: the parrot is dead. This is a defect; the trace is in {trace}" in text
    assert "Traceback" in trace.read_text()


def test_closed_standard_streams_are_no_defect(project: Path) -> None:
    assert mlops("chrun", "--approve", cwd=project, redirect="<&- >&- 2>&-") == (2, "")
    assert not (project / "reports").exists()


@pytest.mark.parametrize(
    ("typed", "approved"), [("y\n", True), ("maybe\nYes\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_only_yes_approves(monkeypatch: pytest.MonkeyPatch, typed: str, approved: bool) -> None:  # noqa: FBT001
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    display = LiveDisplay(console=Console(file=io.StringIO()), timeline=Timeline())
    assert display.ask("Approve? ") is approved


class FullDisk(io.StringIO):
    def write(self, _text: str) -> int:
        raise OSError(errno.ENOSPC, "no space left on device")


def test_an_event_is_no_failure_of_its_sender_when_it_cannot_be_written() -> None:
    timeline, lost, console = Timeline(), [], Console(file=io.StringIO(), force_terminal=False)
    with LiveDisplay(console=console, timeline=timeline, output_lost=lambda: lost.append("once")):
        console.file = FullDisk()
        timeline.emit(Kind.STEP, "Deploy", Phase.STARTED)
        timeline.emit(Kind.STEP, "Deploy", Phase.SUCCEEDED)
    assert lost == ["once"]
