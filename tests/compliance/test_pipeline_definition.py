from __future__ import annotations

import json
import re
from typing import Any

import boto3
import pytest
import yaml

from tests.compliance.reading import Template, plain, resources, stacks_with
from tests.conftest import ROOT

PHASES = {"install", "pre_build", "build", "post_build"}
PHASE_KEYS = {"run-as", "on-failure", "runtime-versions", "commands", "finally"}
TOP_KEYS = {"version", "run-as", "env", "proxy", "batch", "phases", "reports", "artifacts", "cache"}
OUTPUT_VARIABLES = {
    "S3": {"BucketName", "ETag", "ObjectKey", "VersionId"},
    "StepFunctions": {"StateMachineArn", "ExecutionArn"},
}
Stages = list[dict[str, Any]]


@pytest.fixture(scope="module")
def pipelines(templates: dict[str, Template]) -> dict[str, Stages]:
    """The stages of every pipeline by the name of its stack."""
    found = {
        pipeline.stack: list(plain(pipeline.properties["Stages"]))
        for pipeline in resources(templates, "AWS::CodePipeline::Pipeline")
    }
    assert len(found) > 1
    return found


def actions(pipelines: dict[str, Stages]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{stack}/{stage['Name']}/{action['Name']}", action)
        for stack, stages in pipelines.items()
        for stage in stages
        for action in stage["Actions"]
    ]


def deployed(stack: str) -> list[str]:
    """The environments of a model, as its settings list them."""
    settings = yaml.safe_load((ROOT / "config" / "models" / f"{stack.removeprefix('mlops-')}.yaml").read_text())
    return [name.capitalize() for name in settings["deploy"]["environments"]]


def test_the_stages_are_those_of_a_guarded_delivery(pipelines: dict[str, Stages]) -> None:
    for stack, stages in pipelines.items():
        *before, last = deployed(stack)
        guarded = ["Source", "Build", "Train", *before, "Approve", last]
        assert [stage["Name"] for stage in stages] == guarded, stack


def test_every_deployment_is_inspected_before_and_verified_after(pipelines: dict[str, Stages]) -> None:
    for stack, stages in pipelines.items():
        for name in deployed(stack):
            (stage,) = (one for one in stages if one["Name"] == name)
            ordered = sorted(stage["Actions"], key=lambda action: action["RunOrder"])
            assert [action["Name"] for action in ordered] == ["ChangeSet", "Inspect", "Execute", "Verify"]
            assert [action["RunOrder"] for action in ordered] == [1, 2, 3, 4]


def test_no_source_polls(pipelines: dict[str, Stages]) -> None:
    for name, action in actions(pipelines):
        if action["ActionTypeId"]["Provider"] == "S3":
            assert action["Configuration"]["PollForSourceChanges"] == "false", name


def output_variables(action: dict[str, Any], template: Template) -> set[str] | None:
    """The variables that an action gives; None: those that its function answers with."""
    if action["ActionTypeId"]["Provider"] == "CodeBuild":
        project = template["Resources"][action["Configuration"]["ProjectName"].strip("<>")]["Properties"]
        specification = yaml.safe_load(project["Source"]["BuildSpec"])
        return set(specification["env"].get("exported-variables", []))
    return OUTPUT_VARIABLES.get(action["ActionTypeId"]["Provider"])


def unknown_variables(stages: Stages, template: Template) -> list[str]:
    known: dict[str, set[str] | None] = {"codepipeline": {"PipelineExecutionId"}}
    unknown = []
    for stage in stages:
        for action in sorted(stage["Actions"], key=lambda one: one["RunOrder"]):
            for value in action["Configuration"].values():
                for namespace, key in re.findall(r"#\{([A-Za-z]+)\.([A-Za-z_]+)\}", value):
                    given = known.get(namespace, set())
                    if given is not None and key not in given:
                        unknown.append(f"{stage['Name']}/{action['Name']}: {namespace}.{key}")
            if "Namespace" in action:
                known[action["Namespace"]] = output_variables(action, template)
    return unknown


def test_every_variable_is_one_that_an_earlier_action_gives(
    pipelines: dict[str, Stages], templates: dict[str, Template]
) -> None:
    for stack, stages in pipelines.items():
        assert unknown_variables(stages, templates[stack]) == [], stack


def test_a_variable_that_no_build_exports_would_be_noticed(
    pipelines: dict[str, Stages], templates: dict[str, Template]
) -> None:
    found = {
        one
        for stack, stages in pipelines.items()
        for one in unknown_variables(
            json.loads(json.dumps(stages).replace("Image.IMAGE_URI", "Image.IMAGE")), templates[stack]
        )
    }
    assert found == {"Train/Train: Image.IMAGE"}


def test_every_stack_output_that_a_pipeline_uses_exists(
    pipelines: dict[str, Stages], templates: dict[str, Template]
) -> None:
    for stack, stages in pipelines.items():
        used = set(re.findall(r"#\{([A-Z][a-z]+)Stack\.([A-Za-z]+)\}", json.dumps(stages)))
        assert used
        for environment, output in used:
            assert output in templates[f"{stack}-{environment.lower()}"]["Outputs"]


def test_every_template_that_a_pipeline_deploys_is_synthesized(
    pipelines: dict[str, Stages], templates: dict[str, Template]
) -> None:
    for stack, stages in pipelines.items():
        paths = [
            action["Configuration"]["TemplatePath"].split("::")[1]
            for _, action in actions({stack: stages})
            if "TemplatePath" in action["Configuration"]
        ]
        assert len(paths) == len(deployed(stack))
        for path in paths:
            assert path.removesuffix(".template.json") in templates
            assert path.startswith(f"{stack}-")


def test_every_parameter_that_a_pipeline_passes_is_one_of_the_stack(
    pipelines: dict[str, Stages], templates: dict[str, Template]
) -> None:
    for name, action in actions(pipelines):
        configuration = action["Configuration"]
        if "ParameterOverrides" in configuration:
            template = templates[configuration["StackName"]]
            assert set(json.loads(configuration["ParameterOverrides"])) == set(template["Parameters"]), name


def test_every_configuration_fits_the_limits_of_codepipeline(pipelines: dict[str, Stages]) -> None:
    model = boto3.client("codepipeline", region_name="eu-west-1").meta.service_model
    limit = model.shape_for("ActionConfigurationValue").metadata.get("max", 1000)
    for name, action in actions(pipelines):
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


def test_every_pipeline_tests_before_it_synthesizes(
    pipelines: dict[str, Stages], templates: dict[str, Template]
) -> None:
    for stack in pipelines:
        specs = [spec["phases"]["build"]["commands"] for spec in buildspecs({stack: templates[stack]})]
        ((first, second),) = (commands for commands in specs if any("cdk synth" in one for one in commands))
        assert "pytest" in first
        assert second.startswith("cdk synth")
        assert second.endswith(f"models={stack.removeprefix('mlops-')}")


def test_every_image_that_is_built_goes_into_the_repository_of_its_stack(templates: dict[str, Template]) -> None:
    stacks = stacks_with(templates, "AWS::ECR::Repository")
    assert stacks
    for stack, template in stacks.items():
        (repository,) = resources({stack: template}, "AWS::ECR::Repository")
        (spec,) = (one for one in buildspecs({stack: template}) if "exported-variables" in one["env"])
        (command,) = spec["phases"]["build"]["commands"]
        assert spec["env"]["exported-variables"] == ["IMAGE_URI"]
        assert f"--repository {repository.properties['RepositoryName']})" in command
        # The failure of the program is that of the command; that of `export X="$(...)"` would be lost.
        assert re.fullmatch(r'IMAGE_URI="\$\([^"]*\)" && export IMAGE_URI', command)
