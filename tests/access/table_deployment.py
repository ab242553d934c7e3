"""Who changes, sees and calls what serves in the accounts of staging and prod."""

from __future__ import annotations

from collections.abc import Iterator

from tests.access.rows import TARGETS, Row, row
from tests.access.who import ACCOUNTS, REGION

_CHANGE = "cloudformation:CreateChangeSet cloudformation:ExecuteChangeSet"
_SERVE = "sagemaker:CreateEndpoint sagemaker:UpdateEndpoint sagemaker:DeleteEndpoint"


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
        place = f"arn:aws:sagemaker:{REGION}:{ACCOUNTS[target]}"
        endpoint, version = f"{place}:endpoint/mlops-abalone-{target}", f"mlops-abalone-{target}-3"
        other, what = f"{place}:endpoint/fraud-{target}", f"the endpoint of abalone in {target}"
        deployer, observer = f"{target} deployment", f"{target} observer"
        see = f"{deployer}, {observer}"
        yield row(f"make, change or delete {what}", _SERVE, endpoint, who=deployer)
        yield row(f"make, change or delete another endpoint of {target}", _SERVE, other)
        yield row(f"make a model for {what}", "sagemaker:CreateModel", f"{place}:model/{version}", who=deployer)
        yield row(
            f"make a configuration for {what}",
            "sagemaker:CreateEndpointConfig",
            f"{place}:endpoint-config/{version}",
            who=deployer,
        )
        yield row(f"see {what}", "sagemaker:DescribeEndpoint", endpoint, who=see)
        yield row(
            f"see the configuration of {what}",
            "sagemaker:DescribeEndpointConfig",
            f"{place}:endpoint-config/{version}",
            who=see,
        )
        yield row(f"see the model of {what}", "sagemaker:DescribeModel", f"{place}:model/{version}", who=see)
        yield row(f"call {what}", "sagemaker:InvokeEndpoint", endpoint, who=observer)
        yield row(f"call another endpoint of {target}", "sagemaker:InvokeEndpoint", other)
        yield from _watched(target, what)


def _watched(target: str, what: str) -> Iterator[Row]:
    account, execution = ACCOUNTS[target], f"{target} execution"
    alarm = f"arn:aws:cloudwatch:{REGION}:{account}:alarm:mlops-abalone-{target}-latency"
    logs = f"arn:aws:logs:{REGION}:{account}:log-group:/aws/sagemaker/Endpoints/mlops-abalone-{target}:log-stream:"
    yield row(f"make an alarm for {what}", "cloudwatch:PutMetricAlarm", alarm, who=f"{target} deployment")
    yield row(f"make the log group of {what}", "logs:CreateLogGroup", logs, who=execution)
    yield row(f"write logs of {what}", "logs:CreateLogStream logs:PutLogEvents", f"{logs}a/i-1", who=execution)


def metrics() -> Iterator[Row]:
    """Yield the rows about metrics, which are of one's own account."""
    write = "cloudwatch:PutMetricData"
    writers = (
        "jobs of abalone, jobs of iris, jobs of sandboxes, dev endpoint of iris, staging execution, prod execution"
    )
    yield row("write metrics of SageMaker", write, "*", who=writers, cloudwatch_namespace="/aws/sagemaker/Endpoints")
    yield row("write metrics of others", write, "*", cloudwatch_namespace="AWS/Billing")
