from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def group(account: Any) -> str:
    name: str = account.name("group")
    account.sagemaker.create_model_package_group(ModelPackageGroupName=name)
    return name


def package(account: Any, group: str, **changes: Any) -> str:
    asked = {
        "ModelPackageGroupName": group,
        "ModelApprovalStatus": "PendingManualApproval",
        "InferenceSpecification": {
            "Containers": [{"Image": "1.dkr/x:1", "ModelDataUrl": "s3://b/model.tar.gz"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
        "CustomerMetadataProperties": {"run": "r-1"},
        "ModelMetrics": {
            "ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": "s3://b/evaluation.json"}}
        },
        **changes,
    }
    return str(account.sagemaker.create_model_package(**asked)["ModelPackageArn"])


def test_the_same_client_token_registers_one_package(account: Any, group: str) -> None:
    first = package(account, group, ClientToken="run-1")
    assert package(account, group, ClientToken="run-1") == first
    assert package(account, group, ClientToken="run-2") != first


def test_a_package_keeps_what_it_was_registered_with(account: Any, group: str) -> None:
    arn = package(account, group)
    account.sagemaker.update_model_package(
        ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="by Ada"
    )
    described = account.sagemaker.describe_model_package(ModelPackageName=arn)
    assert described["ModelApprovalStatus"] == "Approved"
    assert described["ApprovalDescription"] == "by Ada"
    assert described["CustomerMetadataProperties"] == {"run": "r-1"}
    assert described["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"] == "s3://b/evaluation.json"


def test_versions_are_never_used_again(account: Any, group: str) -> None:
    first, second = package(account, group), package(account, group)
    account.sagemaker.delete_model_package(ModelPackageName=second)
    assert [arn.rsplit("/", 1)[1] for arn in (first, second, package(account, group))] == ["1", "2", "3"]


def test_packages_are_listed_newest_first_by_status(account: Any, group: str) -> None:
    arns = [package(account, group) for _ in range(3)]
    account.sagemaker.update_model_package(ModelPackageArn=arns[1], ModelApprovalStatus="Rejected")
    listed = account.sagemaker.list_model_packages(
        ModelPackageGroupName=group,
        ModelApprovalStatus="PendingManualApproval",
        SortBy="CreationTime",
        SortOrder="Descending",
    )["ModelPackageSummaryList"]
    assert [item["ModelPackageArn"] for item in listed] == [arns[2], arns[0]]


def test_a_group_that_is_not_there_is_named(account: Any) -> None:
    with pytest.raises(ClientError, match=r"ModelPackageGroup .*/nowhere does not exist"):
        package(account, "nowhere")


def test_a_group_with_packages_is_not_deleted(account: Any, group: str) -> None:
    arn = package(account, group)
    with pytest.raises(ClientError, match="still contains"):
        account.sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    account.sagemaker.delete_model_package(ModelPackageName=arn)
    account.sagemaker.delete_model_package_group(ModelPackageGroupName=group)


def test_tags_of_a_package_are_set_once(account: Any, group: str) -> None:
    arn = package(account, group)
    for value in ("a", "b"):
        account.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "k", "Value": value}])
    assert account.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "k", "Value": "b"}]


def test_an_approval_is_an_event(account: Any, group: str, waiting: Any) -> None:
    arn = package(account, group)
    sqs, events = account.client("sqs"), account.client("events")
    queue = sqs.create_queue(QueueName=account.name("approvals"))["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Model Package State Change"],
        "detail": {"ModelPackageGroupName": [group], "ModelApprovalStatus": ["Approved"]},
    }
    rule = account.name("approved")
    events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=rule, Targets=[{"Id": "q", "Arn": queue_arn}])
    account.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    message = waiting(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))[0]
    event = json.loads(message["Body"])
    assert (event["detail"]["ModelPackageArn"], event["region"]) == (arn, "eu-west-1")
