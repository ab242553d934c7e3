"""Which resources an API call touches, as ARNs: per service the types of resources and the parameters that name them.

Which types an action is authorized against comes from the service authorization reference, as cfn-lint ships it. An
action or a type that is not known here raises UnknownCallError, and the call is denied.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any


class UnknownCallError(ValueError):
    """The evaluator does not know an API, or how to name what it touches."""


# service -> resource type -> (parameter, what follows "arn:aws:<service>:<region>:<account>:"); an ARN stays as it is.
_BY_TYPE: dict[str, dict[str, tuple[tuple[str, str], ...]]] = {
    "sagemaker": {
        "training-job": (("TrainingJobName", "training-job/{}"),),
        "processing-job": (("ProcessingJobName", "processing-job/{}"),),
        "transform-job": (("TransformJobName", "transform-job/{}"),),
        "hyper-parameter-tuning-job": (("HyperParameterTuningJobName", "hyper-parameter-tuning-job/{}"),),
        "model": (("ModelName", "model/{}"),),
        "endpoint": (("EndpointName", "endpoint/{}"),),
        "endpoint-config": (("EndpointConfigName", "endpoint-config/{}"),),
        "model-package": (
            ("ModelPackageGroupName", "model-package/{}/*"),
            ("ModelPackageName", "model-package/{}"),
            ("ModelPackageArn", "model-package/{}"),
        ),
        "model-package-group": (("ModelPackageGroupName", "model-package-group/{}"),),
        "inference-component": (("InferenceComponentName", "inference-component/{}"),),
        "feature-group": (("FeatureGroupName", "feature-group/{}"),),
        "monitoring-schedule": (("MonitoringScheduleName", "monitoring-schedule/{}"),),
        "pipeline": (("PipelineName", "pipeline/{}"),),
        "pipeline-execution": (("PipelineExecutionArn", "{}"),),
        "notebook-instance": (("NotebookInstanceName", "notebook-instance/{}"),),
        "training-plan": (),
        "reserved-capacity": (),
    },
    "states": {
        "statemachine": (("stateMachineArn", "{}"), ("name", "stateMachine:{}")),
        "execution": (("executionArn", "{}"),),
        "express": (),
        "maprun": (("mapRunArn", "{}"),),
        "activity": (("activityArn", "{}"),),
        "statemachinealias": (("stateMachineAliasArn", "{}"),),
        "statemachineversion": (("stateMachineVersionArn", "{}"),),
    },
    "lambda": {
        "function": (("FunctionName", "function:{}"),),
        "layerversion": (("LayerName", "layer:{}"),),
        "layer": (("LayerName", "layer:{}"),),
        "eventsourcemapping": (("UUID", "event-source-mapping:{}"),),
    },
    "codepipeline": {
        "pipeline": (("pipelineName", "{}"), ("name", "{}"), ("pipeline.name", "{}")),
    },
    "codebuild": {
        "project": (("projectName", "project/{}"), ("name", "project/{}"), ("names[]", "project/{}")),
        "report-group": (("reportGroupName", "report-group/{}"), ("reportGroupArn", "{}"), ("reportArn", "{}")),
    },
    "cloudformation": {
        "stack": (("StackName", "stack/{}/*"),),
        "stackset": (("StackSetName", "stackset/{}:*"),),
    },
    "sns": {"topic": (("TopicArn", "{}"), ("TargetArn", "{}"), ("ResourceArn", "{}"), ("Name", "{}"))},
    "dynamodb": {
        "table": (("TableName", "table/{}"),),
        "index": (),
        "stream": (("StreamArn", "{}"),),
    },
    "kms": {"key": (("KeyId", "key/{}"), ("TargetKeyId", "key/{}")), "alias": (("AliasName", "{}"),)},
    "logs": {
        "log-group": (
            ("logGroupName", "log-group:{}"),
            ("logGroupIdentifier", "log-group:{}"),
            ("resourceArn", "{}"),
        ),
    },
    "ssm": {
        "parameter": (("Name", "parameter/{}"), ("Names[]", "parameter/{}"), ("Path", "parameter/{}")),
    },
    "events": {
        "event-bus": (("EventBusName", "event-bus/{}"), ("Entries[].EventBusName", "event-bus/{}")),
        "event-busv2": (),
        "rule-on-custom-event-bus": (),
        "rule-on-default-event-bus": (("Name", "rule/{}"), ("Rule", "rule/{}")),
    },
    "cloudwatch": {
        "alarm": (("AlarmName", "alarm:{}"), ("AlarmNames[]", "alarm:{}")),
        "dashboard": (),
        "dataset": (),
    },
    "ecr": {
        "repository": (
            ("repositoryName", "repository/{}"),
            ("repositoryNames[]", "repository/{}"),
            ("resourceArn", "{}"),
        )
    },
    "sts": {"role": (("RoleArn", "{}"),)},
    "sqs": {"queue": (("QueueUrl", "{}"), ("QueueName", "{}"))},
    "iam": {
        "role": (("RoleName", "role/{}"), ("PolicySourceArn", "{}")),
        "policy": (("PolicyArn", "{}"), ("PolicyName", "policy/{}")),
        "instance-profile": (("InstanceProfileName", "instance-profile/{}"),),
        "user": (("UserName", "user/{}"),),
        "group": (("GroupName", "group/{}"),),
    },
    # Its id is made by the service; policies can tell targets of one namespace from those of others, no more.
    "application-autoscaling": {"scalabletarget": (("ServiceNamespace", "scalable-target/{}"),)},
    "codeconnections": {"connection": (("ConnectionArn", "{}"),)},
    "codestar-connections": {"connection": (("ConnectionArn", "{}"),)},
}
# Calls whose resource is not named by its type's own parameter.
_BY_ACTION: dict[str, tuple[tuple[str, str], ...]] = {
    "sagemaker:AddTags": (("ResourceArn", "{}"),),
    "sagemaker:ListTags": (("ResourceArn", "{}"),),
    "sagemaker:DeleteTags": (("ResourceArn", "{}"),),
    "states:TagResource": (("resourceArn", "{}"),),
    "states:ListTagsForResource": (("resourceArn", "{}"),),
    "lambda:TagResource": (("Resource", "{}"),),
    "lambda:ListTags": (("Resource", "{}"),),
    "codepipeline:PutApprovalResult": (("approval", "{}"),),
    "codepipeline:RetryStageExecution": (("stage", "{}"),),
    "codepipeline:RollbackStage": (("stage", "{}"),),
    "codepipeline:ListTagsForResource": (("resourceArn", "{}"),),
    "codebuild:BatchGetBuilds": (("ids[]", "project/{}"),),
    "codebuild:StopBuild": (("id", "project/{}"),),
    "logs:CreateLogStream": (("logStream", "{}"),),
    "logs:PutLogEvents": (("logStream", "{}"),),
    "logs:GetLogEvents": (("logStream", "{}"),),
    "cloudwatch:PutMetricData": (),
    "cloudwatch:GetMetricData": (),
    "kms:CreateGrant": (("KeyId", "key/{}"),),
    "events:CreateEventBus": (("Name", "event-bus/{}"),),
    "events:DescribeEventBus": (("Name", "event-bus/{}"),),
    "events:DeleteEventBus": (("Name", "event-bus/{}"),),
}
_NO_PERMISSION_NEEDED = frozenset({"sts:GetCallerIdentity", "sts:GetSessionToken"})


@functools.cache
def _reference() -> dict[str, dict[str, Any]]:
    # Found, not imported: importing cfnlint takes seconds.
    spec = find_spec("cfnlint")
    if spec is None or spec.origin is None:
        msg = "cfn-lint is not installed, its service authorization reference is needed; set the environment up again"
        raise RuntimeError(msg)
    text = (Path(spec.origin).parent / "data" / "AdditionalSpecs" / "Policies.json").read_text(encoding="utf-8")
    return {service: content.get("Actions", {}) for service, content in json.loads(text).items()}


def needs_no_permission(action: str) -> bool:
    """Whether AWS answers this call to everybody who is signed in."""
    return action in _NO_PERMISSION_NEEDED


def resource_types(action: str) -> tuple[str, ...]:
    """Return the types of resource that an action is authorized against; none means that only "*" can be granted.

    Raises:
        UnknownCallError: there is no such action.

    """
    service, _, name = action.partition(":")
    entry = _reference().get(service, {}).get(name.lower())
    if entry is None:
        msg = f"the rehearsal's IAM evaluator does not know the action {action}"
        raise UnknownCallError(msg)
    return tuple(str(kind).lower() for kind in entry.get("Resources", ()))


def resources_of(action: str, params: Mapping[str, Any], *, account: str, region: str) -> list[tuple[str, ...]]:
    """Return the resources that a call touches, each with the ways in which policies may write its ARN.

    Raises:
        UnknownCallError: the action or the way to name its resources is not known.

    """
    service = action.partition(":")[0]
    prefix = f"arn:aws:{service}:{region}:{account}:"
    types = resource_types(action)
    if not types:
        return [("*",)]
    rules = _BY_ACTION.get(action)
    if rules is None:
        known = _BY_TYPE.get(service, {})
        unknown = [kind for kind in types if kind not in known]
        rules = tuple(rule for kind in types for rule in known.get(kind, ()))
        if unknown and not rules:
            msg = f"the rehearsal's IAM evaluator does not know how a request names the {unknown[0]} of {action}"
            raise UnknownCallError(msg)
        found = [
            names for kind in types for names in _first_named(known.get(kind, ()), params, prefix, action)
        ]  # one parameter names each type
    else:
        found = _first_named(rules, params, prefix, action)
    return found or [("*",)]


def _first_named(
    rules: tuple[tuple[str, str], ...], params: Mapping[str, Any], prefix: str, action: str
) -> list[tuple[str, ...]]:
    for path, template in rules:
        values = values_at(params, path)
        if values:
            return [_names(action, value, template, prefix) for value in values]
    return []


def values_at(params: Mapping[str, Any], path: str) -> list[str]:
    """Return the texts at a path such as "Targets[].RoleArn"."""
    found: list[Any] = [params]
    for part in path.split("."):
        many = part.endswith("[]")
        name = part.removesuffix("[]")
        found = [item[name] for item in found if isinstance(item, Mapping) and name in item]
        if many:
            found = [element for item in found if isinstance(item, list) for element in item]
    return [str(item) for item in found if isinstance(item, str) and item]


def _names(action: str, value: str, template: str, prefix: str) -> tuple[str, ...]:  # noqa: C901, PLR0911 - the steps of IAM's evaluation in their order
    service = action.partition(":")[0]
    if service == "logs":
        return _log_names(value if value.startswith("arn:") else prefix + template.format(value))
    if service == "kms":
        return (key_arn(value, prefix=prefix),)
    if service == "cloudformation" and "changeSet/" in value:
        return (prefix + "stack/*",)
    if value.startswith("arn:"):
        return (value,)
    match service:
        case "sqs":
            return (prefix + value.rsplit("/", 1)[-1],)
        case "iam":
            return (_iam_arn(template.format(value), prefix),)
        case "ssm":
            name = value.lstrip("/")
            if action == "ssm:GetParametersByPath":
                return (f"{prefix}parameter/{name}", f"{prefix}parameter/{name.rstrip('/')}/*")
            return (f"{prefix}parameter/{name}",)
        case "sagemaker":
            return (prefix + template.format(value.lower()),)
        case "codebuild":
            return (prefix + template.format(value.split(":", maxsplit=1)[0]),)
        case "lambda":
            return (prefix + template.format(value.rsplit(":function:", maxsplit=1)[-1]),)
    return (prefix + template.format(value),)


def _iam_arn(path: str, prefix: str) -> str:
    from moto.iam.models import iam_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    account = prefix.split(":")[4]
    kind, _, name = path.partition("/")
    if kind == "role":
        for role in iam_backends[account]["aws"].roles.values():
            if role.name == name:
                return str(role.arn)
    return f"arn:aws:iam::{account}:{path}"


def _log_names(arn: str) -> tuple[str, ...]:
    # AWS compares a log group with and without the trailing ":*".
    bare = arn.removesuffix(":*")
    return (bare, bare + ":*") if ":log-stream:" not in bare else (bare,)


def key_arn(key: str, *, prefix: str) -> str:
    """Return the ARN of the KMS key that an ARN, an id or an alias stands for."""
    from moto.kms.models import kms_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    region, account = prefix.split(":")[3:5]
    name = "alias/" + key.split(":alias/", 1)[1] if ":alias/" in key else key
    if name.startswith("alias/"):
        for candidate in kms_backends[account][region].keys.values():
            if name in candidate.aliases:
                return str(candidate.arn)
        return f"arn:aws:kms:{region}:{account}:{name}"
    return key if key.startswith("arn:") else f"arn:aws:kms:{region}:{account}:key/{key}"
