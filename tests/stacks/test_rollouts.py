"""Rollouts as they reach the templates: six environments, each with another one."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.conftest import ROOT, Template, assemble, read_templates

if TYPE_CHECKING:
    from pathlib import Path

ROLLOUTS: dict[str, dict[str, Any]] = {
    "churn": {
        "dev": {"type": "shadow", "share_percent": 30},
        "staging": {"type": "a-b"},
        "prod": {"type": "canary", "size_percent": 20, "canary_minutes": 7, "bake_minutes": 9, "preview": True},
    },
    "iris": {
        "staging": {"type": "linear", "step_percent": 25, "step_minutes": 3},
        "prod": {"type": "rolling", "batch_percent": 50, "batch_minutes": 4},
    },
}


@pytest.fixture(scope="module")
def rollouts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Template]:
    folder: Path = tmp_path_factory.mktemp("rollouts")
    config = shutil.copytree(ROOT / "config", folder / "config")
    for path in (config / "models").glob("*.yaml"):
        if path.stem not in ROLLOUTS:
            path.unlink()
            continue
        settings = yaml.safe_load(path.read_text())
        settings["deploy"]["rollout"] = ROLLOUTS[path.stem]
        settings["serving"]["instance_count"] = 2
        path.write_text(yaml.safe_dump(settings, sort_keys=False))
    return read_templates(assemble(folder / "cdk.out", config=config))


def only(template: Template, kind: str, containing: str = "") -> dict[str, Any]:
    """Return the properties of the one resource of a type whose logical id contains a word."""
    found = [
        each["Properties"]
        for name, each in template["Resources"].items()
        if each["Type"] == f"AWS::SageMaker::{kind}" and containing in name
    ]
    assert len(found) == 1, f"{len(found)} of {kind} {containing}"
    properties: dict[str, Any] = found[0]
    return properties


def policy(template: Template) -> dict[str, Any]:
    """Return the deployment configuration under guard; the way back has none."""
    endpoint = next(
        each["Properties"]
        for name, each in template["Resources"].items()
        if each["Type"] == "AWS::SageMaker::Endpoint" and name != "PreviewEndpoint"
    )
    condition, guarded, immediate = endpoint["DeploymentConfig"]["Fn::If"]
    assert condition == "IsGuarded"
    assert "AutoRollbackConfiguration" not in immediate
    assert immediate["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]["Type"] == "ALL_AT_ONCE"
    result: dict[str, Any] = guarded
    return result


@pytest.mark.parametrize(
    ("stack", "routing", "bake"),
    [
        (
            "mlops-churn-prod",
            {"Type": "CANARY", "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 20}, "WaitIntervalInSeconds": 420},
            540,
        ),
        (
            "mlops-churn-dev",
            {"Type": "CANARY", "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10}, "WaitIntervalInSeconds": 600},
            300,
        ),
        ("mlops-churn-staging", {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}, 300),
        (
            "mlops-iris-staging",
            {
                "Type": "LINEAR",
                "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 25},
                "WaitIntervalInSeconds": 180,
            },
            300,
        ),
    ],
)
def test_traffic_moves_as_the_rollout_says(
    rollouts: dict[str, Template], stack: str, routing: dict[str, Any], bake: int
) -> None:
    made = policy(rollouts[stack])["BlueGreenUpdatePolicy"]
    assert made["TrafficRoutingConfiguration"] == routing
    assert made["TerminationWaitInSeconds"] == bake


def test_rolling_has_no_second_fleet(rollouts: dict[str, Template]) -> None:
    made = policy(rollouts["mlops-iris-prod"])
    assert "BlueGreenUpdatePolicy" not in made
    assert made["RollingUpdatePolicy"]["MaximumBatchSize"] == {"Type": "CAPACITY_PERCENT", "Value": 50}
    assert made["RollingUpdatePolicy"]["WaitIntervalInSeconds"] == 240


def test_every_alarm_of_an_endpoint_rolls_it_back(rollouts: dict[str, Template]) -> None:
    stacks = [f"mlops-{model}-{environment}" for model in ROLLOUTS for environment in ROLLOUTS[model]]
    for stack in stacks:
        alarms = {
            name for name, each in rollouts[stack]["Resources"].items() if each["Type"] == "AWS::CloudWatch::Alarm"
        }
        rolled = policy(rollouts[stack])["AutoRollbackConfiguration"]["Alarms"]
        assert {each["AlarmName"]["Ref"] for each in rolled} == alarms
        assert any("WrongAnswers" in name for name in alarms), f"{stack}: nobody looks at what synthetic traffic finds"


def test_a_challenger_begins_without_traffic(rollouts: dict[str, Template]) -> None:
    variants = only(rollouts["mlops-churn-staging"], "EndpointConfig", "Trial")["ProductionVariants"]
    weights = {each["VariantName"]: each["InitialVariantWeight"] for each in variants}
    assert weights == {"live": 1, "challenger": 0}
    assert variants[0]["ModelName"] != variants[1]["ModelName"]


def test_a_shadow_gets_a_copy_and_its_answers_are_kept(rollouts: dict[str, Template]) -> None:
    configuration = only(rollouts["mlops-churn-dev"], "EndpointConfig", "Trial")
    assert [each["VariantName"] for each in configuration["ProductionVariants"]] == ["live"]
    [shadow] = configuration["ShadowProductionVariants"]
    assert (shadow["VariantName"], shadow["InitialVariantWeight"]) == ("shadow", 0.3)
    capture = configuration["DataCaptureConfig"]
    assert (capture["EnableCapture"], capture["InitialSamplingPercentage"]) == (True, 100)


def test_a_preview_has_one_instance_and_goes_with_its_candidate(rollouts: dict[str, Template]) -> None:
    template = rollouts["mlops-churn-prod"]
    preview = template["Resources"]["PreviewEndpoint"]
    assert preview["Properties"]["EndpointName"] == "mlops-churn-prod-preview"
    assert (preview["Condition"], preview["DeletionPolicy"]) == ("HasCandidate", "Delete")
    [variant] = only(template, "EndpointConfig", "Preview")["ProductionVariants"]
    assert variant["InitialInstanceCount"] == 1


def test_nothing_that_an_endpoint_may_go_back_to_is_deleted_with_its_replacement(rollouts: dict[str, Template]) -> None:
    for name, template in rollouts.items():
        for logical_id, each in template["Resources"].items():
            if each["Type"] in ("AWS::SageMaker::Model", "AWS::SageMaker::EndpointConfig"):
                assert each["UpdateReplacePolicy"] == "Retain", f"{name}/{logical_id}"


def stages(template: Template) -> dict[str, Any]:
    pipeline = next(each for each in template["Resources"].values() if each["Type"] == "AWS::CodePipeline::Pipeline")
    return {each["Name"]: each for each in pipeline["Properties"]["Stages"]}


def actions(stage: dict[str, Any]) -> list[set[str]]:
    """Return the names of the actions, those that run at the same time together."""
    orders = sorted({each["RunOrder"] for each in stage["Actions"]})
    return [{each["Name"] for each in stage["Actions"] if each["RunOrder"] == order} for order in orders]


def test_a_deployment_goes_back_by_itself(rollouts: dict[str, Template]) -> None:
    for model in ROLLOUTS:
        for name, stage in stages(rollouts[f"mlops-{model}"]).items():
            expected = {"Result": "ROLLBACK"} if name in ("Dev", "Staging", "Prod") else None
            assert stage.get("OnFailure") == expected, name


def test_a_candidate_is_tried_between_two_change_sets_and_baked_while_it_takes_over(
    rollouts: dict[str, Template],
) -> None:
    assert actions(stages(rollouts["mlops-churn"])["Prod"]) == [
        {"Plan"},
        {"ChangeSet"},
        {"Inspect"},
        {"Execute"},
        {"Try"},
        {"PromoteChangeSet"},
        {"PromoteInspect", "Baseline"},
        {"Promote", "Bake"},
        {"Verify"},
    ]
    assert actions(stages(rollouts["mlops-iris"])["Prod"]) == [
        {"Plan"},
        {"ChangeSet"},
        {"Inspect", "Baseline"},
        {"Execute", "Bake"},
        {"Verify"},
    ]


def test_change_sets_name_every_parameter_of_their_stack(rollouts: dict[str, Template]) -> None:
    for model in ROLLOUTS:
        for stage in stages(rollouts[f"mlops-{model}"]).values():
            for action in stage["Actions"]:
                configuration = action["Configuration"]
                if configuration.get("ActionMode") == "CHANGE_SET_REPLACE":
                    given = set(json.loads(configuration["ParameterOverrides"]))
                    assert given == set(rollouts[configuration["StackName"]]["Parameters"])
