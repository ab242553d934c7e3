"""The route without CI/CD: nothing goes where a person would have to approve, and nothing unverified goes on."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.compliance.reading import Template, model_stacks, plain, resources, stacks_with, state_machines, statements
from tests.conftest import ROOT

UPDATE = "aws-sdk:cloudformation:updateStack"
START = "states:startExecution.sync:2"


@pytest.fixture(scope="module")
def releases(templates: dict[str, Template]) -> dict[str, dict[str, Any]]:
    """The states of every release by the name of its model."""
    found = {
        machine.stack.removeprefix("mlops-"): dict(definition["States"])
        for machine, definition in state_machines(templates)
        if machine.path.endswith("/Release/Workflow/Machine")
    }
    assert found
    return found


def settings(model: str) -> dict[str, Any]:
    return dict(yaml.safe_load(Path(ROOT / "config" / "models" / f"{model}.yaml").read_text()))


def before_approval(model: str) -> list[str]:
    deploy = settings(model)["deploy"]
    return list(deploy["environments"][: deploy["environments"].index(deploy["approval_before"])])


def successes(states: dict[str, Any], start: str) -> list[str]:
    """The tasks on the way of success, in their order; a Choice goes on with its first rule."""
    way, name = [], start
    while name:
        state = states[name]
        if state["Type"] == "Task":
            way.append(name)
        name = state["Choices"][0]["Next"] if state["Type"] == "Choice" else state.get("Next", "")
    return way


def test_a_release_deploys_only_to_the_environments_before_the_approval(releases: dict[str, dict[str, Any]]) -> None:
    for model, states in releases.items():
        updated = [one["Parameters"]["StackName"] for one in states.values() if UPDATE in one.get("Resource", "")]
        assert updated == [f"mlops-{model}-{environment}" for environment in before_approval(model)]


def test_a_release_may_not_even_change_another_environment(templates: dict[str, Template]) -> None:
    for stack in set(model_stacks(templates)) - set(stacks_with(templates, "AWS::CodePipeline::Pipeline")):
        allowed = {
            target.rpartition(":")[2]
            for statement in statements({stack: templates[stack]})
            if statement.kind == "identity" and "cloudformation:UpdateStack" in statement.actions
            for target in statement.targets
        }
        environments = before_approval(stack.removeprefix("mlops-"))
        assert allowed == {f"stack/{stack}-{environment}/*" for environment in environments}
        assert [one for one in templates if one.startswith(f"{stack}-")] == [f"{stack}-{one}" for one in environments]


def test_a_release_builds_trains_deploys_and_verifies_in_this_order(releases: dict[str, dict[str, Any]]) -> None:
    for model, states in releases.items():
        deployments = [
            f"{environment.capitalize()}{step}"
            for environment in before_approval(model)
            for step in ("Deploy", "Describe", "Deployed", "Verify")
        ]
        assert successes(states, "BuildImage") == ["BuildImage", "Train", "NewestData", *deployments]


def test_the_next_environment_waits_for_the_verification_of_the_one_before(releases: dict[str, dict[str, Any]]) -> None:
    for model, states in releases.items():
        environments = [one.capitalize() for one in before_approval(model)]
        for one, following in pairwise(environments):
            leading = [name for name, state in states.items() if state.get("Next") == f"{following}Deploy"]
            assert leading == [f"{one}Verify"]
            assert START in states[f"{one}Verify"]["Resource"]


def test_a_deployment_changes_the_model_and_nothing_else(releases: dict[str, dict[str, Any]]) -> None:
    for states in releases.values():
        for state in states.values():
            if UPDATE in state.get("Resource", ""):
                parameters = state["Parameters"]
                assert parameters["UsePreviousTemplate"] is True
                assert "DeploymentRole" in parameters["RoleARN"]
                given = {
                    one["ParameterKey"]: one.get("ParameterValue.$") or one["ParameterValue"]
                    for one in parameters["Parameters"]
                }
                assert given == {
                    "ModelPackageArn": "$.train.modelPackageArn",
                    "ModelDataUrl": "$.train.modelDataUrl",
                    "ImageUri": "$.train.imageUri",
                    "Release": "$.release.name",
                    "Mode": "guarded",
                }


def test_every_parameter_of_a_serving_stack_is_passed(
    releases: dict[str, dict[str, Any]], templates: dict[str, Template]
) -> None:
    for states in releases.values():
        for state in states.values():
            if UPDATE in state.get("Resource", ""):
                given = {one["ParameterKey"] for one in state["Parameters"]["Parameters"]}
                assert given == set(templates[state["Parameters"]["StackName"]]["Parameters"])


def test_an_update_that_changes_nothing_is_no_failure(releases: dict[str, dict[str, Any]]) -> None:
    """After the retry of a lost answer; every other refusal is one."""
    for states in releases.values():
        for name, state in states.items():
            if UPDATE in state.get("Resource", ""):
                (rule,) = states[state["Catch"][0]["Next"]]["Choices"]
                assert rule["And"][1]["StringMatches"] == "*No updates are to be performed*"
                assert rule["Next"] == state["Next"], name


def test_a_failed_step_ends_a_release(releases: dict[str, dict[str, Any]]) -> None:
    """Whatever is caught leads to a failure, but for the update that changes nothing."""
    for states in releases.values():
        for name, state in states.items():
            for catch in state.get("Catch", []):
                following = states[catch["Next"]]
                while following["Type"] not in {"Fail", "Choice"}:
                    following = states[following["Next"]]
                assert following["Type"] == "Fail" or name.endswith("Deploy"), name


def test_the_image_that_was_built_is_the_one_that_trains(releases: dict[str, dict[str, Any]]) -> None:
    for states in releases.values():
        assert states["BuildImage"]["Parameters"]["SourceVersion.$"] == "$.code.version"
        assert states["Train"]["Parameters"]["Input"]["image.$"] == "$.build.image"
        assert states["BuildImage"]["ResultSelector"] == {"image.$": "$.Build.ExportedEnvironmentVariables[0].Value"}


def test_one_run_is_one_training(releases: dict[str, dict[str, Any]]) -> None:
    """The execution has the name of the run, so that the retry of a lost answer meets it."""
    for states in releases.values():
        started = [one for one in states.values() if START in one.get("Resource", "")]
        assert all("$.run" in one["Parameters"]["Name.$"] for one in started)
        names = [(one["Parameters"]["StateMachineArn"], one["Parameters"]["Name.$"]) for one in started]
        assert len(names) == len(set(names))


def test_only_its_rules_and_people_start_a_release(templates: dict[str, Template]) -> None:
    for stack in model_stacks(templates):
        starting = {
            statement.resource.path.split("/Policy")[0].partition("/Model/")[2]
            for statement in statements({stack: templates[stack]})
            if statement.kind == "identity"
            and any("ReleaseWorkflow" in target for target in statement.targets)
            and "states:StartExecution" in statement.actions
        }
        piped = stack in stacks_with(templates, "AWS::CodePipeline::Pipeline")
        assert starting == (set() if piped else {"Release/Start/ServiceRole"})


def test_the_start_of_a_release_knows_its_data_and_its_code(templates: dict[str, Template]) -> None:
    for model in (stack.removeprefix("mlops-") for stack in model_stacks(templates)):
        for function in resources({model: templates[f"mlops-{model}"]}, "AWS::Lambda::Function"):
            if function.path.endswith("/Release/Start/Function/Resource"):
                variables = plain(function.properties["Environment"]["Variables"])
                assert variables["DATA_KEY"] == settings(model)["data"]["key"]
                assert variables["CODE_KEY"] == settings(model)["source"]["key"]
                assert "ReleaseWorkflow" in variables["STATE_MACHINE_ARN"]
                return
    pytest.fail("no release has a start function")
