from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import constructs
import pytest

import mlops_constructs
import mlops_constructs.settings

ROOT = Path(__file__).resolve().parents[1]
TOP_LEVEL = {
    *("README.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "app.py", "cdk.json", "pyproject.toml"),
    *("package.json", "package-lock.json", "requirements", "tools", "config", "constructs", "stacks"),
    *("lambdas", "containers", "mlops", "notebooks", "tests", "docs", "benchmarks"),
}
CDK_CLI = "2.1148.1"
IAM_SIMULATE = "0.1.173"
MOTO = "5.2.5"
REQUIREMENTS = sorted((ROOT / "requirements").glob("*.txt"))


def test_the_folder_constructs_is_no_package() -> None:
    """With an __init__.py it would take the place of the PyPI package of that name, which aws-cdk-lib imports."""
    assert not (ROOT / "constructs" / "__init__.py").exists()
    assert [path.name for path in (ROOT / "constructs").glob("*.py")] == []


def test_constructs_is_the_package_that_aws_cdk_lib_needs() -> None:
    assert constructs.__file__
    assert ROOT / "constructs" not in Path(constructs.__file__).parents
    assert constructs.Construct.__module__ == "constructs"


def test_mlops_constructs_is_the_one_of_this_project() -> None:
    assert mlops_constructs.__file__ == str(ROOT / "constructs" / "mlops_constructs" / "__init__.py")


def test_the_top_level_is_the_documented_one() -> None:
    ignored = {line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines()}
    present = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")} - ignored
    assert present == TOP_LEVEL


def test_the_tests_are_no_packages() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_pins_are_requirements_and_not_a_second_lock() -> None:
    assert not (ROOT / "uv.lock").exists()


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: path.name)
def test_every_requirement_is_exact_and_hashed_and_names_no_host(path: Path) -> None:
    text = path.read_text()
    assert "://" not in text
    assert "--index-url" not in text
    requirements = re.split(r"\n(?=[a-zA-Z0-9])", text.replace("\\\n", " ").strip())
    assert requirements
    for requirement in requirements:
        assert re.match(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==\S+", requirement), requirement[:80]
        assert "--hash=sha256:" in requirement, requirement[:80]


def test_the_lock_of_the_cdk_command_line_names_no_host() -> None:
    text = (ROOT / "package-lock.json").read_text()
    assert '"resolved"' not in text
    assert "://" not in text.replace("git+https://", "")
    packages = [one for name, one in json.loads(text)["packages"].items() if name]
    assert packages
    assert all(one["integrity"] for one in packages)


def test_the_cdk_command_line_is_pinned() -> None:
    manifest = json.loads((ROOT / "package.json").read_text())
    lock = json.loads((ROOT / "package-lock.json").read_text())
    assert manifest["devDependencies"] == {"@cloud-copilot/iam-simulate": IAM_SIMULATE, "aws-cdk": CDK_CLI}
    assert lock["packages"]["node_modules/aws-cdk"]["version"] == CDK_CLI


def test_moto_is_pinned_where_it_is_asked_for_locked_and_installed() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    assert f"moto[server]=={MOTO}" in groups["rehearsal"]
    assert re.search(
        rf"^moto(\[[a-z,]+\])?=={re.escape(MOTO)} ", (ROOT / "requirements" / "dev.txt").read_text(), re.MULTILINE
    )
    assert version("moto") == MOTO


def test_every_lint_exception_has_a_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    rules = re.findall(r'^  "[A-Z]+[0-9]*",(.*)$', text, re.MULTILINE)
    assert len(rules) > 10
    assert all(re.match(r"\s+# \w+", rest) for rest in rules)


def lazily_imported(module: ModuleType) -> set[str]:
    """The names that a type checker sees: those imported below `if TYPE_CHECKING`."""
    assert module.__file__
    tree = ast.parse(Path(module.__file__).read_text())
    block = next(one for one in tree.body if isinstance(one, ast.If) and ast.unparse(one.test) == "TYPE_CHECKING")
    return {alias.name for one in block.body if isinstance(one, ast.ImportFrom) for alias in one.names}


@pytest.mark.parametrize("module", [mlops_constructs, mlops_constructs.settings], ids=lambda module: module.__name__)
def test_the_public_surface_is_what_can_be_imported(module: ModuleType) -> None:
    public = list(module.__all__)
    assert public == sorted(set(public))
    assert lazily_imported(module) == set(public)
    assert [name for name in public if getattr(module, name, None) is None] == []
    with pytest.raises(AttributeError, match="it offers"):
        _ = module.NotThere


@pytest.mark.parametrize("name", mlops_constructs.__all__)
def test_everything_public_says_what_it_is(name: str) -> None:
    assert getattr(mlops_constructs, name).__doc__


def test_the_settings_load_without_the_cdk() -> None:
    """A training program or an editor's tool reads them without the three seconds of aws-cdk-lib."""
    probe = "import sys, mlops_constructs.settings as s; s.load_settings; print('aws_cdk' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


def test_the_wheel_holds_the_packages_and_nothing_else(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("mlops_stages-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {
        "lambdas",
        "mlops",
        "mlops_constructs",
        "stacks",
    }
    assert {"mlops/py.typed", "mlops_constructs/py.typed", "stacks/py.typed", "lambdas/py.typed"} <= set(names)
    assert "lambdas/quality_gate/handler.py" in names
    assert not [name for name in names if "__pycache__" in name]


@pytest.mark.parametrize("package", ["benchmarks", "lambdas", "mlops", "mlops_constructs", "stacks"])
def test_every_package_says_what_it_is(package: str) -> None:
    assert importlib.import_module(package).__doc__
