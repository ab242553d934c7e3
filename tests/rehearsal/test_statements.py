from __future__ import annotations

import pytest

from mlops.rehearsal import credentials, iam, statements
from mlops.rehearsal.statements import PolicyKind
from tests.rehearsal import accounts_world as world
from tests.rehearsal.iam_world import allow, document, refused

pytestmark = pytest.mark.usefixtures("aws")


def resources() -> dict[PolicyKind, str]:
    """Make one resource of each kind, each with a policy of one statement for staging; return their ARNs."""
    made: dict[PolicyKind, str] = {PolicyKind.KEY: world.key(world.TOOLS, world.admit(world.STAGING, "/*", "kms:*"))}
    name = world.unique("thing")
    admitted = world.admit(world.STAGING, "/*", "s3:GetObject", on="{bucket}/*")
    made[PolicyKind.BUCKET] = f"arn:aws:s3:::{world.bucket(world.TOOLS, admitted)}"
    ecr = credentials.client("ecr")
    made[PolicyKind.REPOSITORY] = ecr.create_repository(repositoryName=name)["repository"]["repositoryArn"]
    pull = document(world.admit(world.STAGING, "/*", "ecr:BatchGetImage", on=None))
    ecr.set_repository_policy(repositoryName=name, policyText=pull)
    sagemaker = credentials.client("sagemaker")
    group = sagemaker.create_model_package_group(ModelPackageGroupName=name)
    made[PolicyKind.PACKAGE_GROUP] = group["ModelPackageGroupArn"]
    describe = document(world.admit(world.STAGING, "/*", "sagemaker:DescribeModelPackage"))
    sagemaker.put_model_package_group_policy(ModelPackageGroupName=name, ResourcePolicy=describe)
    events = credentials.client("events")
    made[PolicyKind.BUS] = events.create_event_bus(Name=name)["EventBusArn"]
    put = world.admit(world.STAGING, "/*", "events:PutEvents", on=made[PolicyKind.BUS])
    events.put_permission(EventBusName=name, Policy=document(put))
    sqs, sns = credentials.client("sqs"), credentials.client("sns")
    send = document(world.admit(world.STAGING, "/*", "sqs:SendMessage"))
    sqs.create_queue(QueueName=name, Attributes={"Policy": send})
    made[PolicyKind.QUEUE] = f"arn:aws:sqs:{world.HERE}:{world.TOOLS}:{name}"
    made[PolicyKind.TOPIC] = sns.create_topic(Name=name)["TopicArn"]
    publish = document(world.admit(world.STAGING, "/*", "sns:Publish"))
    sns.set_topic_attributes(TopicArn=made[PolicyKind.TOPIC], AttributeName="Policy", AttributeValue=publish)
    trust = world.admit(world.STAGING, "/*", "sts:AssumeRole", on=None)
    made[PolicyKind.TRUST] = world.role(world.TOOLS, trusts=trust)
    made[PolicyKind.IDENTITY] = world.role(world.TOOLS, {**allow("s3:*"), "Sid": "Admitted"})
    return made


def test_every_statement_is_listed_taken_away_and_put_back() -> None:
    for kind, arn in resources().items():

        def known(kind: PolicyKind = kind, arn: str = arn) -> list[str]:
            return [one.sid for one in statements.listed([world.TOOLS], kind) if one.resource == arn]

        before = known()
        assert "Admitted" in before, kind
        put_back = statements.remove(kind, arn, "Admitted")
        assert "Admitted" not in known(), kind
        put_back()
        assert known() == before, kind


def test_the_policies_of_roles_are_listed_only_when_asked_for() -> None:
    arn = resources()[PolicyKind.IDENTITY]
    assert [one.kind for one in statements.listed([world.TOOLS]) if one.resource == arn] == [PolicyKind.TRUST]
    assert arn in {one.resource for one in statements.listed(None, PolicyKind.IDENTITY)}


def test_a_statement_of_a_managed_policy_is_taken_away_and_put_back() -> None:
    client, actor = credentials.client("iam"), world.role(world.TOOLS)
    made = client.create_policy(PolicyName=world.unique(), PolicyDocument=document(allow("s3:ListAllMyBuckets")))
    client.attach_role_policy(RoleName=actor.rsplit("/", 1)[-1], PolicyArn=made["Policy"]["Arn"])
    s3 = world.as_role(actor, "s3")
    put_back = statements.remove("identity", actor, "#1")
    assert refused(s3.list_buckets) == "AccessDenied"
    put_back()
    assert refused(s3.list_buckets) == ""


def test_what_is_taken_away_denies_at_once() -> None:
    name = world.bucket(world.TOOLS, world.admit(world.STAGING, "/*", "s3:PutObject", on="{bucket}/*"))
    s3 = world.as_role(world.role(world.STAGING, allow("s3:*")), "s3")
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    put_back = statements.remove(PolicyKind.BUCKET, f"arn:aws:s3:::{name}", "Admitted")
    assert refused(s3.put_object, Bucket=name, Key="k", Body=b"x") == "AccessDenied"
    put_back()
    s3.put_object(Bucket=name, Key="k", Body=b"x")


def test_the_trace_names_the_statements_as_the_list_does() -> None:
    name = world.bucket(world.TOOLS, world.admit(world.STAGING, "/*", "s3:PutObject", on="{bucket}/*"))
    actor = world.role(world.STAGING, allow("s3:*"))
    world.as_role(actor, "s3").put_object(Bucket=name, Key="k", Body=b"x")
    decision = next(one for one in reversed(iam.trace()) if one.role_arn == actor)
    listed = statements.listed([world.TOOLS, world.STAGING], *PolicyKind)
    known = {(one.policy, one.sid): one.resource for one in listed}
    assert [known[one] for one in decision.because] == [actor, f"arn:aws:s3:::{name}"]


def test_a_service_that_assumes_a_role_is_in_the_trace_once() -> None:
    arn = world.role(world.TOOLS)
    for _ in range(3):
        credentials.client("s3", role_arn=arn, principal="lambda.amazonaws.com")
    found = [one for one in iam.trace() if (one.action, one.resource) == ("sts:AssumeRole", arn)]
    assert [one.because for one in found] == [((f"trust policy of {arn}", "#1"),)]


def test_a_statement_that_is_not_there_cannot_be_taken_away() -> None:
    arn = resources()[PolicyKind.BUCKET]
    with pytest.raises(LookupError, match="has no statement Nobody"):
        statements.remove(PolicyKind.BUCKET, arn, "Nobody")
