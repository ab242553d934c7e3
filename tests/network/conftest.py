"""The churn project in each of the networks that settings can ask for."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_constructs.settings import load_settings
from mlops_constructs.settings.environments import Environments
from tests.conftest import ROOT, Template, assemble, read_templates

MADE: dict[str, Any] = {"cidr": "10.60.0.0/16", "zones": 2}
EXISTING: dict[str, Any] = {
    "vpc_id": "vpc-0123456789abcdef0",
    "subnet_ids": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
    "security_group_ids": ["sg-0123456789abcdef0"],
}
ACCOUNTS = {"tools": "111122223333", "data_science": "222233334444", "staging": "333344445555", "prod": "444455556666"}
ENVIRONMENTS = ("tools", "data_science", "dev", "staging", "prod")


def configure(folder: Path, environments: dict[str, Any]) -> Path:
    """Write the settings of one pipeline, and of one release where it can be, with these environments."""
    (folder / "models").mkdir(parents=True)
    alone = len({one["account"] for one in environments.values()}) == 1
    for model in ("churn", *(["diabetes"] if alone else [])):
        shutil.copy(ROOT / "config" / "models" / f"{model}.yaml", folder / "models")
    (folder / "environments.yaml").write_text(yaml.safe_dump({"project": "mlops", **environments}))
    return folder


def alike(network: dict[str, Any] | None) -> dict[str, Any]:
    """All environments in one account and network."""
    one = {"account": ACCOUNTS["tools"], "region": "eu-west-1"} | ({"network": network} if network else {})
    return dict.fromkeys(ENVIRONMENTS, one)


def apart(region: str = "eu-west-1") -> dict[str, Any]:
    """Each environment in an account of its own, all but staging with a network; prod in `region`."""
    environments = {
        name: {"account": ACCOUNTS.get(name, ACCOUNTS["tools"]), "region": "eu-west-1", "network": MADE}
        for name in ENVIRONMENTS
    }
    del environments["staging"]["network"]
    environments["prod"]["region"] = region
    return environments


def read_environments(folder: Path, environments: dict[str, Any]) -> Environments:
    """The environments as they are loaded."""
    return load_settings(configure(folder / "config", environments), models=["churn"]).environments


@pytest.fixture(scope="session")
def synthesize(tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict[str, Any]], Path]:
    """Synthesize a project with these environments."""

    def run(environments: dict[str, Any]) -> Path:
        folder = tmp_path_factory.mktemp("network")
        return assemble(folder / "cdk.out", config=configure(folder / "config", environments))

    return run


@pytest.fixture(scope="session")
def open_templates(synthesize: Callable[[dict[str, Any]], Path]) -> dict[str, Template]:
    """Without a network of its own."""
    return read_templates(synthesize(alike(None)))


@pytest.fixture(scope="session")
def existing_templates(synthesize: Callable[[dict[str, Any]], Path]) -> dict[str, Template]:
    """In a network that exists."""
    return read_templates(synthesize(alike(EXISTING)))


@pytest.fixture(scope="session")
def private_assembly(synthesize: Callable[[dict[str, Any]], Path]) -> Path:
    """In a network that the project makes."""
    return synthesize(alike(MADE))


@pytest.fixture(scope="session")
def private_templates(private_assembly: Path) -> dict[str, Template]:
    return read_templates(private_assembly)


@pytest.fixture(scope="session")
def network_template(private_templates: dict[str, Template]) -> dict[str, Template]:
    """The stack that makes the network, alone."""
    return {"mlops-network": private_templates["mlops-network"]}
