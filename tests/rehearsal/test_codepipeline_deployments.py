from __future__ import annotations

import json
import textwrap
from typing import Any

import pytest

from mlops.rehearsal import codepipeline, codepipeline_sources
from mlops.rehearsal.server import EmulatedAws
from tests.rehearsal.pipeline_world import World, action, archive, message

PARAMETER = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Ref": "Value"}}}
TEMPLATE = {
    "Parameters": {"Value": {"Type": "String"}, "Other": {"Type": "String", "Default": "none"}},
    "Resources": {"Parameter": PARAMETER},
    "Outputs": {"Name": {"Value": {"Ref": "Parameter"}}, "Said": {"Value": {"Ref": "Other"}}},
}
BROKEN = {
    "Parameters": TEMPLATE["Parameters"],
    "Resources": {
        "Broken": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "Wrong", "Value": {"Ref": "Value"}}}
    },
}


@pytest.fixture
def world(aws: EmulatedAws) -> World:
    world = World(aws)
    configuration = {"Parameters": {"Value": "from file", "Other": "from file"}, "Tags": {"team": "churn"}}
    files = {"good.json": TEMPLATE, "broken.json": BROKEN, "configuration.json": configuration}
    world.upload({name: json.dumps(content) for name, content in files.items()})
    return world


def change_set(world: World, template: str = "good.json", **configuration: Any) -> list[dict[str, Any]]:
    role = world.make_role("deploy", "cloudformation.amazonaws.com", ["*"])
    common = {"StackName": f"stack-{world.tag}", "ChangeSetName": "changes"}
    create = {
        **common,
        "ActionMode": "CHANGE_SET_REPLACE",
        "TemplatePath": f"CodeZip::{template}",
        "RoleArn": role,
        **configuration,
    }
    execute = {**common, "ActionMode": "CHANGE_SET_EXECUTE"}
    return [
        action("Create", "Deploy/CloudFormation", create, inputs=["CodeZip"]),
        action("Execute", "Deploy/CloudFormation", execute, order=2, namespace="Stack"),
    ]


def test_a_change_set_is_made_and_executed_and_its_outputs_are_variables(world: World) -> None:
    name = world.create(change_set(world, ParameterOverrides={"Value": "#{Code.VersionId}"}))
    end, actions = world.run(name)
    assert end == "Succeeded", {one: message(details) for one, details in actions.items()}
    outputs = actions["Execute"]["output"]["outputVariables"]
    kept = world.client("ssm").get_parameter(Name=outputs["Name"])["Parameter"]["Value"]
    assert kept == actions["Code"]["output"]["outputVariables"]["VersionId"]


def test_overrides_beat_the_configuration_file(world: World) -> None:
    more: dict[str, Any] = {
        "TemplateConfiguration": "CodeZip::configuration.json",
        "ParameterOverrides": {"Value": "override"},
    }
    _, actions = world.run(world.create(change_set(world, **more)))
    outputs = actions["Execute"]["output"]["outputVariables"]
    assert outputs["Said"] == "from file"
    assert world.client("ssm").get_parameter(Name=outputs["Name"])["Parameter"]["Value"] == "override"


def test_a_change_set_without_changes_is_no_failure_and_executing_it_does_nothing(world: World) -> None:
    name = world.create(change_set(world, ParameterOverrides={"Value": "same"}))
    assert world.run(name)[0] == "Succeeded"
    end, actions = world.run(name)
    assert end == "Succeeded", {one: message(details) for one, details in actions.items()}
    assert "no changes" in actions["Create"]["output"]["executionResult"]["externalExecutionSummary"]
    assert "nothing was executed" in actions["Execute"]["output"]["executionResult"]["externalExecutionSummary"]


def test_a_failing_stack_names_its_status_and_the_first_resource_that_failed(world: World) -> None:
    name = world.create(change_set(world, "broken.json", ParameterOverrides={"Value": "x"}))
    end, actions = world.run(name)
    assert end == "Failed"
    assert "ROLLBACK" in message(actions["Execute"])
    assert "First failure: Broken (AWS::SSM::Parameter)" in message(actions["Execute"])


def test_a_template_that_is_not_in_the_artifact_is_named(world: World) -> None:
    end, actions = world.run(world.create(change_set(world, "nothing.json")))
    assert end == "Failed"
    assert message(actions["Create"]) == "File [nothing.json] does not exist in artifact [CodeZip]"


# Lambda

ANSWERS = """
import boto3, json
def handle(event, context):
    job = event["CodePipeline.job"]
    wanted = job["data"]["actionConfiguration"]["configuration"]["UserParameters"]
    client = boto3.client("codepipeline")
    if wanted == "fail":
        client.put_job_failure_result(jobId=job["id"], failureDetails={"type": "JobFailed", "message": "no good"})
    elif wanted == "crash":
        raise ValueError("broken inside")
    else:
        client.put_job_success_result(jobId=job["id"], outputVariables={"Echo": wanted})
"""


@pytest.fixture
def function(world: World) -> str:
    role = world.make_role("function", "lambda.amazonaws.com", ["*"])
    client = world.client("lambda")
    name = f"function-{world.tag}"
    client.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=role,
        Handler="code.handle",
        Timeout=30,
        Code={"ZipFile": archive({"code.py": textwrap.dedent(ANSWERS)})},
    )
    client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
    return name


def invoke(world: World, function: str, wanted: str) -> tuple[str, dict[str, Any]]:
    configuration = {"FunctionName": function, "UserParameters": wanted}
    name = world.create([action("Call", "Invoke/Lambda", configuration, namespace="Call")])
    end, actions = world.run(name)
    return end, actions["Call"]


def test_the_answer_of_a_function_is_the_result_of_its_action(world: World, function: str) -> None:
    end, call = invoke(world, function, "#{Code.ObjectKey}")
    assert (end, message(call)) == ("Succeeded", "")
    assert call["output"]["outputVariables"] == {"Echo": "source.zip"}


def test_the_failure_that_a_function_reports_is_the_cause(world: World, function: str) -> None:
    end, call = invoke(world, function, "fail")
    assert (end, message(call)) == ("Failed", "no good")


def test_a_function_that_dies_without_an_answer_fails_the_action_with_its_error(world: World, function: str) -> None:
    end, call = invoke(world, function, "crash")
    assert end == "Failed"
    assert "failed to return a result" in message(call)
    assert "broken inside" in message(call)


# Roles


def test_an_action_without_permission_fails_and_names_the_missing_action(world: World) -> None:
    world.allow(world.role, ["s3:*", "kms:*"])
    end, actions = world.run(world.create(change_set(world, ParameterOverrides={"Value": "x"})))
    assert end == "Failed"
    assert "cloudformation:DescribeStacks" in message(actions["Create"])
    assert actions["Create"]["output"]["executionResult"]["errorDetails"]["code"] == "PermissionError"


def test_a_role_that_may_not_use_the_key_cannot_write_artifacts(world: World) -> None:
    world.allow(world.role, ["s3:*"])
    end, actions = world.run(world.create(change_set(world)))
    assert end == "Failed"
    assert "kms:GenerateDataKey" in message(actions["Code"])


def test_an_action_acts_under_its_own_role_which_the_pipelines_role_must_be_allowed_to_assume(world: World) -> None:
    # A trust that names the role itself would need no permission on its side, as both are in one account.
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{world.aws.account}:root"},
        "Action": "sts:AssumeRole",
    }
    own = world.client("iam").create_role(
        RoleName=f"own-{world.tag}",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )["Role"]["Arn"]
    world.allow(own, ["*"])
    name = world.create([*change_set(world, ParameterOverrides={"Value": "x"})])
    pipeline = world.codepipeline.get_pipeline(name=name)["pipeline"]
    for one in pipeline["stages"][1]["actions"]:
        one["roleArn"] = own
    world.codepipeline.update_pipeline(pipeline=pipeline)
    world.allow(world.role, ["s3:*", "kms:*", "sts:AssumeRole"])
    end, actions = world.run(name)
    assert end == "Succeeded", {one: message(details) for one, details in actions.items()}
    world.allow(world.role, ["s3:*", "kms:*"])
    end, actions = world.run(name)
    assert end == "Failed"
    assert "cannot assume the action's role" in message(actions["Create"])


# Connections


def test_a_connection_takes_the_tree_that_the_rehearsal_registers(world: World) -> None:
    where = {"ConnectionArn": "arn:aws:codeconnections:x", "FullRepositoryId": f"me/{world.tag}", "BranchName": "main"}
    source = action("Code", "Source/CodeStarSourceConnection", where, outputs=["CodeZip"], namespace="Code")
    name = str(
        world.codepipeline.create_pipeline(
            pipeline=world.declare([source], change_set(world, ParameterOverrides={"Value": "#{Code.CommitId}"}))
        )["pipeline"]["name"]
    )
    end, actions = world.run(name)
    assert (end, list(actions)) == ("Failed", ["Code"])
    tree = archive({"good.json": json.dumps(TEMPLATE)})
    commit = codepipeline_sources.register_repository(f"me/{world.tag}", "main", tree)
    end, actions = world.run(name)
    assert end == "Succeeded", {one: message(details) for one, details in actions.items()}
    assert actions["Code"]["output"]["outputVariables"]["CommitId"] == commit
    assert any("connections" in what for what, _ in codepipeline.NOT_REHEARSED)
