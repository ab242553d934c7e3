"""What ships: small handlers that import nothing that is not in the runtime or the layer."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LAMBDAS = Path(__file__).parents[2] / "lambdas"
FILES = sorted(LAMBDAS.rglob("*.py"))
FUNCTIONS = sorted(path.parent.name for path in LAMBDAS.glob("*/handler.py"))
AVAILABLE = {"botocore", "pydantic", "pydantic_core", "aws_lambda_powertools", "lambdas", *sys.stdlib_module_names}


def name_of(path: Path) -> str:
    return str(path.relative_to(LAMBDAS))


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found.add(node.module or "")
    return found


def test_all_functions_are_there() -> None:
    assert FUNCTIONS == [
        "api",
        "bake_traffic",
        "collect_configurations",
        "explain_failure",
        "find_champion",
        "inspect_change_set",
        "intake",
        "judge_trial",
        "plan_rollout",
        "quality_gate",
        "record_approval",
        "register_model",
        "replicate_model",
        "roll_back",
        "run_batch",
        "security_gate",
        "start_pipeline",
        "start_workflow",
        "training_outcome",
        "verify_batch",
        "verify_endpoint",
    ]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_only_what_the_runtime_has_is_imported(path: Path) -> None:
    assert {module.split(".")[0] for module in imports(path)} <= AVAILABLE


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_function_imports_itself_and_the_shared_modules_only(path: Path) -> None:
    own = {f"lambdas.{path.parent.name}", "lambdas.shared"}
    ours = {module for module in imports(path) if module.startswith("lambdas.")}
    assert {".".join(module.split(".")[:2]) for module in ours} <= own


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_handler_stays_small(name: str) -> None:
    assert len((LAMBDAS / name / "handler.py").read_text().splitlines()) <= 60


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_code_knows_an_endpoint_a_region_or_a_rehearsal(path: Path) -> None:
    text = path.read_text()
    assert not [
        word for word in ("endpoint_url", "region_name", "AWS_ENDPOINT", "rehears", "localhost") if word in text
    ]


def test_the_asset_alone_is_enough_for_every_function(tmp_path: Path) -> None:
    shutil.copytree(LAMBDAS, tmp_path / "lambdas", ignore=shutil.ignore_patterns("__pycache__"))
    program = (
        "import importlib, json, sys\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "from lambdas.explain_failure.handler import handle\n"
        "light = sorted({'boto3', 'botocore.client', 'pydantic'} & set(sys.modules))\n"
        f"files = [importlib.import_module(f'lambdas.{{name}}.handler').__file__ for name in {FUNCTIONS!r}]\n"
        "print(json.dumps({'light': light, 'files': files, 'heavy': sorted({'moto', 'aws_cdk'} & set(sys.modules))}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert all(file.startswith(str(tmp_path)) for file in found["files"])
    assert found["heavy"] == []
    # The function that explains failures must be quick and work when clients and models do not.
    assert found["light"] == []
