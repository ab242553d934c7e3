"""A model that moves up from stage repeatable to stage reliable keeps everything that holds data or serves."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops.rehearsal.cloudformation_schemas import create_only, recreation, schema
from tests.compliance.reading import Resource, Template, resources, stacks_with
from tests.conftest import ROOT, assemble, read_templates

LASTING = (
    "AWS::S3::Bucket",
    "AWS::S3::BucketPolicy",
    "AWS::KMS::Key",
    "AWS::KMS::Alias",
    "AWS::SageMaker::ModelPackageGroup",
    "AWS::ECR::Repository",
    "AWS::Logs::LogGroup",
    "AWS::SQS::Queue",
    "AWS::DynamoDB::Table",
    "AWS::SNS::Topic",
    "AWS::SageMaker::Endpoint",
    "AWS::SageMaker::EndpointConfig",
    "AWS::SageMaker::Model",
)
"""What holds data or serves; the other resources only do something."""
ROUTE = "/Model/Release/"
"""Where the state machine stands that stage reliable has no use for."""
MOVED = ("diabetes", "iris")

Templates = dict[str, Template]


def synthesized(folder: Path, model: str, stage: str) -> Templates:
    """Everything of the project when the model `model` is at `stage`."""
    config = shutil.copytree(ROOT / "config", folder / stage / "config")
    path = config / "models" / f"{model}.yaml"
    settings: dict[str, Any] = yaml.safe_load(path.read_text())
    settings["stage"] = stage
    if stage == "reliable":
        settings.pop("triggers", None)
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    return read_templates(assemble(folder / stage / "cdk.out", config=config))


@pytest.fixture(scope="module", params=MOVED)
def moved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Templates, Templates]:
    """The same project twice: with one of its models at stage repeatable, and at stage reliable."""
    folder = tmp_path_factory.mktemp(f"stages-{request.param}")
    return synthesized(folder, request.param, "repeatable"), synthesized(folder, request.param, "reliable")


def lasting(templates: Templates) -> dict[tuple[str, str], Resource]:
    return {(one.stack, one.logical_id): one for one in resources(templates, *LASTING)}


def replaced(before: Resource, after: Resource) -> list[str]:
    """The properties of a resource whose change makes CloudFormation replace it."""
    kind = before.body["Type"]
    if after.body["Type"] != kind:
        return ["Type"]
    old, new = before.properties, after.properties
    changed = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return [name for name in changed if recreation(kind, name, old.get(name), new.get(name)) != "Never"]


def losses(before: Templates, after: Templates) -> Iterator[str]:
    """What an update from `before` to `after` removes or replaces of that which has to last."""
    old, new = lasting(before), lasting(after)
    for where, resource in old.items():
        if where not in new:
            yield f"{resource.path} is removed"
        else:
            yield from (f"{resource.path} is replaced by {name}" for name in replaced(resource, new[where]))


def test_the_two_stages_have_different_routes(moved: tuple[Templates, Templates]) -> None:
    before, after = (set(stacks_with(templates, "AWS::CodePipeline::Pipeline")) for templates in moved)
    assert len(after - before) == 1


def test_every_stateful_type_of_the_project_is_compared(moved: tuple[Templates, Templates]) -> None:
    kinds = {one.body["Type"] for one in lasting(moved[0]).values()}
    kept = {
        one.body["Type"]
        for templates in moved
        for one in resources(templates)
        if "Retain" in str(one.body.get("DeletionPolicy"))
    }
    assert kept <= set(LASTING)
    assert kept <= kinds


def test_moving_up_replaces_nothing_that_lasts(moved: tuple[Templates, Templates]) -> None:
    assert [loss for loss in losses(*moved) if "is replaced" in loss] == []


def test_moving_up_removes_nothing_but_the_logs_of_the_route_itself(moved: tuple[Templates, Templates]) -> None:
    """The state machine of the release goes, and what it has written stays: its log groups are retained."""
    removed = [one for where, one in lasting(moved[0]).items() if where not in lasting(moved[1])]
    assert [one.path for one in removed if ROUTE not in one.path or one.body["Type"] != "AWS::Logs::LogGroup"] == []
    assert {one.body["DeletionPolicy"] for one in removed} == {"RetainExceptOnCreate"}


def test_moving_up_changes_nothing_of_what_serves(moved: tuple[Templates, Templates]) -> None:
    """Not even in place: the endpoints of the environments answer as before."""
    before, after = moved
    serving = [stack for stack, template in before.items() if "ModelPackageArn" in template.get("Parameters", {})]
    assert len(serving) >= 7
    assert [stack for stack in serving if before[stack] != after.get(stack)] == []


def test_moving_up_adds_the_environment_that_a_person_approves(moved: tuple[Templates, Templates]) -> None:
    (added,) = set(moved[1]) - set(moved[0])
    assert added.endswith("-prod")


def test_only_the_stacks_of_the_model_change(moved: tuple[Templates, Templates]) -> None:
    before, after = moved
    changed = {stack for stack in before if before[stack] != after[stack]}
    (model,) = set(stacks_with(after, "AWS::CodePipeline::Pipeline")) - set(
        stacks_with(before, "AWS::CodePipeline::Pipeline")
    )
    # The API of an environment serves every model that is deployed there.
    assert changed - {"mlops-foundation", "mlops-api-prod"} == {model}


def test_every_lasting_type_has_a_schema() -> None:
    """A type without one would make the comparison pass. Nothing replaces a key: CloudFormation refuses the change."""
    assert [kind for kind in LASTING if schema(kind) is None] == []
    assert [kind for kind in LASTING if not create_only(kind)] == ["AWS::KMS::Key"]


def rename_repository(stack: Template) -> None:
    for resource in stack["Resources"].values():
        if resource["Type"] == "AWS::ECR::Repository":
            resource["Properties"]["RepositoryName"] += "-2"


def move_group(stack: Template) -> None:
    for logical_id, resource in list(stack["Resources"].items()):
        if resource["Type"] == "AWS::SageMaker::ModelPackageGroup":
            stack["Resources"][f"{logical_id}Again"] = stack["Resources"].pop(logical_id)


def drop_queue(stack: Template) -> None:
    for logical_id, resource in list(stack["Resources"].items()):
        if resource["Type"] == "AWS::SQS::Queue":
            del stack["Resources"][logical_id]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (rename_repository, "is replaced by RepositoryName"),
        (move_group, "is removed"),
        (drop_queue, "is removed"),
    ],
)
def test_a_loss_would_be_noticed(
    moved: tuple[Templates, Templates], change: Callable[[Template], None], told: str
) -> None:
    after = copy.deepcopy(moved[1])
    change(after["mlops-iris"])
    found = set(losses(moved[0], after)) - set(losses(*moved))
    assert len(found) == 1
    assert found.pop().endswith(told)


def test_a_replaced_endpoint_would_be_noticed(moved: tuple[Templates, Templates]) -> None:
    after = copy.deepcopy(moved[1])
    for resource in after["mlops-iris-dev"]["Resources"].values():
        if resource["Type"] == "AWS::SageMaker::Endpoint":
            resource["Properties"]["EndpointName"] = "another"
    assert any("mlops-iris-dev" in one and "is replaced by EndpointName" in one for one in losses(moved[0], after))
