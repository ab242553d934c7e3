"""A project with everything that a fork can switch on, synthesized once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT, Template, assemble, read_templates

BOUNDARY = "arn:aws:iam::111122223333:policy/team/boundary"
CONNECTION = "arn:aws:codeconnections:eu-west-1:111122223333:connection/01234567-0123-0123-0123-0123456789ab"
NETWORK = {
    "vpc_id": "vpc-0123456789abcdef0",
    "subnet_ids": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
    "security_group_ids": ["sg-0123456789abcdef0"],
}
MODELS = sorted(path.stem for path in (ROOT / "config" / "models").glob("*.yaml"))
"""The models of the project as it comes: of both recipes, on both routes."""
NEIGHBOUR = "churn-of-customers-1"
"""A model with the longest possible name, which begins with the name of the other model."""


def read(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text()))


@pytest.fixture(scope="session")
def configured_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models of the project, churn from a repository, on spare capacity and in a VPC; and its neighbour."""
    folder = shutil.copytree(ROOT / "config", tmp_path_factory.mktemp("configured") / "config")
    environments = read(folder / "environments.yaml")
    tools = environments["tools"] | {"permissions_boundary": BOUNDARY, "network": NETWORK, "notify": ["a@example.com"]}
    environments |= dict.fromkeys(("tools", "data_science", "dev", "staging", "prod"), tools)
    (folder / "environments.yaml").write_text(yaml.safe_dump(environments))
    churn = read(folder / "models" / "churn.yaml")
    neighbour = churn | {
        "name": NEIGHBOUR,
        "source": {"type": "s3", "key": "neighbour/source.zip"},
        "data": churn["data"] | {"key": "neighbour/data.csv"},
        "deploy": {"environments": ["staging", "prod"], "approval_before": "staging"},
    }
    churn["source"] = {
        "type": "codeconnections",
        "connection_arn": CONNECTION,
        "repository": "example/churn",
        "branch": "main",
    }
    churn["training"] |= {"instance_count": 2, "spot": True, "max_wait_minutes": 120}
    churn["removal_policy"] = "destroy"
    for model in (churn, neighbour):
        (folder / "models" / f"{model['name']}.yaml").write_text(yaml.safe_dump(model, sort_keys=False))
    return folder


@pytest.fixture(scope="session")
def configured(configured_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Template]:
    """Every template of the configured project by the name of its stack."""
    output = tmp_path_factory.mktemp("configured-assembly") / "cdk.out"
    return read_templates(assemble(output, config=configured_folder))
