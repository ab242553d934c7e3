from __future__ import annotations

import json
import re
from typing import Any

import boto3
import pytest
import yaml

from lambdas.plan_rollout.logic import PlanParameters, Present, plan
from lambdas.shared.access import Access
from tests.compliance.reading import Template, plain, resources, stacks_with
from tests.conftest import ROOT

PHASES = {"install", "pre_build", "build", "post_build"}
PHASE_KEYS = {"run-as", "on-failure", "runtime-versions", "commands", "finally"}
TOP_KEYS = {"version", "run-as", "env", "proxy", "batch", "phases", "reports", "artifacts", "cache"}
OUTPUT_VARIABLES = {
    "S3": {"BucketName", "ETag", "ObjectKey", "VersionId"},
    "StepFunctions": {"StateMachineArn", "ExecutionArn"},
}
PLANNED = {
    *(f"{which}{name}" for which in ("Live", "Candidate") for name in ("PackageArn", "DataUrl", "ImageUri", "Release")),
    *("Release", "Mode", "Trial"),
}
"""What the function that plans a deployment answers."""
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


def deploy(stack: str) -> dict[str, Any]:
    settings = yaml.safe_load((ROOT / "config" / "models" / f"{stack.removeprefix('mlops-')}.yaml").read_text())
    return dict(settings["deploy"])


def deployed(stack: str) -> list[str]:
    """The environments of a model, as its settings list them."""
    return [name.capitalize() for name in deploy(stack)["environments"]]


def rollouts(stack: str) -> dict[str, Any]:
    """How a new version takes over, by environment."""
    return dict(deploy(stack).get("rollout", {}))


def test_the_stages_are_those_of_a_guarded_delivery(pipelines: dict[str, Stages]) -> None:
    for stack, stages in pipelines.items():
        *before, last = deployed(stack)
        guarded = ["Source", "Build", "Train", *before, "Approve", last]
        assert [stage["Name"] for stage in stages] == guarded, stack


def test_every_deployment_is_inspected_before_and_verified_after(pipelines: dict[str, Stages]) -> None:
    for stack, stages in pipelines.items():
        for name in deployed(stack):
            (stage,) = (one for one in stages if one["Name"] == name)
            steps = in_order(stage)
            assert [action["Name"] for action in (*steps[0], *steps[-1])] == ["Plan", "Verify"], f"{stack}/{name}"
            assert guarded(steps) == [], f"{stack}/{name}"


def in_order(stage: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """The actions of a stage, those that run at the same time together."""
    orders = sorted({action["RunOrder"] for action in stage["Actions"]})
    assert orders == list(range(1, len(orders) + 1))
    return [[action for action in stage["Actions"] if action["RunOrder"] == order] for order in orders]


def guarded(steps: list[list[dict[str, Any]]]) -> list[str]:
    """The change sets that are executed otherwise than alone, after they were made and inspected, each in its step."""
    expected = ["CHANGE_SET_REPLACE", "inspection", "CHANGE_SET_EXECUTE"]
    kinds = [[kind for action in step if (kind := part(action))] for step in steps]
    found = [kind for step in kinds for kind in step]
    wrong = [f"two at a time: {step}" for step in kinds if len(step) > 1]
    return wrong if found and found == expected * (len(found) // len(expected)) else [*wrong, f"in this order: {found}"]


def part(action: dict[str, Any]) -> str | None:
    """What an action has to do with a change set."""
    configuration = action["Configuration"]
    is_inspection = "InspectChangeSet" in configuration.get("FunctionName", "")
    mode: str | None = configuration.get("ActionMode")
    return "inspection" if is_inspection else mode


def test_a_change_set_that_nobody_inspects_would_be_noticed(pipelines: dict[str, Stages]) -> None:
    (stage,) = (one for one in pipelines["mlops-churn"] if one["Name"] == "Prod")
    steps = in_order(stage)
    assert guarded(steps) == []
    without = [step for step in steps if "PromoteInspect" not in [action["Name"] for action in step]]
    assert len(without) == len(steps) - 1
    assert guarded(without) != []


def test_a_new_version_is_tried_before_it_is_promoted(pipelines: dict[str, Stages]) -> None:
    for stack, stages in pipelines.items():
        for stage in stages:
            names = [action["Name"] for step in in_order(stage) for action in step]
            tried = rollouts(stack).get(stage["Name"].lower(), {}).get("preview", False)
            assert ("Try" in names) == tried, f"{stack}/{stage['Name']}"
            if tried:
                assert names.index("Execute") < names.index("Try") < names.index("PromoteChangeSet")


def test_a_stage_that_deploys_goes_back_when_it_fails(pipelines: dict[str, Stages]) -> None:
    for stack, stages in pipelines.items():
        goes_back = [stage["Name"] for stage in stages if stage.get("OnFailure") == {"Result": "ROLLBACK"}]
        assert goes_back == deployed(stack), stack


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
    if "PlanRollout" in action["Configuration"].get("FunctionName", ""):
        return PLANNED
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


def test_the_plan_of_a_deployment_has_the_variables_that_are_known_here() -> None:
    asked = PlanParameters(
        run="1",
        stack_name="mlops-churn-prod",
        model_package_arn="arn:aws:sagemaker:eu-west-1:111122223333:model-package/mlops-churn/1",
        model_data_url="s3://artifacts/churn/model.tar.gz",
        image_uri="image",
        tries=True,
        access=Access(role_arn="", region=""),
    )
    nothing = Present(parameters={})
    assert set(plan(asked, nothing, approval_status="Approved")) == PLANNED


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
        used = set(re.findall(r"#\{([A-Z][a-z]+)(?:Stack|Promoted)\.([A-Za-z]+)\}", json.dumps(stages)))
        assert used
        for environment, output in used:
            assert output in templates[f"{stack}-{environment.lower()}"]["Outputs"]


def test_every_template_that_a_pipeline_deploys_is_synthesized(
    pipelines: dict[str, Stages], templates: dict[str, Template]
) -> None:
    for stack, stages in pipelines.items():
        paths = {
            stage["Name"]: {
                action["Configuration"]["TemplatePath"].split("::")[1]
                for action in stage["Actions"]
                if "TemplatePath" in action["Configuration"]
            }
            for stage in stages
        }
        # Of a candidate too: both change sets of a stage are of one template.
        assert {name: found for name, found in paths.items() if found} == {
            name: {f"{stack}-{name.lower()}.template.json"} for name in deployed(stack)
        }
        assert {f"{stack}-{name.lower()}" for name in deployed(stack)} <= set(templates)


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
