"""What each role was granted, and what of it the rehearsal needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlops.rehearsal import assembly, credentials, iam

AGENT = "AWS's own agent does this in the name of the role; here the program runs without it"
VOLUME = "for the encrypted volume of an instance; there are no instances here"
LATER = "CloudFormation needs it when tags or alarms change, or when the stack is deleted"
LOGGING = "Step Functions delivers logs and traces itself; not emulated"
TRACING = "traces are not emulated"
DELIVERY = "only when an event cannot be handled: it goes, encrypted, to the dead-letter queue"
STOPPED = "only when an execution is stopped or runs into its time limit"
LAYERS = "an image engine uploads layers with it; where there is none, an image here is its manifest alone"

COLLECTED = "once a day, which no rehearsal lasts; its function is tried in tests/lambdas"
REJECTED = "only when a version is rejected that serves; tests/rollback rejects one"
EXPLAINED: dict[str, str] = {
    "ImageBuild: s3:GetObject": "CodeBuild may ask for the object before it asks for its version",
    "cloudformation:DescribeStackEvents": "only when a deployment fails: they tell why",
    "cloudwatch:DeleteAlarms": LATER,
    "cloudwatch:DescribeAlarms": LATER,
    "cloudwatch:ListTagsForResource": LATER,
    "cloudwatch:PutMetricAlarm": LATER,
    "cloudwatch:PutMetricData": AGENT,
    **{
        f"CollectConfigurations: {action}": COLLECTED
        for action in (
            "cloudformation:DescribeStackResources",
            "cloudformation:DescribeStacks",
            "sagemaker:DescribeEndpoint",
            "sagemaker:DescribeTransformJob",
            "sagemaker:ListEndpointConfigs",
            "sagemaker:ListEndpoints",
            "sagemaker:ListModels",
            "sagemaker:ListTransformJobs",
        )
    },
    **{
        f"RollBack: {action}": REJECTED
        for action in ("codepipeline:RollbackStage", "dynamodb:PutItem", "dynamodb:UpdateItem", "sns:Publish")
    },
    "cloudwatch:TagResource": LATER,
    "cloudwatch:UntagResource": LATER,
    "codebuild:StopBuild": STOPPED,
    "codepipeline:PutJobFailureResult": "only when the action fails",
    "dynamodb:DeleteItem": "only when a start fails: the event may then start it again",
    "dynamodb:GetItem": "only when the same event comes twice at the same moment",
    "ecr:BatchCheckLayerAvailability": AGENT,
    "ecr:BatchGetImage": AGENT,
    "ecr:CompleteLayerUpload": LAYERS,
    "ecr:GetAuthorizationToken": AGENT,
    "ecr:GetDownloadUrlForLayer": AGENT,
    "ecr:InitiateLayerUpload": LAYERS,
    "ecr:UploadLayerPart": LAYERS,
    "kms:CreateGrant": VOLUME,
    "kms:Decrypt": "Lambda decrypts the environment of a function when a sandbox starts",
    "kms:DescribeKey": VOLUME,
    "kms:GenerateDataKey": DELIVERY,
    "logs:CreateLogDelivery": LOGGING,
    "logs:CreateLogGroup": AGENT,
    "logs:CreateLogStream": AGENT,
    "logs:DeleteLogDelivery": LOGGING,
    "logs:DescribeLogGroups": LOGGING,
    "logs:DescribeLogStreams": AGENT,
    "logs:DescribeResourcePolicies": LOGGING,
    "logs:GetLogDelivery": LOGGING,
    "logs:ListLogDeliveries": LOGGING,
    "logs:PutLogEvents": AGENT,
    "logs:PutResourcePolicy": LOGGING,
    "logs:UpdateLogDelivery": LOGGING,
    "s3:AbortMultipartUpload": "only when a copy cannot be finished: its parts are dropped",
    "s3:GetObjectVersion": "CodePipeline hands its artifacts to CodeBuild by version; here by key",
    "sagemaker:DeleteEndpoint": LATER,
    "sagemaker:DeleteEndpointConfig": LATER,
    "sagemaker:DeleteModel": LATER,
    "sagemaker:DeleteTags": LATER,
    "sagemaker:DescribeEndpointConfig": LATER,
    "sagemaker:DescribeModel": LATER,
    "sagemaker:ListTags": LATER,
    "sagemaker:StopProcessingJob": STOPPED,
    "sagemaker:StopTrainingJob": STOPPED,
    "sagemaker:StopTransformJob": STOPPED,
    "sagemaker:UpdateEndpoint": "only from the second deployment on",
    "sqs:SendMessage": DELIVERY,
    "states:StopExecution": STOPPED,
    "xray:GetSamplingRules": LOGGING,
    "xray:GetSamplingTargets": LOGGING,
    "xray:PutTelemetryRecords": TRACING,
    "xray:PutTraceSegments": LOGGING,
}
"""Why a permission is granted though a rehearsal need not use it; what is not here has to be used or taken away.

A key is an action, or one of a single construct: "Construct: action".
"""

_RUNBOOK = "Systems Manager runs its runbook with it; moto lacks associations, so none runs here"
IN_A_NETWORK: dict[str, str] = {
    "DefaultGroup: ec2:DescribeSecurityGroups": _RUNBOOK,
    "DefaultGroup: ec2:RevokeSecurityGroupEgress": _RUNBOOK,
    "DefaultGroup: ec2:RevokeSecurityGroupIngress": _RUNBOOK,
    "DefaultGroup: ssm:GetAutomationExecution": _RUNBOOK,
    "DefaultGroup: ssm:StartAutomationExecution": _RUNBOOK,
}
"""The same for what is granted only where the settings ask for a network."""

_SCALED = "for models with autoscaling or schedules, whichever come: the owner of the account deploys this once"
_SCALING_CALLS = (
    "DeleteScalingPolicy",
    "DeleteScheduledAction",
    "DeregisterScalableTarget",
    "DescribeScalableTargets",
    "DescribeScalingPolicies",
    "DescribeScheduledActions",
    "ListTagsForResource",
    "PutScalingPolicy",
    "PutScheduledAction",
    "RegisterScalableTarget",
    "TagResource",
    "UntagResource",
)
IN_A_TARGET: dict[str, str] = {
    **{f"Deployment: application-autoscaling:{call}": _SCALED for call in _SCALING_CALLS},
    "Deployment: iam:CreateServiceLinkedRole": _SCALED,
    "Deployment: sagemaker:UpdateEndpointWeightsAndCapacities": _SCALED,
}
"""The same for what every target account provides."""


@dataclass(kw_only=True)
class RoleUse:
    """A role of the deployed stacks: how often it called, which actions it used, which it never needed."""

    role: str
    owner: str
    granted: set[str] = field(default_factory=set)
    calls: Counter[str] = field(default_factory=Counter)
    denied: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def unused(self) -> list[str]:
        """Granted actions that no call of this rehearsal needed."""
        used = {action.lower() for action in self.calls}
        return sorted(action for action in self.granted if action.lower() not in used)


def denials(folder: Path, stacks: Iterable[str]) -> list[str]:
    """Return every denied call as a sentence that names role, action, resource and the construct that owns the role."""
    return [
        f"{use.owner} may not {action} on {resource} (role {use.role}, {times} times); allow it in that construct"
        for use in role_uses(folder, stacks)
        for (action, resource), times in use.denied.items()
    ]


def unexplained(uses: Iterable[RoleUse]) -> list[str]:
    """Return the permissions that no call needed and that have no explanation."""
    return [f"{use.owner}: {action}" for use in uses for action in use.unused if not explanation(use.owner, action)]


def explanation(owner: str, action: str) -> str | None:
    """Return why the construct `owner` is granted an action that no call needed; None if nobody knows."""
    construct = owner.removesuffix("/ServiceRole").rpartition("/")[2]
    known = EXPLAINED | IN_A_NETWORK | IN_A_TARGET
    return known.get(action) or known.get(f"{construct}: {action}")


def role_uses(folder: Path, stacks: Iterable[str]) -> list[RoleUse]:
    """Return the use of every role that `stacks` of the assembly in `folder` made, in the order of its owner."""
    cloud = assembly.Assembly(folder)
    uses: dict[str, RoleUse] = {}
    for name in stacks:
        stack = cloud.stacks[name]
        for logical_id, physical_id in _roles(stack).items():
            uses[f"{stack.account}/{physical_id}"] = RoleUse(
                role=physical_id,
                owner=stack.owner(logical_id).removesuffix("/Role/Resource"),
                granted=_granted(stack.template["Resources"], logical_id),
            )
    for decision in iam.trace():
        use = uses.get(_key(decision.role_arn))
        if use is None:
            continue
        if decision.allowed:
            use.calls[decision.action] += 1
        else:
            use.denied[decision.action, decision.resource] += 1
    return sorted(uses.values(), key=lambda use: use.owner)


def _key(role_arn: str) -> str:
    """Account and name: two accounts may have roles of the same name."""
    parts = role_arn.split(":")
    return f"{parts[4]}/{parts[-1].rsplit('/', 1)[-1]}" if role_arn.startswith("arn:") else role_arn


def _roles(stack: assembly.StackArtifact) -> dict[str, str]:
    client = credentials.client("cloudformation", account=stack.account, region=stack.region)
    return {
        one["LogicalResourceId"]: one["PhysicalResourceId"]
        for one in client.describe_stack_resources(StackName=stack.name)["StackResources"]
        if one["ResourceType"] == "AWS::IAM::Role"
    }


def _granted(resources: dict[str, Any], role: str) -> set[str]:
    actions: set[str] = set()
    for resource in resources.values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::IAM::ManagedPolicy" and {"Ref": role} in properties.get("Roles", []):
            for statement in properties["PolicyDocument"]["Statement"]:
                found = statement["Action"]
                actions.update([found] if isinstance(found, str) else found)
    return actions
