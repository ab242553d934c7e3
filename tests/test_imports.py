"""The architecture as a test: import-linter for the packages, a reading of the source for what is no package."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("benchmarks", "mlops", "stacks", "constructs", "lambdas")
IN_THE_IMAGE = {"flask", "numpy", "pandas", "sklearn", "xgboost"}
"""What the SageMaker XGBoost image brings along, in which the processing programs run."""
VIOLATIONS = {
    "benchmarks and mlops build on stacks": ("stacks/serving.py", "import mlops.rehearse"),
    "the functions stand alone": ("lambdas/shared/text.py", "import mlops_constructs.names"),
    "the functions are an asset": ("mlops/rehearse.py", "import lambdas.shared.text"),
    "the settings need no CDK": ("constructs/mlops_constructs/settings/gates.py", "import mlops_constructs.roles"),
    "only the rehearsal knows moto": ("mlops/__main__.py", "import moto.core"),
    "a synthesis asks nobody": ("constructs/mlops_constructs/jobs.py", "import datetime"),
}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(
        command,
        cwd=folder,
        env={"PYTHONPATH": f"{folder}:{folder / 'constructs'}", "COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=False,
    )


def verdicts(output: str, verdict: str) -> list[str]:
    return [line.removesuffix(verdict).strip() for line in output.splitlines() if line.endswith(f" {verdict}")]


def test_every_import_contract_is_kept() -> None:
    answer = lint_imports(ROOT)
    assert verdicts(answer.stdout, "BROKEN") == []
    assert len(verdicts(answer.stdout, "KEPT")) == len(VIOLATIONS), answer.stdout + answer.stderr
    assert answer.returncode == 0


def test_every_import_contract_can_be_broken(tmp_path: Path) -> None:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for path, statement in VIOLATIONS.values():
        with (tmp_path / path).open("a") as file:
            file.write(f"\n{statement}\n")
    answer = lint_imports(tmp_path)
    broken = verdicts(answer.stdout, "BROKEN")
    assert [name for name in VIOLATIONS if not any(one.startswith(name) for one in broken)] == [], answer.stdout
    assert answer.returncode != 0


def test_every_import_contract_has_a_violation_that_breaks_it() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert all(any(one["name"].startswith(name) for name in VIOLATIONS) for one in contracts)
    assert len(contracts) == len(VIOLATIONS)


def imported(source: str) -> set[str]:
    """The top-level modules that `source` imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("." if node.level else str(node.module).partition(".")[0])
    return found


def foreign(source: str, known: Iterable[str]) -> set[str]:
    return imported(source) - sys.stdlib_module_names - set(known)


@pytest.mark.parametrize("path", sorted((ROOT / "containers" / "processing").glob("*.py")), ids=lambda path: path.stem)
def test_a_program_imports_its_neighbours_and_what_its_image_has(path: Path) -> None:
    neighbours = {one.stem for one in path.parent.glob("*.py")}
    assert foreign(path.read_text(), neighbours | IN_THE_IMAGE) == set()


def test_an_import_of_the_cdk_in_a_program_would_be_noticed() -> None:
    source = (
        "from __future__ import annotations\nif True:\n    import aws_cdk.aws_s3\nfrom lambdas.shared import text\n"
    )
    assert foreign(source, IN_THE_IMAGE) == {"aws_cdk", "lambdas"}


def test_the_app_imports_stacks_and_settings_only() -> None:
    assert foreign((ROOT / "app.py").read_text(), ()) == {"aws_cdk", "mlops_constructs", "stacks"}


def test_nothing_that_ships_imports_the_app_or_the_tests() -> None:
    folders = ("mlops", "stacks", "constructs", "lambdas", "containers")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert [path.name for path in paths if imported(path.read_text()) & {"app", "tests", "benchmarks"}] == []
