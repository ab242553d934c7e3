"""A model at stage manual has no stack of its own, and moving up adds stacks without touching what is there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT, Template, assemble, read_templates

MODEL, NEIGHBOUR = "diabetes", "iris"
Templates = dict[str, Template]


def synthesized(folder: Path, stage: str, *, models: tuple[str, ...]) -> Templates:
    """Everything of the project with these models alone, when MODEL is at `stage`."""
    config = shutil.copytree(ROOT / "config", folder / "config", ignore=shutil.ignore_patterns("*.yaml"))
    shutil.copy(ROOT / "config" / "environments.yaml", config)
    for model in models:
        settings: dict[str, Any] = yaml.safe_load((ROOT / "config" / "models" / f"{model}.yaml").read_text())
        if model == MODEL:
            settings["stage"] = stage
            if stage == "manual":
                settings = {name: settings[name] for name in ("name", "stage", "description", "data")}
        (config / "models" / f"{model}.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    return read_templates(assemble(folder / "cdk.out", config=config))


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Templates, Templates]:
    """The same project twice: with one of its models at stage manual, and at stage repeatable."""
    folder = tmp_path_factory.mktemp("manual")
    models = (MODEL, NEIGHBOUR)
    before, after = (synthesized(folder / stage, stage, models=models) for stage in ("manual", "repeatable"))
    return before, after


def test_a_model_at_stage_manual_has_no_stack(moved: tuple[Templates, Templates]) -> None:
    assert [stack for stack in moved[0] if MODEL in stack] == []


def test_a_project_of_models_at_stage_manual_has_what_they_share(tmp_path: Path) -> None:
    templates = synthesized(tmp_path, "manual", models=(MODEL,))
    types = [resource["Type"] for resource in templates["mlops-foundation"]["Resources"].values()]
    assert {"AWS::S3::Bucket", "AWS::KMS::Key"} <= set(types)
    assert [stack for stack in templates if NEIGHBOUR in stack or MODEL in stack] == []


def test_moving_up_adds_the_stacks_of_the_model(moved: tuple[Templates, Templates]) -> None:
    before, after = moved
    assert set(after) - set(before) == {f"mlops-{MODEL}", f"mlops-{MODEL}-dev", f"mlops-{MODEL}-staging"}


def test_moving_up_removes_and_changes_nothing(moved: tuple[Templates, Templates]) -> None:
    before, after = moved
    assert set(before) <= set(after)
    changed = {
        f"{stack}: {name}"
        for stack, template in before.items()
        for name, resource in template["Resources"].items()
        if after[stack]["Resources"].get(name) != resource
    }
    assert changed == set()


def test_a_changed_resource_would_be_noticed(moved: tuple[Templates, Templates]) -> None:
    """The comparison sees resources: without any, it would agree with everything."""
    assert sum(len(template["Resources"]) for template in moved[0].values()) > 50
