from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template

from mlops_constructs.acknowledgements import acknowledge, flat


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket/*"),
        ({"Ref": "Queue"}, "<Queue>"),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, "<Queue.Arn>"),
        ({"Fn::Join": ["", [{"Fn::GetAtt": ["Bucket", "Arn"]}, "/*"]]}, "<Bucket.Arn>/*"),
        ({"Fn::Join": [":", ["arn", {"Ref": "AWS::Partition"}, "s3"]]}, "arn:<AWS::Partition>:s3"),
        ({"Fn::Join": ["", [{"Fn::ImportValue": "stack:Export"}, "/runs/*"]]}, "stack:Export/runs/*"),
        ({"Fn::Sub": ["a"]}, "a"),
    ],
)
def test_an_arn_is_written_as_the_checker_writes_it(value: Any, text: str) -> None:
    assert flat(value) == text


def queue() -> tuple[cdk.Stack, sqs.Queue]:
    stack = cdk.Stack(cdk.App(), "Stack")
    return stack, sqs.Queue(stack, "Queue")


def test_reasons_for_checkov_stand_in_the_template_one_beside_the_other() -> None:
    stack, one = queue()
    acknowledge(one, {"CKV_AWS_1": "first reason"})
    acknowledge(one, {"CKV_AWS_2": "second reason"})
    (resource,) = Template.from_stack(stack).find_resources("AWS::SQS::Queue").values()
    assert resource["Metadata"]["checkov"]["skip"] == [
        {"id": "CKV_AWS_1", "comment": "first reason"},
        {"id": "CKV_AWS_2", "comment": "second reason"},
    ]


def test_a_reason_for_checkov_needs_one_resource_to_stand_at() -> None:
    stack, _ = queue()
    with pytest.raises(TypeError, match="is not one resource"):
        acknowledge(stack, {"CKV_AWS_1": "a reason"})
