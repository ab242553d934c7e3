"""What the tests share: one synthesis for the whole session."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
Template = dict[str, Any]

# No test can reach an account, whatever the shell of the person who runs it holds: done before anything is imported
# that reads the environment. The emulated AWS sets its own variables when it starts.
for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
# Where the set-up has unpacked aws-cdk-lib.
os.environ.setdefault("JSII_RUNTIME_PACKAGE_CACHE_ROOT", str(Path(sys.prefix) / ".cache" / "jsii"))
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
os.environ["AWS_DEFAULT_REGION"] = "eu-west-1"
# `.venv/bin/python -m pytest` finds the programs of its environment, Node above all, as an activated one does.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def context() -> dict[str, Any]:
    """The context that the CDK command line passes to the app."""
    configured: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]
    return configured | {"aws:cdk:enable-path-metadata": True, "aws:cdk:disable-version-reporting": True}


def assemble(output: Path, *, config: Path = ROOT / "config") -> Path:
    """Synthesize the settings in `config` to `output` in this process, and return it."""
    import aws_cdk as cdk  # noqa: PLC0415 - tests without a synthesis do not pay for it

    import app  # noqa: PLC0415

    application = cdk.App(outdir=str(output), context=context(), analytics_reporting=False)
    app.compose(application, config)
    application.synth()
    return output


def read_templates(assembly: Path) -> dict[str, Template]:
    """Every template of `assembly` by the name of its stack."""
    return {
        path.name.removesuffix(".template.json"): json.loads(path.read_text())
        for path in sorted(assembly.glob("*.template.json"))
    }


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what starts an emulated AWS in this process after what uses moto as it is, and whole rehearsals last."""
    emulated = [ROOT / "tests" / name for name in ("container", "handover", "notebooks", "rehearsal")]

    def place(item: pytest.Item) -> tuple[bool, bool]:
        slow = item.get_closest_marker("slow") is not None
        return slow, any(folder in item.path.parents for folder in emulated)

    items.sort(key=place)


@pytest.fixture(scope="session")
def assembly_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cloud assembly of the project as configured."""
    return assemble(tmp_path_factory.mktemp("assembly") / "cdk.out")


@pytest.fixture(scope="session")
def templates(assembly_dir: Path) -> dict[str, Template]:
    """Every synthesized template by the name of its stack."""
    return read_templates(assembly_dir)
