"""What the tests share: one synthesis for the whole session."""

from __future__ import annotations

import json
import os
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
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
os.environ["AWS_DEFAULT_REGION"] = "eu-west-1"


@pytest.fixture(scope="session")
def assembly_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cloud assembly of the project as configured, synthesized in this process."""
    import aws_cdk as cdk  # noqa: PLC0415 - tests without a synthesis do not pay for it

    import app  # noqa: PLC0415

    output = tmp_path_factory.mktemp("assembly") / "cdk.out"
    context = json.loads((ROOT / "cdk.json").read_text())["context"] | {"aws:cdk:enable-path-metadata": True}
    application = cdk.App(outdir=str(output), context=context, analytics_reporting=False)
    app.compose(application)
    application.synth()
    return output


@pytest.fixture(scope="session")
def templates(assembly_dir: Path) -> dict[str, Template]:
    """Every synthesized template by the name of its stack."""
    return {
        path.name.removesuffix(".template.json"): json.loads(path.read_text())
        for path in sorted(assembly_dir.glob("*.template.json"))
    }
