"""The product's programs need no network: they read and write the channels that SageMaker gives them."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

TALKING = {
    *("asyncio", "ftplib", "http", "smtplib", "socket", "socketserver", "ssl", "telnetlib", "urllib", "xmlrpc"),
    *("aiohttp", "boto3", "botocore", "httpx", "requests", "sagemaker", "torch.distributed"),
}
TOGETHER = "segmentation.world"
"""What the nodes of one training job tell each other, which network isolation allows:
https://docs.aws.amazon.com/sagemaker/latest/dg/mkt-algo-model-internet-free.html"""
ALONE = ["unshare", "-rn"]


def imported(path: Path) -> set[str]:
    """The modules that a program imports, anywhere in it, with all parts of their names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {".".join(name.split(".")[: length + 1]) for name in found for length in range(name.count(".") + 1)}


def programs(entry: Path) -> set[Path]:
    """A program and all modules of its container that it imports, directly or not."""
    found, waiting = set[Path](), [entry]
    while waiting:
        path = waiting.pop()
        found.add(path)
        modules = {entry.parent / f"{name.replace('.', '/')}.py" for name in imported(path) if name != TOGETHER}
        waiting += [module for module in modules - found if module.exists()]
    return found


PROGRAMS = sorted(
    {
        *(ROOT / "containers/processing").glob("*.py"),
        *programs(ROOT / "containers/tabular/train"),
        *programs(ROOT / "containers/vision/train"),
    }
)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: str(path.relative_to(ROOT / "containers")))
def test_a_program_that_trains_or_processes_imports_nothing_that_talks(path: Path) -> None:
    assert imported(path) & TALKING == set()


def test_the_programs_are_found() -> None:
    names = {path.stem for path in PROGRAMS}
    assert {"prepare", "evaluate", "training", "train"} <= names
    assert "server" not in names


def test_a_program_that_talks_would_be_noticed(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("def run():\n    from urllib.request import urlopen\n    import torch.distributed as d\n")
    assert imported(program) & TALKING == {"urllib", "torch.distributed"}


@pytest.mark.skipif(
    shutil.which("unshare") is None or subprocess.run([*ALONE, "true"], check=False).returncode != 0,
    reason="the kernel allows no network namespace here",
)
@pytest.mark.parametrize(
    "tests", ["tests/containers/test_prepare_program.py", "tests/xgboost_algorithm/test_xgboost_training.py"]
)
def test_programs_pass_their_tests_on_a_machine_without_network(tests: str) -> None:
    command = [*ALONE, sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", tests]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout[-2000:]
