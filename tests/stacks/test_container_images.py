"""What builds an image, what pulls it, and that a run has only one: scanned before it trains, named by its digest."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.compliance.reading import Template, model_stacks, resources, scopes, stacks_with, state_machines, statements
from tests.conftest import ROOT, assemble, read_templates

PUSHING = {
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:DescribeImages",
    "ecr:DescribeRepositories",
    "ecr:GetDownloadUrlForLayer",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
}
PULLING = {"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
PROCESSING = "repository/sagemaker-xgboost"
JOBS = ("Prepare", "Evaluate", "EvaluateAgainstChampion")
"""The processing jobs, which run in an image of AWS."""
PREBUILT = f"111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/iris@sha256:{'0123456789abcdef' * 4}"
PREBUILT_REPOSITORY = "arn:aws:ecr:eu-west-1:111122223333:repository/team/iris"


@pytest.fixture(scope="module")
def built(templates: dict[str, Template]) -> dict[str, Template]:
    """The stacks of the models whose image is built here, on both routes."""
    found = stacks_with(templates, "AWS::ECR::Repository")
    assert len(found) >= 2
    assert 0 < len(stacks_with(found, "AWS::CodePipeline::Pipeline")) < len(found)
    return found


@pytest.fixture(scope="module")
def prebuilt(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Template]:
    """The project with iris in an image that is there already."""
    folder = tmp_path_factory.mktemp("prebuilt")
    config = shutil.copytree(ROOT / "config", folder / "config")
    path = config / "models" / "iris.yaml"
    settings: dict[str, Any] = yaml.safe_load(path.read_text())
    del settings["container"]["path"]
    settings["container"]["image"] = PREBUILT
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    return read_templates(assemble(folder / "cdk.out", config=config))


def registry_permissions(template: Template) -> Iterator[tuple[str, str, str]]:
    """Role, action and resource of every permission on images."""
    for statement in statements({"": template}):
        for action in statement.actions if statement.kind == "identity" else []:
            for target in statement.targets if action.startswith("ecr:") else []:
                if action != "ecr:GetAuthorizationToken":
                    yield statement.resource.path.split("/Policy")[0].partition("/Model/")[2], action, target


def training(template: Template) -> dict[str, Any]:
    (definition,) = (
        definition for machine, definition in state_machines({"": template}) if "/Training/" in machine.path
    )
    return dict(definition["States"])


def own_repository(template: Template) -> str:
    (repository,) = resources({"": template}, "AWS::ECR::Repository")
    return f"<{repository.logical_id}.Arn>"


def test_the_build_of_an_image_pushes_to_the_repository_of_its_model_only(built: dict[str, Template]) -> None:
    for template in built.values():
        permissions = [one for one in registry_permissions(template) if one[0] == "ImageBuild/ServiceRole"]
        assert {action for _, action, _ in permissions} == PUSHING
        assert {target for _, _, target in permissions} == {own_repository(template)}


def test_nobody_else_pushes_an_image(templates: dict[str, Template]) -> None:
    for template in templates.values():
        for role, action, _ in registry_permissions(template):
            if action not in {*PULLING, "ecr:DescribeImageScanFindings"}:
                assert role == "ImageBuild/ServiceRole", action


def test_jobs_pull_the_image_of_their_model_and_that_of_the_processing_jobs_only(built: dict[str, Template]) -> None:
    for template in built.values():
        pulled = [one for one in registry_permissions(template) if one[0] == "Training/ExecutionRole"]
        own, shared = own_repository(template), {target for _, _, target in pulled} - {own_repository(template)}
        assert {action for _, action, _ in pulled} == PULLING
        assert own in {target for _, _, target in pulled}
        assert len(shared) == 1
        assert all(one.endswith(PROCESSING) for one in shared)


def test_endpoints_pull_the_image_of_their_model_only(built: dict[str, Template]) -> None:
    for template in built.values():
        pulled = [one for one in registry_permissions(template) if one[0].endswith("EndpointRole")]
        assert len({role for role, _, _ in pulled}) >= 2
        assert {target for _, _, target in pulled} == {own_repository(template)}


def test_the_gate_reads_the_findings_of_the_image_of_its_model_only(built: dict[str, Template]) -> None:
    for template in built.values():
        reading = [one for one in registry_permissions(template) if one[1] == "ecr:DescribeImageScanFindings"]
        assert reading == [
            (
                "Functions/SecurityGate/ServiceRole",
                "ecr:DescribeImageScanFindings",
                own_repository(template),
            )
        ]


def image_uses(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every place in a workflow that names an image, with what it says."""
    if isinstance(value, dict):
        for key, one in value.items():
            if key.removesuffix(".$") in {"TrainingImage", "Image", "ImageUri", "imageUri", "image"}:
                yield f"{path}.{key.removesuffix('.$')}", one
            else:
                yield from image_uses(one, f"{path}.{key}")
    elif isinstance(value, list):
        for one in value:
            yield from image_uses(one, path)


def test_every_step_of_a_run_uses_the_image_of_the_run(templates: dict[str, Template]) -> None:
    """What was scanned is what trains, is scored and is registered; only the champion is scored in its own image."""
    for template in model_stacks(templates).values():
        states = training(template)
        assert next(iter(states)) in ("Begin", "ReadCandidate")
        others = {name: state for name, state in states.items() if name != "Begin"}
        uses = dict(image_uses(others))
        assert uses.pop(".Score.ItemSelector.image") == "$$.Map.Item.Value.image"
        processing = [uses.pop(f".{name}.Parameters.AppSpecification.ImageUri") for name in states if name in JOBS]
        assert all(PROCESSING.rpartition("/")[2] in one for one in processing)
        champions = [name for name, one in uses.items() if one == "$.champion.Payload.imageUri"]
        assert champions == [".ScoreBoth.Parameters.all.image"]
        assert {one for name, one in uses.items() if name not in champions} == {"$.image"}
        learnt = {".Train.Parameters.AlgorithmSpecification.TrainingImage"} if "Train" in states else set()
        assert "Train" in states or "AdoptModel" in states
        assert {".Register.Parameters.Payload.imageUri", *learnt} <= {*uses}


def reachable(states: dict[str, Any], start: str, *, without: str) -> set[str]:
    """The states that a run can come to from `start` without passing the gate `without` by its good answer."""
    reached, todo = set(), [start]
    while todo:
        name = todo.pop()
        if name in reached:
            continue
        reached.add(name)
        state = states[name]
        if name == without:
            todo.append(state["Default"])
            continue
        todo += [
            way[key]
            for way in (state, *state.get("Catch", []), *state.get("Choices", []))
            for key in ("Next", "Default")
            if key in way
        ]
    return reached


def jobs_of(states: dict[str, Any]) -> set[str]:
    """The states that start a container or keep what one has made."""
    return {
        name
        for name, state in states.items()
        if name.startswith("Register")
        or any(
            key in inner.get("Resource", "")
            for _, machine in scopes({"States": {name: state}})
            for inner in machine["States"].values()
            for key in ("createTrainingJob", "createProcessingJob", "createTransformJob", "createModel")
        )
    }


def test_no_container_of_a_model_starts_before_its_image_has_passed_the_gate(built: dict[str, Template]) -> None:
    for template in built.values():
        states = training(template)
        assert {"Train", "Score", "Register"} <= jobs_of(states)
        assert "SecurityGateDecision" in reachable(states, "Begin", without="")
        assert reachable(states, "Begin", without="SecurityGateDecision") & jobs_of(states) == set()


def test_a_way_past_the_gate_would_be_noticed(built: dict[str, Template]) -> None:
    for template in built.values():
        states = training(template)
        states["SecurityGate"]["Catch"][0]["Next"] = "Snapshot"
        assert "Train" in reachable(states, "Begin", without="SecurityGateDecision")


def test_only_a_clear_yes_of_the_gate_counts(built: dict[str, Template]) -> None:
    for template in built.values():
        (rule,) = training(template)["SecurityGateDecision"]["Choices"]
        assert rule.pop("Next") == "Snapshot"
        assert rule == {"Variable": "$.securitygate.Payload.passed", "BooleanEquals": True}
        assert training(template)["SecurityGateFailed"]["Type"] == "Fail"


def test_an_image_of_aws_is_not_gated(templates: dict[str, Template]) -> None:
    """Its findings are for AWS to read and to mend; nothing here could."""
    stacks = model_stacks(templates)
    for stack in set(stacks) - set(stacks_with(templates, "AWS::ECR::Repository")):
        assert "SecurityGate" not in training(stacks[stack])


def test_the_gate_is_told_the_limits_of_the_settings(built: dict[str, Template]) -> None:
    for stack, template in built.items():
        settings = yaml.safe_load((ROOT / "config" / "models" / f"{stack.removeprefix('mlops-')}.yaml").read_text())
        payload = training(template)["SecurityGate"]["Parameters"]["Payload"]
        limits = settings["container"]["scan"]["maximum"]
        # In words: what is null is missing in the template, and no limit must be told from a forgotten one.
        assert payload["scan"]["maximum"] == {name: "any" if one is None else one for name, one in limits.items()}
        assert "any" in payload["scan"]["maximum"].values()
        assert payload["imageUri.$"] == "$.image"


def test_the_gate_waits_for_a_scan_of_a_quarter_of_an_hour(built: dict[str, Template]) -> None:
    for template in built.values():
        (policy,) = (
            one for one in training(template)["SecurityGate"]["Retry"] if one["ErrorEquals"] == ["ScanNotFinished"]
        )
        mean = policy["MaxDelaySeconds"] / 2  # full jitter: any time up to the delay
        assert policy["MaxAttempts"] * mean >= 15 * 60
        assert policy["IntervalSeconds"] <= 10


def test_a_prebuilt_image_makes_no_repository_and_no_build(prebuilt: dict[str, Template]) -> None:
    stack = {"mlops-iris": prebuilt["mlops-iris"]}
    assert resources(stack, "AWS::ECR::Repository") == []
    projects = [one.path for one in resources(stack, "AWS::CodeBuild::Project")]
    assert projects == ["mlops-iris/Model/Build/Project"]
    (pipeline,) = resources(stack, "AWS::CodePipeline::Pipeline")
    (build,) = (one for one in pipeline.properties["Stages"] if one["Name"] == "Build")
    assert [action["Name"] for action in build["Actions"]] == ["Build"]


def test_a_prebuilt_image_is_the_one_of_every_run(prebuilt: dict[str, Template]) -> None:
    states = training(prebuilt["mlops-iris"])
    assert states["Begin"]["Parameters"]["image"] == PREBUILT
    assert "image.$" not in states["Begin"]["Parameters"]
    test_every_step_of_a_run_uses_the_image_of_the_run(prebuilt)


def test_a_prebuilt_image_is_gated_too(prebuilt: dict[str, Template]) -> None:
    test_no_container_of_a_model_starts_before_its_image_has_passed_the_gate({"mlops-iris": prebuilt["mlops-iris"]})
    found = [one for one in registry_permissions(prebuilt["mlops-iris"]) if one[1] == "ecr:DescribeImageScanFindings"]
    assert [target for _, _, target in found] == [PREBUILT_REPOSITORY]


def test_a_prebuilt_image_is_pulled_from_its_repository_only(prebuilt: dict[str, Template]) -> None:
    pulled = {
        target
        for role, action, target in registry_permissions(prebuilt["mlops-iris"])
        if action in PULLING and (role.endswith("EndpointRole") or role == "Training/ExecutionRole")
    }
    assert {one for one in pulled if not one.endswith(PROCESSING)} == {PREBUILT_REPOSITORY}
