"""Who changes, sees and calls what serves in the accounts of staging and prod."""

from __future__ import annotations

from collections.abc import Iterator

from tests.access.rows import TARGETS, Row, row
from tests.access.who import ACCOUNTS, REGION

_CHANGE = "cloudformation:CreateChangeSet cloudformation:ExecuteChangeSet"
_SERVE = "sagemaker:CreateEndpoint sagemaker:UpdateEndpoint sagemaker:DeleteEndpoint"
_SCALE = (
    "application-autoscaling:RegisterScalableTarget application-autoscaling:PutScalingPolicy "
    "application-autoscaling:PutScheduledAction"
)
_SCALER = "sagemaker.application-autoscaling.amazonaws.com"
_SCALING_ROLE = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
_API = {"prod": ", prod api"}
"""Who calls endpoints besides, by the environments that have an API."""


def stacks() -> Iterator[Row]:
    """Yield the rows about stacks."""
    for target in TARGETS:
        stack = f"arn:aws:cloudformation:{REGION}:{ACCOUNTS[target]}:stack"
        serving, what = f"{stack}/mlops-abalone-{target}/0a1b", f"the serving stack of abalone in {target}"
        yield row(f"change {what}", _CHANGE, serving, who=f"{target} pipeline")
        yield row(
            f"see a change of {what}",
            "cloudformation:DescribeChangeSet",
            serving,
            who=f"{target} pipeline, {target} observer",
        )
        yield row(
            f"see {what}",
            "cloudformation:DescribeStacks",
            serving,
            who=f"{target} pipeline, {target} observer",
        )
        yield row(f"delete {what}", "cloudformation:DeleteStack", serving)
        yield row(
            f"change another stack of {target}", _CHANGE, f"{stack}/mlops-{target}-target/0a1b", f"{stack}/payroll/0a1b"
        )
        yield row(
            f"give a role of {target} other permissions",
            "iam:PutRolePolicy iam:AttachRolePolicy iam:UpdateAssumeRolePolicy",
            f"role {target} execution",
        )


def endpoints() -> Iterator[Row]:
    """Yield the rows about endpoints."""
    for target in TARGETS:
        endpoint = f"arn:aws:sagemaker:{REGION}:{ACCOUNTS[target]}:endpoint/mlops-abalone-{target}"
        other, what = endpoint.replace("mlops-abalone", "fraud"), f"the endpoint of abalone in {target}"
        deployer, observer = f"{target} deployment", f"{target} observer"
        preview, calling = f"a preview beside {what}", f"{observer}{_API.get(target, '')}"
        yield row(f"make, change or delete {what}", _SERVE, endpoint, who=deployer)
        yield row(f"make, change or delete {preview}", _SERVE, f"{endpoint}-preview", who=deployer)
        yield row(f"make, change or delete another endpoint of {target}", _SERVE, other)
        yield from _versions(target, what, f"{deployer}, {observer}")
        yield row(f"see {what}", "sagemaker:DescribeEndpoint", endpoint, who=f"{deployer}, {calling}")
        yield row(f"see {preview}", "sagemaker:DescribeEndpoint", f"{endpoint}-preview", who=f"{deployer}, {observer}")
        yield row(f"call {what}", "sagemaker:InvokeEndpoint", endpoint, who=calling)
        yield row(f"call {preview}", "sagemaker:InvokeEndpoint", f"{endpoint}-preview", who=observer)
        yield row(f"call another endpoint of {target}", "sagemaker:InvokeEndpoint", other, f"{other}-preview")
        yield from _watched(target, what)
        yield from _scaled(target, endpoint, what)


def _versions(target: str, what: str, see: str) -> Iterator[Row]:
    """Yield the rows about what an endpoint serves: a version, or a candidate."""
    place, name = f"arn:aws:sagemaker:{REGION}:{ACCOUNTS[target]}", f"mlops-abalone-{target}"
    for kind, resource, seeing in (
        ("Model", "model", see),
        ("EndpointConfig", "endpoint-config", f"{see}{_API.get(target, '')}"),
    ):
        thing = "model" if kind == "Model" else "configuration"
        named = [f"{place}:{resource}/{name}-v3-0a1b2c3d{suffix}" for suffix in ("", "-c")]
        change = f"sagemaker:Create{kind} sagemaker:Delete{kind}"
        yield row(f"make or delete a {thing} for {what}", change, *named, who=f"{target} deployment")
        yield row(f"make or delete another {thing} of {target}", change, f"{place}:{resource}/fraud-{target}-v3")
        yield row(f"see the {thing} of {what}", f"sagemaker:Describe{kind}", *named, who=seeing)


def _watched(target: str, what: str) -> Iterator[Row]:
    account, execution = ACCOUNTS[target], f"{target} execution"
    alarm = f"arn:aws:cloudwatch:{REGION}:{account}:alarm:mlops-abalone-{target}-server-errors"
    see = f"{target} deployment, {execution}"
    yield row(f"make an alarm for {what}", "cloudwatch:PutMetricAlarm", alarm, who=f"{target} deployment")
    yield row(f"see an alarm of {what}", "cloudwatch:DescribeAlarms", alarm, who=see)
    for name in (what, f"a preview beside {what}"):
        endpoint = f"mlops-abalone-{target}{'' if name == what else '-preview'}"
        logs = f"arn:aws:logs:{REGION}:{account}:log-group:/aws/sagemaker/Endpoints/{endpoint}:log-stream:"
        yield row(f"make the log group of {name}", "logs:CreateLogGroup", logs, who=execution)
        yield row(f"write logs of {name}", "logs:CreateLogStream logs:PutLogEvents", f"{logs}a/i-1", who=execution)


def _scaled(target: str, endpoint: str, what: str) -> Iterator[Row]:
    """Yield the rows about how many instances an endpoint has."""
    account, deployer = ACCOUNTS[target], f"{target} deployment"
    scalable = f"arn:aws:application-autoscaling:{REGION}:{account}:scalable-target/0a1b"
    alarm = f"arn:aws:cloudwatch:{REGION}:{account}:alarm:TargetTracking-endpoint"
    role = f"arn:aws:iam::{account}:role/aws-service-role"
    name = "application-autoscaling:service-namespace"
    yield row(f"scale endpoints of {target}", _SCALE, scalable, who=deployer, given={name: "sagemaker"})
    yield row(f"scale something else of {target}", _SCALE, scalable, given={name: "dynamodb"})
    yield row(f"label what scales in {target}", "application-autoscaling:TagResource", scalable, who=deployer)
    yield row(
        f"set how many instances {what} has, and the weights of its variants",
        "sagemaker:UpdateEndpointWeightsAndCapacities",
        endpoint,
        who=deployer,
    )
    yield row(
        f"make the alarm that scales {what}",
        "cloudwatch:PutMetricAlarm",
        f"{alarm}/mlops-abalone-{target}/variant/live-AlarmHigh-0a1b",
        who=deployer,
    )
    yield row(
        f"make the alarm that scales another endpoint of {target}",
        "cloudwatch:PutMetricAlarm",
        f"{alarm}/fraud-{target}/variant/live-AlarmHigh-0a1b",
    )
    make = "iam:CreateServiceLinkedRole"
    yield row(
        f"let Application Auto Scaling scale endpoints of {target}",
        make,
        f"{role}/{_SCALER}/{_SCALING_ROLE}",
        who=deployer,
        iam_AWSServiceName=_SCALER,
    )
    yield row(
        f"let another service into {target}",
        make,
        f"{role}/ecs.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService",
        iam_AWSServiceName="ecs.application-autoscaling.amazonaws.com",
    )


def metrics() -> Iterator[Row]:
    """Yield the rows about metrics and what scales, which are of one's own account."""
    write = "cloudwatch:PutMetricData"
    writers = (
        "jobs of abalone, jobs of iris, jobs of sandboxes, dev endpoint of iris, staging execution, prod execution"
    )
    yield row("write metrics of SageMaker", write, "*", who=writers, cloudwatch_namespace="/aws/sagemaker/Endpoints")
    yield row(
        "write metrics of the product",
        write,
        "*",
        who="bake of iris, staging observer, prod observer",
        cloudwatch_namespace="MLOps",
    )
    yield row("write metrics of others", write, "*", cloudwatch_namespace="AWS/Billing")
    yield row(
        "see what scales",
        "application-autoscaling:DescribeScalableTargets application-autoscaling:DescribeScalingPolicies",
        "*",
        who="staging deployment, prod deployment",
    )
