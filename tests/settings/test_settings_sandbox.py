"""The section `sandbox` of environments.yaml: what is refused, and in which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_constructs.settings import SettingsError, load_settings
from mlops_constructs.settings.sandbox import NOTEBOOK_TYPES, Persona
from tests.settings.settings_mistakes import ENVIRONMENTS

NETWORK = {"cidr": "10.60.0.0/16"}
SANDBOX: dict[str, Any] = {"cost_centers": {"8457": 500}, "notify": ["team@example.com"]}
TOOLS = "111122223333"


def load(folder: Path, sandbox: dict[str, Any], *, place: dict[str, Any] | None = None) -> Any:
    path = folder / ENVIRONMENTS
    environments = yaml.safe_load(path.read_text())
    science = {"account": TOOLS, "region": "eu-west-1", "network": NETWORK} if place is None else place
    environments |= {"sandbox": sandbox} | ({"data_science": science} if science else {})
    for name in ("tools", "dev", "staging", "prod"):
        environments[name].pop("network", None)
        if science.get("network"):
            environments[name]["network"] = science["network"]
    path.write_text(yaml.safe_dump(environments))
    return load_settings(folder).environments.sandbox


def problem(folder: Path, sandbox: dict[str, Any], **options: Any) -> str:
    with pytest.raises(SettingsError) as raised:
        load(folder, sandbox, **options)
    assert len(raised.value.problems) == 1, str(raised.value)
    (found,) = raised.value.problems
    return str(found)


def test_a_sandbox_needs_cost_centers_and_somebody_to_tell(folder: Path) -> None:
    found = load(folder, SANDBOX)
    assert found.cost_centers == {"8457": 500}
    assert [found.personas.named(persona) for persona in Persona] == [()] * 4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cost_centers": {}}, "sandbox.cost_centers"),
        ({"cost_centers": {"8457": 0}}, "sandbox.cost_centers.8457"),
        ({"notify": []}, "sandbox.notify"),
        ({"notify": ["nobody", "team@example.com"]}, "an e-mail address"),
        ({"instance_types": ["ml.t3.mediun"]}, "did you mean ml.t3.medium?"),
        ({"instance_types": ["ml.p4d.24xlarge"]}, "is not an instance type for a sandbox"),
        ({"job_instance_types": ["ml.m5.huge"]}, "is not offered for jobs and endpoints in eu-west-1"),
        ({"volume_gib": 5000}, "sandbox.volume_gib"),
        ({"idle_minutes": 5}, "sandbox.idle_minutes"),
        ({"personas": {"approver": [f"arn:aws:iam::{TOOLS}:role/*"]}}, "not at its start"),
        ({"personas": {"approver": [f"arn:aws:iam::{TOOLS}:root"]}}, "a role or user of people"),
        ({"personas": {"approver": ["*"]}}, "a role or user of people"),
        ({"personas": {"boss": ["*"]}}, "sandbox.personas.boss"),
    ],
)
def test_a_mistake_in_the_section_is_explained(folder: Path, change: dict[str, Any], words: str) -> None:
    assert words in problem(folder, SANDBOX | change)


def test_a_sandbox_needs_an_account_and_a_network(folder: Path) -> None:
    text = problem(folder, SANDBOX, place={"account": TOOLS, "region": "eu-west-1"})
    assert "add 'network:' to data_science" in text


def test_a_sandbox_needs_data_scientists(folder: Path) -> None:
    assert "add 'data_science:'" in problem(folder, SANDBOX, place={})


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("role/team-ml", "role/team-ml"),
        ("role/team-*", "role/team-ml"),
        ("role/team-ml", "role/team-*"),
        ("user/people/alice", "user/people/*"),
    ],
)
def test_nobody_is_two_personas(folder: Path, first: str, second: str) -> None:
    arn = f"arn:aws:iam::{TOOLS}:"
    personas = {"ml_engineer": [arn + first], "approver": [arn + second]}
    assert "may become the ml-engineer as well" in problem(folder, SANDBOX | {"personas": personas})


def test_different_people_are_different_personas(folder: Path) -> None:
    arn = f"arn:aws:iam::{TOOLS}:role/"
    personas = {"ml_engineer": [f"{arn}engineers"], "approver": [f"{arn}risk"]}
    assert load(folder, SANDBOX | {"personas": personas}).personas.named(Persona.APPROVER) == (f"{arn}risk",)


def test_the_suggested_types_are_notebook_types(folder: Path) -> None:
    assert set(load(folder, SANDBOX).instance_types) <= set(NOTEBOOK_TYPES)


def test_sagemaker_knows_every_type_for_notebooks_and_for_studio() -> None:
    import boto3  # noqa: PLC0415

    model = boto3.client("sagemaker", region_name="eu-west-1").meta.service_model
    for shape in ("InstanceType", "AppInstanceType"):
        assert set(NOTEBOOK_TYPES) <= set(model.shape_for(shape).enum)
