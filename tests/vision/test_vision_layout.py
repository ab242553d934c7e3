from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from segmentation.hyperparameters import RULES

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "containers" / "vision"
WITHOUT_TORCH = {"average_precision", "cluster", "hyperparameters", "job", "penn_fudan", "pictures", "run_length"}
WITHOUT_TORCH |= {"serve_program", "server", "shapes", "stopping", "train_program"}
IN_THE_IMAGE = {"PIL", "numpy", "segmentation", "starlette", "torch", "torchvision", "uvicorn"}


def pins(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+) \\$", path.read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", ["torch", "torchvision", "pillow"])
def test_the_tests_run_with_what_the_image_has(name: str) -> None:
    assert pins(FOLDER / "requirements.txt")[name] == pins(ROOT / "requirements" / "vision.txt")[name]


def test_every_requirement_of_the_image_is_hashed_and_names_no_host() -> None:
    text = (FOLDER / "requirements.txt").read_text()
    assert "://" not in text
    requirements = re.split(r"\n(?=[a-z0-9])", text.replace("\\\n", " ").strip())
    assert [one for one in requirements if "==" not in one or "--hash=sha256:" not in one] == []


def test_the_modules_that_need_no_pytorch_import_none() -> None:
    modules = ", ".join(f"segmentation.{name}" for name in sorted(WITHOUT_TORCH))
    probe = f"import sys, {modules}; print('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", probe], cwd=FOLDER, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


@pytest.mark.parametrize("path", sorted((FOLDER / "segmentation").glob("*.py")), ids=lambda path: path.stem)
def test_the_container_imports_itself_and_what_its_image_has(path: Path) -> None:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} - sys.stdlib_module_names - IN_THE_IMAGE == set()


@pytest.mark.parametrize("program", ["train", "serve"])
def test_the_programs_can_be_executed(program: str) -> None:
    assert (FOLDER / program).stat().st_mode & 0o111


def test_the_image_gets_what_its_dockerfile_copies_and_nothing_else() -> None:
    dockerfile = (FOLDER / "Dockerfile").read_text()
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE)
    copied = {name for line in lines for name in line.split() if not name.startswith("--")}
    allowed = {line[1:] for line in (FOLDER / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == {"${REQUIREMENTS}", "train", "serve", "segmentation"}
    assert allowed == {"requirements*.txt", "train", "serve", "segmentation"}


def test_the_image_is_pinned_runs_as_nobody_special_and_tells_its_health() -> None:
    dockerfile = (FOLDER / "Dockerfile").read_text()
    assert re.search(r"^ARG BASE=\S+@sha256:[0-9a-f]{64}$", dockerfile, re.MULTILINE)
    assert re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE) == ["${BASE}", "${BASE}"]
    users = re.findall(r"^USER (\S+)$", dockerfile, re.MULTILINE)
    assert users
    assert int(users[-1]) > 0
    assert "HEALTHCHECK" in dockerfile
    assert "--require-hashes" in dockerfile


def test_the_page_of_the_container_tells_every_hyperparameter() -> None:
    page = (FOLDER / "README.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", page, re.MULTILINE))
    assert rows == {name: str(rule.default) for name, rule in RULES.items()}
