"""Stages and actions of CodePipeline, one small function for each kind of action that the product uses.

Reference of each action: https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import aws_codepipeline as codepipeline

Action = codepipeline.CfnPipeline.ActionDeclarationProperty
Stage = codepipeline.CfnPipeline.StageDeclarationProperty

EXECUTION_ID = "#{codepipeline.PipelineExecutionId}"


def stage(name: str, actions: Sequence[Action], *, goes_back: bool = False) -> Stage:
    """Return a stage of `actions`; one that `goes_back` runs again after a failure, as it last succeeded.

    https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback-auto.html
    """
    failed = codepipeline.CfnPipeline.FailureConditionsProperty(result="ROLLBACK") if goes_back else None
    return codepipeline.CfnPipeline.StageDeclarationProperty(name=name, actions=list(actions), on_failure=failed)


def s3_source(name: str, *, bucket: str, key: str, output: str) -> Action:
    """Return a source that takes an object of a versioned bucket; an event starts it, it never polls."""
    return _action(
        name,
        ("Source", "AWS", "S3"),
        {"S3Bucket": bucket, "S3ObjectKey": key, "PollForSourceChanges": "false"},
        outputs=[output],
        namespace=name,
    )


def connection_source(name: str, *, connection_arn: str, repository: str, branch: str, output: str) -> Action:
    """Return a source that takes a branch of a repository through a CodeConnections connection."""
    return _action(
        name,
        ("Source", "AWS", "CodeStarSourceConnection"),
        {
            "ConnectionArn": connection_arn,
            "FullRepositoryId": repository,
            "BranchName": branch,
            "DetectChanges": "true",
        },
        outputs=[output],
        namespace=name,
    )


def build(name: str, *, project: str, source: str, output: str | None = None, namespace: str | None = None) -> Action:
    """Return a CodeBuild action; the variables that the build exports stand in `namespace`."""
    return _action(
        name,
        ("Build", "AWS", "CodeBuild"),
        {"ProjectName": project},
        inputs=[source],
        outputs=[output] if output else [],
        namespace=namespace,
    )


def run_state_machine(name: str, *, arn: str, payload: Mapping[str, Any], run_order: int = 1, namespace: str) -> Action:
    """Return an action that runs a state machine to its end; a failed execution fails the action with its cause."""
    return _action(
        name,
        ("Invoke", "AWS", "StepFunctions"),
        {"StateMachineArn": arn, "InputType": "Literal", "Input": _json(payload)},
        run_order=run_order,
        namespace=namespace,
    )


def run_function(
    name: str, *, function: str, parameters: Mapping[str, Any], run_order: int, namespace: str | None = None
) -> Action:
    """Return an action that invokes a short function, which answers with PutJobSuccessResult or -FailureResult."""
    return _action(
        name,
        ("Invoke", "AWS", "Lambda"),
        {"FunctionName": function, "UserParameters": _json(parameters)},
        run_order=run_order,
        namespace=namespace,
    )


def approve(name: str, *, topic_arn: str, message: str) -> Action:
    """Return a manual approval that the topic announces."""
    return _action(name, ("Approval", "AWS", "Manual"), {"NotificationArn": topic_arn, "CustomData": message})


def create_change_set(
    name: str,
    *,
    stack: str,
    change_set: str,
    template: str,
    role_arn: str,
    parameters: Mapping[str, str],
    artifact: str,
    run_order: int = 1,
    assumed: str | None = None,
    region: str | None = None,
) -> Action:
    """Return an action that makes a change set and changes nothing.

    In another account the pipeline becomes the role `assumed` there; `region` is that of the stack, where it differs.
    """
    return _action(
        name,
        ("Deploy", "AWS", "CloudFormation"),
        {
            "ActionMode": "CHANGE_SET_REPLACE",
            "StackName": stack,
            "ChangeSetName": change_set,
            "TemplatePath": template,
            "Capabilities": "CAPABILITY_IAM",
            "RoleArn": role_arn,
            "ParameterOverrides": _json(parameters),
        },
        run_order=run_order,
        inputs=[artifact],
        assumed=assumed,
        region=region,
    )


def execute_change_set(
    name: str,
    *,
    stack: str,
    change_set: str,
    run_order: int,
    namespace: str,
    assumed: str | None = None,
    region: str | None = None,
) -> Action:
    """Return an action that executes the change set; the outputs of the stack become variables."""
    return _action(
        name,
        ("Deploy", "AWS", "CloudFormation"),
        {"ActionMode": "CHANGE_SET_EXECUTE", "StackName": stack, "ChangeSetName": change_set},
        run_order=run_order,
        namespace=namespace,
        assumed=assumed,
        region=region,
    )


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))


def _action(
    name: str,
    action_type: tuple[str, str, str],
    configuration: Mapping[str, str],
    *,
    run_order: int = 1,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    namespace: str | None = None,
    assumed: str | None = None,
    region: str | None = None,
) -> Action:
    category, owner, provider = action_type
    return codepipeline.CfnPipeline.ActionDeclarationProperty(
        name=name,
        action_type_id=codepipeline.CfnPipeline.ActionTypeIdProperty(
            category=category, owner=owner, provider=provider, version="1"
        ),
        configuration=dict(configuration),
        run_order=run_order,
        input_artifacts=[codepipeline.CfnPipeline.InputArtifactProperty(name=artifact) for artifact in inputs],
        output_artifacts=[codepipeline.CfnPipeline.OutputArtifactProperty(name=artifact) for artifact in outputs],
        namespace=namespace,
        role_arn=assumed,
        region=region,
    )
