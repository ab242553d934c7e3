from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from mlops.rehearsal import credentials, iam
from mlops.rehearsal.iam_roles import TrustError
from tests.rehearsal import iam_world as world

if TYPE_CHECKING:
    from mlops.rehearsal.server import EmulatedAws

pytestmark = pytest.mark.usefixtures("aws")
ROOT = {"AWS": f"arn:aws:iam::{world.ACCOUNT}:root"}


def key(*statements: dict[str, Any]) -> str:
    default = {"Effect": "Allow", "Principal": ROOT, "Action": "kms:*", "Resource": "*"}
    made = credentials.client("kms").create_key(Policy=world.document(*(statements or (default,))))
    return str(made["KeyMetadata"]["Arn"])


def test_an_object_in_an_encrypted_bucket_is_written_and_read_only_with_its_key() -> None:
    own = key()
    name = world.bucket(key=own)
    objects = world.allow("s3:GetObject", "s3:PutObject", on=f"arn:aws:s3:::{name}/*")
    without = world.role(objects)
    with_key = world.role(objects, world.allow("kms:Decrypt", "kms:GenerateDataKey*", on=own))
    assert world.refused(world.as_role(without, "s3").put_object, Bucket=name, Key="k", Body=b"x") == "AccessDenied"
    assert world.decisions(without)[-1] == ("kms:GenerateDataKey", own, False)
    world.as_role(with_key, "s3").put_object(Bucket=name, Key="k", Body=b"x")
    assert world.refused(world.as_role(without, "s3").get_object, Bucket=name, Key="k") == "AccessDenied"
    assert world.decisions(without)[-1] == ("kms:Decrypt", own, False)
    assert world.as_role(with_key, "s3").get_object(Bucket=name, Key="k")["Body"].read() == b"x"


def test_a_copy_between_encrypted_buckets_needs_both_keys() -> None:
    first, second = key(), key()
    source, target = world.bucket(key=first), world.bucket(key=second)
    credentials.client("s3").put_object(Bucket=source, Key="k", Body=b"x")
    actor = world.role(
        world.allow("s3:*", on="*"), world.allow("kms:Decrypt", on=first), world.allow("kms:Decrypt", on=second)
    )
    client = world.as_role(actor, "s3")
    assert world.refused(client.copy_object, Bucket=target, Key="k", CopySource=f"{source}/k") == "AccessDenied"
    assert world.decisions(actor)[-1] == ("kms:GenerateDataKey", second, False)


def test_permission_to_use_a_key_only_through_s3_is_enough_for_s3_and_for_nothing_else() -> None:
    own = key()
    name = world.bucket(key=own)
    via = {"StringEquals": {"kms:ViaService": f"s3.{world.REGION}.amazonaws.com"}}
    actor = world.role(world.allow("s3:PutObject"), world.allow("kms:GenerateDataKey", on=own, Condition=via))
    world.as_role(actor, "s3").put_object(Bucket=name, Key="k", Body=b"x")
    direct = world.as_role(actor, "kms").generate_data_key
    assert world.refused(direct, KeyId=own, KeySpec="AES_256") == "AccessDeniedException"


def test_a_key_policy_that_does_not_hand_over_to_iam_keeps_identity_policies_out() -> None:
    closed = key(
        {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::111122223333:role/admin"},
            "Action": "kms:*",
            "Resource": "*",
        }
    )
    name = world.bucket(key=closed)
    actor = world.role(world.allow("s3:*"), world.allow("kms:*"))
    assert world.refused(world.as_role(actor, "s3").put_object, Bucket=name, Key="k", Body=b"x") == "AccessDenied"


def test_a_publisher_to_an_encrypted_topic_needs_its_key() -> None:
    own = key()
    topic = credentials.client("sns").create_topic(Name="encrypted", Attributes={"KmsMasterKeyId": own})["TopicArn"]
    actor = world.role(world.allow("sns:Publish", on=topic))
    assert world.refused(world.as_role(actor, "sns").publish, TopicArn=topic, Message="m") == "AuthorizationError"
    assert world.decisions(actor)[-1] == ("kms:GenerateDataKey", own, False)


def test_a_missing_object_is_hidden_from_those_who_may_not_list() -> None:
    name = world.bucket()
    reader = world.role(world.allow("s3:GetObject", on=f"arn:aws:s3:::{name}/*"))
    lister = world.role(world.allow("s3:GetObject", on=f"arn:aws:s3:::{name}/*"), world.allow("s3:ListBucket"))
    assert world.refused(world.as_role(reader, "s3").get_object, Bucket=name, Key="none") == "AccessDenied"
    assert world.refused(world.as_role(lister, "s3").get_object, Bucket=name, Key="none") == "NoSuchKey"


def test_a_prefix_condition_limits_what_is_listed() -> None:
    name = world.bucket()
    condition = {"StringLike": {"s3:prefix": "mine/*"}}
    client = world.as_role(world.role(world.allow("s3:ListBucket", Condition=condition)), "s3")
    client.list_objects_v2(Bucket=name, Prefix="mine/a")
    assert world.refused(client.list_objects_v2, Bucket=name, Prefix="yours/") == "AccessDenied"
    assert world.refused(client.list_objects_v2, Bucket=name) == "AccessDenied"


def test_a_bucket_policy_that_demands_tls_lets_everything_else_through() -> None:
    name = world.bucket()
    arns = [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]
    insecure = {"Bool": {"aws:SecureTransport": "false"}}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": arns, "Condition": insecure}
    credentials.client("s3").put_bucket_policy(Bucket=name, Policy=world.document(deny))
    credentials.client("s3").put_object(Bucket=name, Key="k", Body=b"x")
    world.as_role(world.role(world.allow("s3:PutObject")), "s3").put_object(Bucket=name, Key="k", Body=b"x")


def test_a_bucket_policy_can_allow_and_deny_a_role() -> None:
    name, actor = world.bucket(), world.role()
    arn = f"arn:aws:s3:::{name}/*"
    statements = [
        {"Effect": "Allow", "Principal": {"AWS": actor}, "Action": "s3:PutObject", "Resource": arn},
        {
            "Effect": "Deny",
            "Principal": {"AWS": actor},
            "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{name}/no/*",
        },
    ]
    credentials.client("s3").put_bucket_policy(Bucket=name, Policy=world.document(*statements))
    client = world.as_role(actor, "s3")
    client.put_object(Bucket=name, Key="yes", Body=b"x")
    assert world.refused(client.put_object, Bucket=name, Key="no/k", Body=b"x") == "AccessDenied"
    assert "explicit deny" in iam.trace()[-1].reason


def test_a_role_is_passed_only_to_the_service_of_the_condition() -> None:
    passed = world.role(trusts=world.trust("states.amazonaws.com"))
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
    machine = {"name": "passed", "definition": definition, "roleArn": passed}
    create = world.allow("states:CreateStateMachine")

    def to(service: str) -> dict[str, Any]:
        return world.allow("iam:PassRole", on=passed, Condition={"StringEquals": {"iam:PassedToService": service}})

    wrong, right = world.role(create, to("lambda.amazonaws.com")), world.role(create, to("states.amazonaws.com"))
    assert (
        world.refused(world.as_role(wrong, "stepfunctions").create_state_machine, **machine) == "AccessDeniedException"
    )
    assert world.decisions(wrong)[-1] == ("iam:PassRole", passed, False)
    world.as_role(right, "stepfunctions").create_state_machine(**machine)


def test_a_permissions_boundary_limits_what_policies_allow() -> None:
    boundary = credentials.client("iam").create_policy(
        PolicyName="boundary", PolicyDocument=world.document(world.allow("s3:List*"))
    )["Policy"]["Arn"]
    client = world.as_role(world.role(world.allow("s3:*", "sqs:*"), boundary=boundary), "s3")
    name = world.bucket()
    client.list_objects_v2(Bucket=name)
    assert world.refused(client.put_object, Bucket=name, Key="k", Body=b"x") == "AccessDenied"
    assert "no permissions boundary allows" in iam.trace()[-1].reason


def test_a_boundary_that_does_not_exist_allows_nothing() -> None:
    actor = world.role(world.allow("s3:*"), boundary=f"arn:aws:iam::{world.ACCOUNT}:policy/none")
    assert world.refused(world.as_role(actor, "s3").list_buckets) == "AccessDenied"


def test_a_permission_that_is_taken_away_is_gone_at_once() -> None:
    actor = world.role(world.allow("s3:ListAllMyBuckets"))
    client = world.as_role(actor, "s3")
    client.list_buckets()
    credentials.client("iam").delete_role_policy(RoleName=actor.rsplit("/", 1)[-1], PolicyName="policy")
    assert world.refused(client.list_buckets) == "AccessDenied"


@pytest.mark.parametrize(
    "service", ["lambda", "sagemaker", "states", "codepipeline", "codebuild", "cloudformation", "events", "scheduler"]
)
def test_a_service_gets_credentials_only_of_roles_that_trust_it(service: str) -> None:
    principal = f"{service}.amazonaws.com"
    trusting = world.role(trusts=world.trust(principal))
    assert credentials.service_role_credentials(trusting, principal).session_token
    with pytest.raises(TrustError, match=f"does not let {principal} assume it"):
        credentials.service_role_credentials(world.role(trusts=world.trust("ec2.amazonaws.com")), principal)


@pytest.mark.parametrize(
    ("condition", "source", "admitted"),
    [
        ({"StringEquals": {"aws:SourceAccount": world.ACCOUNT}}, None, True),
        ({"StringEquals": {"aws:SourceAccount": "999999999999"}}, None, False),
        (
            {"ArnLike": {"aws:SourceArn": "arn:aws:states:*:*:stateMachine:m-*"}},
            "arn:aws:states:x:1:stateMachine:m-1",
            True,
        ),
        (
            {"ArnLike": {"aws:SourceArn": "arn:aws:states:*:*:stateMachine:m-*"}},
            "arn:aws:states:x:1:stateMachine:o",
            False,
        ),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:states:*:*:stateMachine:m-*"}}, None, False),
    ],
)
def test_the_source_of_a_service_must_fit_the_trust_policy(
    condition: Any, source: str | None, *, admitted: bool
) -> None:
    arn = world.role(trusts=world.trust("states.amazonaws.com", **condition))
    try:
        credentials.service_role_credentials(arn, "states.amazonaws.com", source_arn=source)
        outcome = True
    except TrustError:
        outcome = False
    assert outcome is admitted


def test_a_role_that_does_not_exist_cannot_be_assumed() -> None:
    with pytest.raises(TrustError, match="does not exist"):
        credentials.client("s3", role_arn=f"arn:aws:iam::{world.ACCOUNT}:role/none", principal=world.SERVICE)


def test_a_role_is_assumed_by_a_role_only_if_both_sides_allow_it() -> None:
    caller = world.role(world.allow("sts:AssumeRole"))
    bare = world.role()
    by_root = {"Effect": "Allow", "Principal": ROOT, "Action": "sts:AssumeRole"}
    open_to_account, open_to_other = (
        world.role(trusts=by_root),
        world.role(trusts={**by_root, "Principal": {"AWS": bare}}),
    )
    sts = world.as_role(caller, "sts")
    assert sts.assume_role(RoleArn=open_to_account, RoleSessionName="abc")["Credentials"]
    assert world.refused(sts.assume_role, RoleArn=open_to_other, RoleSessionName="abc") == "AccessDenied"
    other = world.as_role(bare, "sts")
    assert world.refused(other.assume_role, RoleArn=open_to_account, RoleSessionName="abc") == "AccessDenied"


def test_the_operator_cannot_assume_a_role_that_is_for_a_service() -> None:
    sts = credentials.client("sts")
    assert world.refused(sts.assume_role, RoleArn=world.role(), RoleSessionName="abc") == "AccessDenied"


def test_credentials_from_assume_role_are_restricted_too(aws: EmulatedAws) -> None:
    arn = world.role(trusts={"Effect": "Allow", "Principal": ROOT, "Action": "sts:AssumeRole"})
    found = credentials.client("sts").assume_role(RoleArn=arn, RoleSessionName="abc")["Credentials"]
    keys = credentials.Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])
    assert world.refused(credentials.client_for(keys, "s3", region=aws.region).list_buckets) == "AccessDenied"


def test_a_session_token_of_another_session_is_refused(aws: EmulatedAws) -> None:
    mine = credentials.service_role_credentials(world.role(), world.SERVICE)
    mixed = credentials.Credentials(mine.access_key_id, mine.secret_access_key, "stolen")
    with pytest.raises(ClientError, match="not one of this emulated AWS"):
        credentials.client_for(mixed, "s3", region=aws.region).list_buckets()


def test_a_service_reaches_a_queue_only_as_its_policy_says() -> None:
    url = credentials.client("sqs").create_queue(QueueName="events-target")["QueueUrl"]
    arn, rule = (
        f"arn:aws:sqs:{world.REGION}:{world.ACCOUNT}:events-target",
        f"arn:aws:events:{world.REGION}:{world.ACCOUNT}:rule/r",
    )

    def may(source: str) -> bool:
        return iam.check_service("events.amazonaws.com", "sqs:SendMessage", arn, source_arn=source).allowed

    assert not may(rule)
    admit = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }
    credentials.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": world.document(admit)})
    assert may(rule)
    assert not may(rule + "x")


def test_check_decides_for_an_adapter_that_acts_in_a_roles_name() -> None:
    actor = world.role(world.allow("sns:CreateTopic", on="arn:aws:sns:*:*:mlops-*"))
    assert iam.check(actor, "sns:CreateTopic", f"arn:aws:sns:{world.REGION}:{world.ACCOUNT}:mlops-a").allowed
    with pytest.raises(iam.AccessDeniedError, match="sns:CreateTopic"):
        iam.require(actor, "sns:CreateTopic", f"arn:aws:sns:{world.REGION}:{world.ACCOUNT}:other")


def test_a_managed_policy_counts_in_its_default_version() -> None:
    client, actor = credentials.client("iam"), world.role()
    arn = client.create_policy(PolicyName="managed", PolicyDocument=world.document(world.allow("s3:ListAllMyBuckets")))[
        "Policy"
    ]["Arn"]
    client.attach_role_policy(RoleName=actor.rsplit("/", 1)[-1], PolicyArn=arn)
    world.as_role(actor, "s3").list_buckets()
    client.create_policy_version(
        PolicyArn=arn, PolicyDocument=world.document(world.allow("s3:Nothing")), SetAsDefault=True
    )
    assert world.refused(world.as_role(actor, "s3").list_buckets) == "AccessDenied"


def test_errors_have_the_shape_that_except_clauses_expect() -> None:
    actor = world.role()
    lambda_ = world.as_role(actor, "lambda")
    codes = {
        "s3": world.refused(world.as_role(actor, "s3").list_buckets),
        "sagemaker": world.refused(world.as_role(actor, "sagemaker").describe_endpoint, EndpointName="e"),
        "lambda": world.refused(lambda_.invoke, FunctionName="f"),
        "cloudformation": world.refused(world.as_role(actor, "cloudformation").describe_stacks, StackName="s"),
    }
    assert codes == {
        "s3": "AccessDenied",
        "sagemaker": "AccessDeniedException",
        "lambda": "AccessDeniedException",
        "cloudformation": "AccessDenied",
    }


def test_a_client_for_a_role_must_say_who_assumes_it() -> None:
    with pytest.raises(ValueError, match="needs the service that assumes it"):
        credentials.client("s3", role_arn=world.role())
