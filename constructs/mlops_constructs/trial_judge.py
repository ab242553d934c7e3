"""The function that judges trials, with what it may look at and change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aws_cdk import ArnFormat, Duration, RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from mlops_constructs.execution_roles import RUNS
from mlops_constructs.functions import WorkflowFunction

ALARMS: Final = (
    "server-errors",
    "model-errors",
    "model-latency",
    "overhead-latency",
    "wrong-answers",
    "prediction-distribution",
)
"""Alarms of the endpoint that end a trial when they go off during it; the others may have nothing to do with it."""
_CAPTURES = "what the variants of this one endpoint were asked and answered; SageMaker names the files"
_METRICS = "GetMetricData has no resource-level permission (Service Authorization Reference, Amazon CloudWatch)"


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a trial at an endpoint is observed: in a table of outcomes, or in what is captured below a key."""

    endpoint: str
    table: str | None = None
    captures: str | None = None


def captures_prefix(model: str, environment: str) -> str:
    """Return below what key of the artifacts the endpoint captures: `DestinationS3Uri` without the bucket."""
    return f"{model}/endpoints/{environment}/captures"


def inferences_table(project: str, environment: str) -> str:
    """Return the name of the table that counts outcomes."""
    return f"{project}-{environment}-inferences"


class TrialJudge(Construct):
    """The function `judge_trial`, for trials at the endpoints of `sources` in this account and region."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        model: str,
        sources: Sequence[Source],
        artifacts: s3.IBucket,
        key: kms.IKey,
        removal_policy: RemovalPolicy,
    ) -> None:
        """Make the function of `model`."""
        super().__init__(scope, construct_id)
        self._artifacts, self._key = artifacts, key
        self._function = WorkflowFunction(
            self,
            "JudgeTrial",
            name="judge_trial",
            description="Decides whether a candidate goes on, takes over or is given up",
            timeout=Duration.minutes(5),
            key=key,
            removal_policy=removal_policy,
        )
        role = self._function.role
        endpoints = [source.endpoint for source in sources]
        role.allow("sagemaker:DescribeEndpoint", on=self._endpoints(endpoints))
        role.allow("cloudwatch:GetMetricData", on="*", because=_METRICS)
        role.allow("cloudwatch:DescribeAlarms", on=self._alarms(endpoints))
        role.allow("s3:PutObject", on=artifacts.arn_for_objects(f"{model}/runs/*/deployments/*.json"), because=RUNS)
        role.allow_use_of_key(key, write=True, via="s3")
        for source in sources:
            self._allow_outcomes(source)
            self._allow_captures(source)

    @property
    def arn(self) -> str:
        """ARN of the function."""
        return self._function.arn

    def _allow_outcomes(self, source: Source) -> None:
        """Allow to read the counters of the endpoint, and to move traffic by what they say."""
        if source.table is None:
            return
        role = self._function.role
        table = Stack.of(self).format_arn(service="dynamodb", resource="table", resource_name=source.table)
        counters = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"outcomes#{source.endpoint}-v*"]}}
        role.allow("dynamodb:BatchGetItem", on=table, when=counters)
        role.allow_use_of_key(self._key, write=False, via="dynamodb")
        role.allow("sagemaker:UpdateEndpointWeightsAndCapacities", on=self._endpoints([source.endpoint]))

    def _allow_captures(self, source: Source) -> None:
        if source.captures is None:
            return
        role, below = self._function.role, f"{source.captures}/{source.endpoint}/*"
        role.allow("s3:ListBucket", on=self._artifacts.bucket_arn, when={"StringLike": {"s3:prefix": below}})
        role.allow("s3:GetObject", on=self._artifacts.arn_for_objects(below), because=_CAPTURES)

    def _endpoints(self, names: Sequence[str]) -> list[str]:
        stack = Stack.of(self)
        return [stack.format_arn(service="sagemaker", resource="endpoint", resource_name=name) for name in names]

    def _alarms(self, endpoints: Sequence[str]) -> list[str]:
        return [
            Stack.of(self).format_arn(
                service="cloudwatch",
                resource="alarm",
                resource_name=f"{endpoint}-{alarm}",
                arn_format=ArnFormat.COLON_RESOURCE_NAME,
            )
            for endpoint in endpoints
            for alarm in ALARMS
        ]
