"""Projects with sandboxes, in one account and in several, each synthesized once."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
import yaml

from mlops_constructs.settings import load_settings
from stacks.composition import compose_settings
from tests.conftest import ROOT, Template, context, read_templates
from tests.sandbox.policies import Reader, accounts_of

TOOLS, SCIENCE, PROD = "111122223333", "222233334444", "444455556666"
REGION = "eu-west-1"
ORGANIZATION = "o-a1b2c3d4e5"
SANDBOX: dict[str, Any] = {"cost_centers": {"8457": 500, "research": 200}, "notify": ["team@example.com"]}
NETWORK = {"cidr": "10.60.0.0/16"}


@dataclass(frozen=True)
class World:
    """A synthesized project."""

    assembly: Path
    templates: dict[str, Template]
    science: str
    """The account of the data scientists."""


def write_config(folder: Path, *, science: str, sandbox: dict[str, Any], network: dict[str, Any] | None) -> Path:
    """The project's settings with sandboxes, and production in an account of its own."""
    config = shutil.copytree(ROOT / "config", folder / "config")
    place = {"account": science, "region": REGION} | ({"network": network} if network else {})
    tools = {"account": TOOLS, "region": REGION} | (place if science == TOOLS else {})
    environments = {
        "project": "mlops",
        "organization": ORGANIZATION,
        "sandbox": sandbox,
        "data_science": place,
        **dict.fromkeys(("tools", "dev", "staging"), tools),
        "prod": {"account": PROD, "region": REGION},
    }
    (config / "environments.yaml").write_text(yaml.safe_dump(environments))
    return config


def compose(application: cdk.App, config: Path) -> None:
    compose_settings(application, load_settings(config, models=["abalone", "churn"]))


def synthesize(folder: Path, **settings: Any) -> World:
    config = write_config(folder, **settings)
    application = cdk.App(outdir=str(folder / "cdk.out"), context=context(), analytics_reporting=False)
    compose(application, config)
    application.synth()
    return World(folder / "cdk.out", read_templates(folder / "cdk.out"), settings["science"])


@pytest.fixture(scope="session")
def apart(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Data scientists in an account of their own, in a network that the project makes."""
    return synthesize(tmp_path_factory.mktemp("apart"), science=SCIENCE, sandbox=SANDBOX, network=NETWORK)


@pytest.fixture(scope="session")
def together(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Data scientists in the account of the tools, in somebody else's network; people named by role and by user."""
    network = {"vpc_id": "vpc-0123456789abcdef0", "subnet_ids": ["subnet-0123456789abcdef0"],
               "security_group_ids": ["sg-0123456789abcdef0"]}  # fmt: skip
    people = {
        "data_scientist": [f"arn:aws:iam::{TOOLS}:user/science/*"],
        "approver": [f"arn:aws:iam::{TOOLS}:role/lead-of-risk"],
    }
    sandbox = SANDBOX | {"personas": people}
    return synthesize(tmp_path_factory.mktemp("together"), science=TOOLS, sandbox=sandbox, network=network)


@pytest.fixture(params=["apart", "together"])
def world(request: pytest.FixtureRequest) -> World:
    found: World = request.getfixturevalue(request.param)
    return found


def template_of_product(world: World, name: str) -> Template:
    """The template of the product `name`, which is an asset of the stack that publishes it."""
    (path,) = world.assembly.glob(f"*{name}*.product.template.json")
    return dict(json.loads(path.read_text()))


def reader(world: World) -> Reader:
    return Reader(world.templates, accounts_of(world.assembly, world.templates))


@pytest.fixture(scope="session")
def people(apart: World) -> Reader:
    """The roles of the project in several accounts."""
    return reader(apart)
