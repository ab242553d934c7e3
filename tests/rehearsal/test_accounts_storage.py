from __future__ import annotations

from typing import Any

import pytest

from mlops.rehearsal import credentials, iam
from tests.rehearsal import accounts_world as world
from tests.rehearsal.iam_world import allow, document, refused

pytestmark = pytest.mark.usefixtures("aws")
MINE = [allow("s3:*", "kms:*")]


def read(*, statement: bool = True, grant: bool = True, mine: list[dict[str, Any]] | None = None) -> str:
    """Return how an encrypted object in the tools account answers to a role in staging."""
    through_s3 = {"StringEquals": {"kms:ViaService": f"s3.{world.HERE}.amazonaws.com"}}
    admitted = world.admit(world.STAGING, "/*", "kms:Decrypt", **through_s3)
    key = world.key(world.TOOLS, *([admitted] if grant else []))
    policy = [world.admit(world.STAGING, "/*", "s3:GetObject", on="{bucket}/*")] if statement else []
    name = world.bucket(world.TOOLS, *policy, kms=key)
    credentials.client("s3").put_object(Bucket=name, Key="k", Body=b"x")
    actor = world.role(world.STAGING, *(MINE if mine is None else mine))
    return refused(world.as_role(actor, "s3").get_object, Bucket=name, Key="k")


def test_an_object_of_another_account_is_read_when_bucket_key_and_identity_allow_it() -> None:
    assert read() == ""


def test_without_the_statement_of_the_bucket_it_is_not() -> None:
    assert read(statement=False) == "AccessDenied"
    assert iam.trace()[-1].action == "s3:GetObject"


def test_without_the_statement_of_the_key_it_is_not() -> None:
    assert read(grant=False) == "AccessDenied"
    assert iam.trace()[-1].action == "kms:Decrypt"


@pytest.mark.parametrize("mine", [[allow("s3:*")], [allow("kms:*")], []])
def test_without_its_own_permission_it_is_not(mine: list[dict[str, Any]]) -> None:
    assert read(mine=mine) == "AccessDenied"


def test_the_key_of_the_account_that_aws_manages_admits_nobody_else() -> None:
    name = world.bucket(world.TOOLS, world.admit(world.STAGING, "/*", "s3:GetObject", on="{bucket}/*"))
    credentials.client("s3").put_object(Bucket=name, Key="k", Body=b"x", ServerSideEncryption="aws:kms")
    credentials.client("s3").get_object(Bucket=name, Key="k")
    actor = world.role(world.STAGING, *MINE)
    assert refused(world.as_role(actor, "s3").get_object, Bucket=name, Key="k") == "AccessDenied"


def test_a_missing_object_is_hidden_from_another_account_that_may_not_list() -> None:
    reads = world.admit(world.STAGING, "/*", "s3:GetObject", on="{bucket}/*")
    lists = {**world.admit(world.STAGING, "/*", "s3:ListBucket", on="{bucket}"), "Sid": "Lists"}
    s3 = world.as_role(world.role(world.STAGING, *MINE), "s3")
    assert refused(s3.get_object, Bucket=world.bucket(world.TOOLS, reads), Key="none") == "AccessDenied"
    assert refused(s3.get_object, Bucket=world.bucket(world.TOOLS, reads, lists), Key="none") == "NoSuchKey"


def test_what_is_written_to_another_account_belongs_to_the_bucket() -> None:
    name = world.bucket(world.TOOLS, world.admit(world.STAGING, "/*", "s3:PutObject", on="{bucket}/*"))
    world.as_role(world.role(world.STAGING, *MINE), "s3").put_object(Bucket=name, Key="k", Body=b"there")
    assert credentials.client("s3").get_object(Bucket=name, Key="k")["Body"].read() == b"there"


def test_a_copy_between_accounts_and_regions_asks_both_keys_each_through_s3_of_its_region() -> None:
    def via(region: str, *actions: str, on: str) -> dict[str, Any]:
        return allow(*actions, on=on, Condition={"StringEquals": {"kms:ViaService": f"s3.{region}.amazonaws.com"}})

    source_key = world.key(world.DATA_SCIENCE, world.admit(world.TOOLS, "/*", "kms:Decrypt"), region=world.THERE)
    target_key = world.key(world.TOOLS)
    admitted = world.admit(world.TOOLS, "/*", "s3:GetObject", on="{bucket}/*")
    source = world.bucket(world.DATA_SCIENCE, admitted, kms=source_key, region=world.THERE)
    target = world.bucket(world.TOOLS, kms=target_key)
    writer = credentials.client("s3", account=world.DATA_SCIENCE, region=world.THERE)
    writer.put_object(Bucket=source, Key="k", Body=b"x")
    copy = {"Bucket": target, "Key": "k", "CopySource": f"{source}/k"}
    right = [via(world.THERE, "kms:Decrypt", on=source_key), via(world.HERE, "kms:GenerateDataKey", on=target_key)]
    wrong = [via(world.HERE, "kms:Decrypt", on=source_key), right[1]]
    assert refused(world.as_role(world.role(world.TOOLS, allow("s3:*"), *right), "s3").copy_object, **copy) == ""
    assert refused(world.as_role(world.role(world.TOOLS, allow("s3:*"), *wrong), "s3").copy_object, **copy) != ""
    assert credentials.client("s3").get_object(Bucket=target, Key="k")["Body"].read() == b"x"


def test_the_owner_of_a_bucket_is_a_condition() -> None:
    name = world.bucket(world.TOOLS, world.admit(world.STAGING, "/*", "s3:PutObject", on="{bucket}/*"))
    for owner, answer in ((world.TOOLS, ""), (world.STAGING, "AccessDenied")):
        mine = allow("s3:PutObject", Condition={"StringEquals": {"aws:ResourceAccount": owner}})
        s3 = world.as_role(world.role(world.STAGING, mine), "s3")
        assert refused(s3.put_object, Bucket=name, Key="k", Body=b"x") == answer


def test_a_bucket_tells_its_region_to_everybody_who_may_ask() -> None:
    name = world.bucket(world.TOOLS, region=world.THERE)
    headers = credentials.client("s3").head_bucket(Bucket=name)["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amz-bucket-region"] == world.THERE


def test_a_key_of_another_account_is_used_by_its_arn() -> None:
    key = world.key(world.TOOLS, world.admit(world.STAGING, "/*", "kms:GenerateDataKey", "kms:DescribeKey"))
    kms = world.as_role(world.role(world.STAGING, allow("kms:*")), "kms")
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["AWSAccountId"] == world.TOOLS
    kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert refused(kms.encrypt, KeyId=key, Plaintext=b"x") == "AccessDeniedException"
    stranger = world.as_role(world.role(world.STRANGER, allow("kms:*")), "kms")
    assert refused(stranger.generate_data_key, KeyId=key, KeySpec="AES_256") == "AccessDeniedException"


def test_a_queue_and_a_topic_of_another_account_are_found_by_their_addresses() -> None:
    url = credentials.client("sqs").create_queue(QueueName=world.unique())["QueueUrl"]
    topic = credentials.client("sns").create_topic(Name=world.unique())["TopicArn"]
    actor = world.role(world.STAGING, allow("sqs:*", "sns:*"))
    sqs, sns = world.as_role(actor, "sqs"), world.as_role(actor, "sns")
    assert "AccessDenied" in refused(sqs.send_message, QueueUrl=url, MessageBody="m")
    assert refused(sns.publish, TopicArn=topic, Message="m") == "AuthorizationError"
    admitted = document(world.admit(world.STAGING, "/*", "sqs:SendMessage"))
    credentials.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": admitted})
    credentials.client("sns").set_topic_attributes(
        TopicArn=topic,
        AttributeName="Policy",
        AttributeValue=document(world.admit(world.STAGING, "/*", "sns:Publish")),
    )
    sns.publish(TopicArn=topic, Message="m")
    sqs.send_message(QueueUrl=url, MessageBody="there")
    assert credentials.client("sqs").receive_message(QueueUrl=url)["Messages"][0]["Body"] == "there"
