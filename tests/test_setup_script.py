"""tools/setup.sh with programs that only write down how they were called."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RECORDER = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
case "$*" in *"venv "*) mkdir -p .venv-checkov .venv-notebook ;; esac
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose environment exists and is out of date."""
    for name in ("requirements", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("pyproject.toml", "package-lock.json"):
        shutil.copy(ROOT / name, tmp_path)
    container = tmp_path / "containers" / "tabular"
    container.mkdir(parents=True)
    shutil.copy(ROOT / "containers" / "tabular" / "requirements.txt", container)
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "uv", "npm"):
        (programs / name).write_text(RECORDER)
        (programs / name).chmod(0o755)
    return tmp_path


def set_up(project: Path, *arguments: str, python: str = sys.executable) -> tuple[list[str], str]:
    """Run the script and return (the programs that it called, what it said)."""
    calls = project / "calls"
    calls.write_text("")
    answer = subprocess.run(
        [project / "tools" / "setup.sh", *arguments],
        env={"PATH": os.environ["PATH"], "PYTHON": python, "CALLS": str(calls)},
        capture_output=True,
        text=True,
        check=False,
    )
    return calls.read_text().splitlines(), answer.stdout + answer.stderr


def test_a_first_run_installs_what_is_pinned(project: Path) -> None:
    calls, _ = set_up(project)
    text = "\n".join(calls)
    assert "uv pip sync" in text
    assert "npm ci" in text
    assert all("--require-hashes" in call for call in calls if "-r " in call or "pip sync" in call)


def test_a_second_run_calls_nothing_and_says_nothing(project: Path) -> None:
    set_up(project)
    assert set_up(project) == ([], "")


def test_the_checkers_are_set_up_once_and_only_when_asked_for(project: Path) -> None:
    calls, _ = set_up(project)
    assert "checkov" not in "\n".join(calls)
    calls, _ = set_up(project, "checkers")
    assert any("checkov" in call for call in calls)
    assert set_up(project, "checkers") == ([], "")


@pytest.mark.parametrize(
    "name",
    [
        "pyproject.toml",
        "package-lock.json",
        "requirements/dev.txt",
        "containers/tabular/requirements.txt",
        "tools/setup.sh",
    ],
)
def test_a_changed_pin_sets_up_again(project: Path, name: str) -> None:
    set_up(project)
    with (project / name).open("a") as file:
        file.write("\n")
    calls, _ = set_up(project)
    assert calls


def test_an_interrupted_run_is_not_taken_for_a_finished_one(project: Path) -> None:
    npm = project / ".venv" / "bin" / "npm"
    npm.write_text("#!/bin/sh\nexit 1\n")
    set_up(project)
    npm.write_text(RECORDER)
    calls, _ = set_up(project)
    assert any(call.startswith("npm") for call in calls)


def test_an_old_python_is_refused_with_the_way_out(project: Path) -> None:
    old = project / "python3.9"
    old.write_text('#!/bin/sh\ncase "$1" in --version) echo "Python 3.9.1" ;; *) exit 1 ;; esac\n')
    old.chmod(0o755)
    calls, said = set_up(project, python=str(old))
    assert calls == []
    assert "Python 3.11 or newer is needed" in said
    assert "set PYTHON=" in said
