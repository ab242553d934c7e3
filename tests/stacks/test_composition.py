from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import aws_cdk as cdk
import pytest

import app
from mlops_constructs.settings import SettingsError
from tests.conftest import ROOT, context
from tests.stacks.conftest import NEIGHBOUR

SYNTHESIS = """
import runpy, sys
from pytest_socket import disable_socket
disable_socket(allow_unix_socket=True)  # the CDK talks to Node over pipes
sys.argv = ["app.py"]
runpy.run_path("app.py", run_name="__main__")
"""


def composed(config: Path, selection: str | None) -> set[str]:
    application = cdk.App(context={"models": selection} if selection else None)
    app.compose(application, config)
    return {child.node.id for child in application.node.children if isinstance(child, cdk.Stack)}


def test_models_are_selected_by_name(configured_folder: Path) -> None:
    assert composed(configured_folder, NEIGHBOUR) == {
        "mlops-data-science",
        "mlops-foundation",
        f"mlops-{NEIGHBOUR}",
        f"mlops-{NEIGHBOUR}-staging",
        f"mlops-{NEIGHBOUR}-prod",
    }


def test_several_models_are_selected_with_commas(configured_folder: Path) -> None:
    assert {"mlops-churn", f"mlops-{NEIGHBOUR}"} <= composed(configured_folder, f"churn,{NEIGHBOUR}")


def test_a_model_that_does_not_exist_is_named(configured_folder: Path) -> None:
    with pytest.raises(SettingsError, match="chrun"):
        composed(configured_folder, "chrun")


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def environment(output: Path) -> dict[str, str]:
    """An environment that differs in what a synthesis must not depend on."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(output.parent),
        # Where aws-cdk-lib lies unpacked: not a fact of the synthesis, but unpacking it takes many seconds.
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(Path(sys.prefix) / ".cache" / "jsii"),
        "CDK_OUTDIR": str(output),
        "CDK_CONTEXT_JSON": json.dumps(context()),
        "PYTHONHASHSEED": "20261123",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TZ": "Pacific/Auckland",
        "LANG": "C",
    }


def test_a_second_synthesis_without_network_is_equal_to_the_byte(assembly_dir: Path, tmp_path: Path) -> None:
    output = tmp_path / "cdk.out"
    command = [sys.executable, "-c", SYNTHESIS]
    without_network = ["unshare", "-rn"]
    if shutil.which("unshare") and subprocess.run([*without_network, "true"], check=False).returncode == 0:
        command = [*without_network, *command]  # where the kernel allows it, Node has no network either
    answer = subprocess.run(command, env=environment(output), cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert (output / "mlops-churn.template.json").exists()
    first, second = content(assembly_dir), content(output)
    assert [name for name in {**first, **second} if first.get(name) != second.get(name)] == []


def test_a_synthesis_that_opens_a_socket_would_be_noticed(tmp_path: Path) -> None:
    probe = SYNTHESIS.partition("sys.argv")[0] + "import socket; socket.create_connection(('127.0.0.1', 9))"
    answer = subprocess.run(
        [sys.executable, "-c", probe], env=environment(tmp_path / "out"), capture_output=True, text=True, check=False
    )
    assert "SocketBlockedError" in answer.stderr
