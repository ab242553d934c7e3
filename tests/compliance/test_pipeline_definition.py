from __future__ import annotations

import json
import re
from typing import Any

import boto3
import pytest
import yaml

from tests.compliance.reading import Template, plain, resources

PHASES = {"install", "pre_build", "build", "post_build"}
PHASE_KEYS = {"run-as", "on-failure", "runtime-versions", "commands", "finally"}
TOP_KEYS = {"version", "run-as", "env", "proxy", "batch", "phases", "reports", "artifacts", "cache"}
OUTPUT_VARIABLES = {
    "S3": {"BucketName", "ETag", "ObjectKey", "VersionId"},
    "StepFunctions": {"StateMachineArn", "ExecutionArn"},
}


@pytest.fixture(scope="module")
def stages(templates: dict[str, Template]) -> list[dict[str, Any]]:
    (pipeline,) = resources(templates, "AWS::CodePipeline::Pipeline")
    return list(plain(pipeline.properties["Stages"]))


def actions(stages: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{stage['Name']}/{action['Name']}", action) for stage in stages for action in stage["Actions"]]


def test_the_stages_are_those_of_a_guarded_delivery(stages: list[dict[str, Any]]) -> None:
    assert [stage["Name"] for stage in stages] == [
        "Source",
        "Build",
        "Train",
        "Dev",
        "Staging",
        "Approve",
        "Prod",
    ]


def test_every_deployment_is_inspected_before_and_verified_after(stages: list[dict[str, Any]]) -> None:
    for name in ("Dev", "Staging", "Prod"):
        (stage,) = (one for one in stages if one["Name"] == name)
        ordered = sorted(stage["Actions"], key=lambda action: action["RunOrder"])
        assert [action["Name"] for action in ordered] == ["ChangeSet", "Inspect", "Execute", "Verify"]
        assert [action["RunOrder"] for action in ordered] == [1, 2, 3, 4]


def test_no_source_polls(stages: list[dict[str, Any]]) -> None:
    for name, action in actions(stages):
        if action["ActionTypeId"]["Provider"] == "S3":
            assert action["Configuration"]["PollForSourceChanges"] == "false", name


def test_every_variable_is_one_that_an_earlier_action_gives(stages: list[dict[str, Any]]) -> None:
    known: dict[str, set[str] | None] = {"codepipeline": {"PipelineExecutionId"}}
    for stage in stages:
        for action in sorted(stage["Actions"], key=lambda one: one["RunOrder"]):
            for value in action["Configuration"].values():
                for namespace, key in re.findall(r"#\{([A-Za-z]+)\.([A-Za-z]+)\}", value):
                    assert namespace in known, f"{stage['Name']}/{action['Name']}: {namespace}.{key}"
                    given = known[namespace]
                    assert given is None or key in given, f"{stage['Name']}/{action['Name']}: {namespace}.{key}"
            if "Namespace" in action:
                known[action["Namespace"]] = OUTPUT_VARIABLES.get(action["ActionTypeId"]["Provider"])


def test_every_stack_output_that_the_pipeline_uses_exists(
    stages: list[dict[str, Any]], templates: dict[str, Template]
) -> None:
    used = set(re.findall(r"#\{([A-Z][a-z]+)Stack\.([A-Za-z]+)\}", json.dumps(stages)))
    assert used
    for environment, output in used:
        assert output in templates[f"mlops-churn-{environment.lower()}"]["Outputs"]


def test_every_template_that_the_pipeline_deploys_is_synthesized(
    stages: list[dict[str, Any]], templates: dict[str, Template]
) -> None:
    paths = [
        action["Configuration"]["TemplatePath"].split("::")[1]
        for _, action in actions(stages)
        if "TemplatePath" in action["Configuration"]
    ]
    assert len(paths) == 3
    for path in paths:
        assert path.removesuffix(".template.json") in templates


def test_every_parameter_that_the_pipeline_passes_is_one_of_the_stack(
    stages: list[dict[str, Any]], templates: dict[str, Template]
) -> None:
    for name, action in actions(stages):
        configuration = action["Configuration"]
        if "ParameterOverrides" in configuration:
            template = templates[configuration["StackName"]]
            assert set(json.loads(configuration["ParameterOverrides"])) == set(template["Parameters"]), name


def test_every_configuration_fits_the_limits_of_codepipeline(stages: list[dict[str, Any]]) -> None:
    model = boto3.client("codepipeline", region_name="eu-west-1").meta.service_model
    limit = model.shape_for("ActionConfigurationValue").metadata.get("max", 1000)
    for name, action in actions(stages):
        for key, value in action["Configuration"].items():
            assert len(value) <= limit, f"{name}: {key} has {len(value)} characters"


def buildspecs(templates: dict[str, Template]) -> list[Any]:
    return [
        yaml.safe_load(project.properties["Source"]["BuildSpec"])
        for project in resources(templates, "AWS::CodeBuild::Project")
    ]


def problems(spec: dict[str, Any]) -> list[str]:
    """What CodeBuild would refuse or ignore: https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html."""
    found = [f"unknown key {key}" for key in set(spec) - TOP_KEYS]
    found += [f"unknown phase {phase}" for phase in set(spec.get("phases", {})) - PHASES]
    for phase, body in spec.get("phases", {}).items():
        found += [f"unknown key {key} in {phase}" for key in set(body) - PHASE_KEYS]
        found += [f"a command of {phase} is not text" for one in body.get("commands", []) if not isinstance(one, str)]
    if str(spec.get("version")) != "0.2":
        found.append(f"version {spec.get('version')}")
    return found


def test_every_buildspec_is_one_that_codebuild_understands(templates: dict[str, Template]) -> None:
    specs = buildspecs(templates)
    assert specs
    assert [found for spec in specs for found in problems(spec)] == []


def test_the_buildspec_check_notices_an_unknown_phase() -> None:
    assert problems({"version": "0.2", "phases": {"biuld": {"commands": []}}}) == ["unknown phase biuld"]


def test_the_build_runs_tests_before_it_synthesizes(templates: dict[str, Template]) -> None:
    (spec,) = buildspecs(templates)
    first, second = spec["phases"]["build"]["commands"]
    assert "pytest" in first
    assert second.startswith("cdk synth")
