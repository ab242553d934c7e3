"""The policies of resources, wherever a template writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.access.cloud import Cloud, Stack
from tests.access.documents import as_list, document

Guards = Iterator[tuple[str, Any]]
"""ARNs of resources and the statements that guard them."""


def _attached(kind: str, target: str, text: str) -> Callable[[Cloud, Stack, str], Guards]:
    """Return a reader of policies that are resources of their own and name the resources that they guard."""

    def read(cloud: Cloud, stack: Stack, logical_id: str) -> Guards:
        given = cloud.properties(stack, logical_id, target, text)
        for one in as_list(given[target]):
            yield (one if one.startswith("arn:") else kind.format(one)), given[text]["Statement"]

    return read


def _own(text: str) -> Callable[[Cloud, Stack, str], Guards]:
    """Return a reader of policies that are a property of the resource which they guard."""

    def read(cloud: Cloud, stack: Stack, logical_id: str) -> Guards:
        policy = cloud.properties(stack, logical_id, text).get(text)
        if policy:
            yield cloud.physical(stack, logical_id).arn, document("", policy).body["Statement"]

    return read


def _permission(cloud: Cloud, stack: Stack, logical_id: str) -> Guards:
    wanted = ("Action", "FunctionName", "Principal", "SourceArn", "SourceAccount", "PrincipalOrgID")
    given = cloud.properties(stack, logical_id, *wanted)
    function, principal = given["FunctionName"], given["Principal"]
    arn = (
        function
        if function.startswith("arn:")
        else f"arn:aws:lambda:{stack.region}:{stack.account}:function:{function}"
    )
    conditions: dict[str, dict[str, str]] = {}
    if "SourceArn" in given:
        conditions["ArnLike"] = {"aws:SourceArn": given["SourceArn"]}
    if "SourceAccount" in given:
        conditions["StringEquals"] = {"aws:SourceAccount": given["SourceAccount"]}
    if "PrincipalOrgID" in given:
        conditions.setdefault("StringEquals", {})["aws:PrincipalOrgID"] = given["PrincipalOrgID"]
    kind = "Service" if principal.endswith(".amazonaws.com") else "AWS"
    yield (
        arn,
        {
            "Sid": logical_id,
            "Effect": "Allow",
            "Principal": {kind: principal},
            "Action": given["Action"],
            "Resource": arn,
            **({"Condition": conditions} if conditions else {}),
        },
    )


def _bus_policy(cloud: Cloud, stack: Stack, logical_id: str) -> Guards:
    given = cloud.properties(stack, logical_id, "EventBusName", "Statement", "StatementId")
    name = given.get("EventBusName", "default")
    arn = name if name.startswith("arn:") else f"arn:aws:events:{stack.region}:{stack.account}:event-bus/{name}"
    yield arn, {"Sid": given["StatementId"], **given["Statement"]}


GUARDS: dict[str, Callable[[Cloud, Stack, str], Guards]] = {
    "AWS::ECR::Repository": _own("RepositoryPolicyText"),
    "AWS::Events::EventBus": _own("Policy"),
    "AWS::Events::EventBusPolicy": _bus_policy,
    "AWS::KMS::Key": _own("KeyPolicy"),
    "AWS::Lambda::Permission": _permission,
    "AWS::S3::BucketPolicy": _attached("arn:aws:s3:::{}", "Bucket", "PolicyDocument"),
    "AWS::SNS::TopicPolicy": _attached("{}", "Topics", "PolicyDocument"),
    "AWS::SQS::QueuePolicy": _attached("{}", "Queues", "PolicyDocument"),
    "AWS::SageMaker::ModelPackageGroup": _own("ModelPackageGroupPolicy"),
}
ELSEWHERE = {
    "AWS::EC2::VPCEndpoint",  # limits what passes through it, admits nobody
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::IAM::RolePolicy",
}
"""Kinds with documents that guard no resource, or that are read with the roles."""
