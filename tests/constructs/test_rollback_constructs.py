from __future__ import annotations

import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Template

from mlops.rollback import account
from mlops_constructs.collection import ConfigurationCollection
from mlops_constructs.messaging import DeadLetterQueue
from mlops_constructs.rollback import LAST_ACTION, OUTCOME_ACTION, RejectionRollback
from mlops_constructs.serving_target import ServingTarget
from mlops_constructs.settings import load_settings
from tests.conftest import ROOT

CHURN = load_settings(ROOT / "config", models=["churn"]).models["churn"]
TARGETS = [
    ServingTarget(
        environment=target.value,
        stack=f"mlops-churn-{target}",
        endpoint=f"mlops-churn-{target}",
        remote=None,
        rollout=CHURN.deploy.rollout_in(target),
        serving=CHURN.serving,
    )
    for target in CHURN.deployed_environments
]
HERE = "eu-west-1:111122223333:"


@pytest.fixture(scope="module")
def templates() -> dict[str, dict[str, Any]]:
    """Each of the two constructs in a stack of its own."""
    app, stacks = cdk.App(), []
    for name in ("Rollback", "Collection"):
        stack = cdk.Stack(app, name, env=cdk.Environment(account="111122223333", region="eu-west-1"))
        key, topic = kms.Key(stack, "Key"), sns.Topic(stack, "Topic")
        keep = cdk.RemovalPolicy.RETAIN
        letters = DeadLetterQueue(stack, "Letters", key=key, topic=topic, removal_policy=keep)
        shared: dict[str, Any] = {"key": key, "dead_letters": letters, "removal_policy": keep}
        if name == "Collection":
            ConfigurationCollection(stack, name, targets=TARGETS, **shared)
        else:
            table = dynamodb.Table.from_table_name(stack, "Starts", "starts")
            RejectionRollback(
                stack,
                name,
                model=CHURN,
                targets=TARGETS,
                pipeline_name="mlops-churn",
                group_name="mlops-churn",
                starts=table,
                topic=topic,
                **shared,
            )
        stacks.append(stack)
    # Only now: the tree may not change after it was synthesized.
    return {stack.stack_name: dict(Template.from_stack(stack).to_json()) for stack in stacks}


def of_type(template: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [one["Properties"] for one in template["Resources"].values() if one["Type"] == kind]


def allowed(template: dict[str, Any], service: str) -> dict[str, list[str]]:
    """Return the resources by action of one service."""
    found: dict[str, list[str]] = {}
    for policy in of_type(template, "AWS::IAM::ManagedPolicy"):
        for statement in policy["PolicyDocument"]["Statement"]:
            actions, resources = statement["Action"], statement["Resource"]
            for action in [actions] if isinstance(actions, str) else actions:
                if action.startswith(f"{service}:"):
                    listed = resources if isinstance(resources, list) else [resources]
                    found[action] = [flat(one) for one in listed]
    return found


def flat(value: Any) -> str:
    """Return an ARN with the partition written out."""
    return (
        "".join(part if isinstance(part, str) else "aws" for part in value["Fn::Join"][1])
        if isinstance(value, dict)
        else value
    )


def variables(template: dict[str, Any]) -> dict[str, Any]:
    [function] = of_type(template, "AWS::Lambda::Function")
    return dict(function["Environment"]["Variables"])


def test_only_stages_that_deploy_are_rolled_back_and_only_their_pipeline_is_read(
    templates: dict[str, dict[str, Any]],
) -> None:
    pipeline = allowed(templates["Rollback"], "codepipeline")
    stages = [f"arn:aws:codepipeline:{HERE}mlops-churn/{name}" for name in ("Dev", "Staging", "Prod")]
    assert pipeline.pop("codepipeline:RollbackStage") == stages
    assert set(pipeline) == {
        f"codepipeline:{name}" for name in ("GetPipelineState", "ListPipelineExecutions", "ListActionExecutions")
    }
    assert {tuple(resources) for resources in pipeline.values()} == {(f"arn:aws:codepipeline:{HERE}mlops-churn",)}
    packages = [f"arn:aws:sagemaker:{HERE}model-package/mlops-churn/*"]
    assert allowed(templates["Rollback"], "sagemaker") == {"sagemaker:DescribeModelPackage": packages}


def test_approved_versions_are_required_from_the_approval_on(templates: dict[str, dict[str, Any]]) -> None:
    stages = json.loads(variables(templates["Rollback"])["STAGES"])
    assert [(one["name"], one["approved"]) for one in stages] == [("Dev", False), ("Staging", False), ("Prod", True)]
    assert {one["last_action"] for one in stages} == {LAST_ACTION}


def test_the_function_hears_of_rejections_of_its_group_and_of_ends_of_its_stages(
    templates: dict[str, dict[str, Any]],
) -> None:
    patterns = [rule["EventPattern"] for rule in of_type(templates["Rollback"], "AWS::Events::Rule")]
    assert {"ModelPackageGroupName": ["mlops-churn"], "ModelApprovalStatus": ["Rejected"]} in [
        one["detail"] for one in patterns
    ]
    [ended] = [one["detail"] for one in patterns if one["source"] == ["aws.codepipeline"]]
    assert ended == {
        "pipeline": ["mlops-churn"],
        "stage": ["Dev", "Staging", "Prod"],
        "state": ["SUCCEEDED", "FAILED", "STOPPED"],
    }
    assert len(of_type(templates["Rollback"], "AWS::Lambda::Permission")) == 2


def test_the_collector_deletes_versions_of_its_endpoints_only_and_runs_daily(
    templates: dict[str, dict[str, Any]],
) -> None:
    sagemaker = allowed(templates["Collection"], "sagemaker")
    for action, resource in (("DeleteEndpointConfig", "endpoint-config"), ("DeleteModel", "model")):
        versions = [f"arn:aws:sagemaker:{HERE}{resource}/{target.endpoint}-v*" for target in TARGETS]
        assert sagemaker.pop(f"sagemaker:{action}") == versions
    assert all(action.split(":")[1].startswith(("List", "Describe")) for action in sagemaker)
    assert set(allowed(templates["Collection"], "cloudformation")) == {
        "cloudformation:DescribeStacks",
        "cloudformation:DescribeStackResources",
    }
    [rule] = of_type(templates["Collection"], "AWS::Events::Rule")
    assert rule["ScheduleExpression"] == "rate(1 day)"
    assert json.loads(variables(templates["Collection"])["TARGETS"])[2] == {
        "endpoint": "mlops-churn-prod",
        "stack": "mlops-churn-prod",
    }


def test_the_command_knows_the_actions_by_the_same_names() -> None:
    assert (account.OUTCOME_ACTION, account.LAST_ACTION) == (OUTCOME_ACTION, LAST_ACTION)
