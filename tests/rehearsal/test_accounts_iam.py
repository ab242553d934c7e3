from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlops.rehearsal import credentials, iam
from tests.rehearsal import accounts_world as world
from tests.rehearsal.iam_world import allow, document, refused

pytestmark = pytest.mark.usefixtures("aws")
PIPELINE = "/p/pipeline/*"


def target(*statements: dict[str, Any], trust: dict[str, Any] | None = None) -> str:
    admitted = world.admit(world.TOOLS, PIPELINE, "sts:AssumeRole", on=None)
    return world.role(world.STAGING, *statements, trusts=trust or admitted)


def caller(account: str = world.TOOLS, path: str = "/p/pipeline/") -> str:
    return world.role(account, allow("sts:AssumeRole"), path=path)


def assume(arn: str, wanted: str) -> str:
    return refused(world.as_role(arn, "sts").assume_role, RoleArn=wanted, RoleSessionName="abc")


def test_an_operator_works_in_an_account_of_its_own() -> None:
    identities = {credentials.client("sts", account=one).get_caller_identity()["Account"] for one in (None, "12345")}
    assert identities == {world.TOOLS, "12345"}
    name = world.unique()
    credentials.client("ssm", account=world.STAGING).put_parameter(Name=name, Value="there", Type="String")
    with pytest.raises(ClientError, match="ParameterNotFound"):
        credentials.client("ssm").get_parameter(Name=name)
    with pytest.raises(ClientError, match="ParameterNotFound"):
        credentials.client("ssm", account=world.STAGING, region=world.THERE).get_parameter(Name=name)


def test_a_role_is_assumed_across_accounts_and_works_there() -> None:
    name = world.unique()
    credentials.client("ssm", account=world.STAGING).put_parameter(Name=name, Value="there", Type="String")
    ssm = world.assumed(caller(), target(allow("ssm:GetParameter")), "ssm")
    assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == "there"


@pytest.mark.parametrize(
    ("account", "path", "answer"),
    [
        (world.TOOLS, "/p/pipeline/", ""),
        (world.TOOLS, "/p/verification/", "AccessDenied"),
        (world.TOOLS, "/", "AccessDenied"),
        (world.DATA_SCIENCE, "/p/pipeline/", "AccessDenied"),
        (world.STAGING, "/p/pipeline/", "AccessDenied"),
        (world.STRANGER, "/p/pipeline/", "AccessDenied"),
    ],
)
def test_only_the_admitted_roles_of_the_admitted_account_come_in(account: str, path: str, answer: str) -> None:
    assert assume(caller(account, path), target()) == answer


def test_the_caller_needs_its_own_accounts_permission_too() -> None:
    assert assume(world.role(world.TOOLS, path="/p/pipeline/"), target()) == "AccessDenied"


def test_a_trust_that_names_a_role_of_another_account_does_not_spare_that_role_its_own_permission() -> None:
    bare = world.role(world.TOOLS)
    trust = {"Effect": "Allow", "Principal": {"AWS": bare}, "Action": "sts:AssumeRole"}
    assert assume(bare, target(trust=trust)) == "AccessDenied"


def test_the_organization_is_that_of_the_accounts_that_were_given() -> None:
    by_organization = world.admit(world.STRANGER, "/*", "sts:AssumeRole", on=None)
    without = {**by_organization, "Condition": {"ArnLike": by_organization["Condition"]["ArnLike"]}}
    assert assume(caller(world.STRANGER), target(trust=by_organization)) == "AccessDenied"
    assert assume(caller(world.STRANGER), target(trust=without)) == ""


def test_an_administrator_of_another_account_is_let_in_by_policies_only() -> None:
    name = world.bucket(world.TOOLS)
    wanted = target()
    for account in (world.STAGING, world.STRANGER):
        s3 = credentials.client("s3", account=account)
        assert refused(s3.put_object, Bucket=name, Key="k", Body=b"x") == "AccessDenied"
        sts = credentials.client("sts", account=account)
        assert refused(sts.assume_role, RoleArn=wanted, RoleSessionName="abc") == "AccessDenied"
    policy = {"Effect": "Allow", "Principal": world.root(world.STRANGER), "Action": "s3:PutObject", "Resource": "*"}
    credentials.client("s3").put_bucket_policy(Bucket=name, Policy=document(policy))
    credentials.client("s3", account=world.STRANGER).put_object(Bucket=name, Key="k", Body=b"x")


def test_a_role_that_does_not_exist_is_not_assumed() -> None:
    assert assume(caller(), f"arn:aws:iam::{world.STAGING}:role/none") == "AccessDenied"


def test_a_role_is_never_passed_across_accounts() -> None:
    passed = world.role(world.STAGING, trusts=None)
    actor = world.role(world.TOOLS, allow("iam:PassRole", "lambda:CreateFunction"))
    call = {"FunctionName": "f", "Role": passed, "Code": {"ZipFile": b""}, "Runtime": "python3.13", "Handler": "a.b"}
    assert refused(world.as_role(actor, "lambda").create_function, **call) == "AccessDeniedException"
    assert iam.trace()[-1].action == "iam:PassRole"


@pytest.mark.parametrize(("account", "admitted"), [(world.STAGING, True), (world.STRANGER, False)])
def test_a_service_is_asked_for_which_account_it_acts(account: str, *, admitted: bool) -> None:
    condition = {"StringEquals": {"aws:SourceAccount": world.STAGING}}
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    arn = world.role(world.STAGING, trusts={**trust, "Condition": condition})
    source = f"arn:aws:lambda:{world.HERE}:{account}:function:f"
    if admitted:
        assert credentials.service_role_credentials(arn, "lambda.amazonaws.com", source_arn=source).session_token
        return
    with pytest.raises(RuntimeError, match="does not let lambda"):
        credentials.service_role_credentials(arn, "lambda.amazonaws.com", source_arn=source)


def test_a_function_becomes_a_role_of_another_account_and_region() -> None:
    wanted = target(allow("ssm:GetParameter"))
    name = world.unique()
    there = credentials.client("ssm", account=world.STAGING, region=world.THERE)
    there.put_parameter(Name=name, Value="there", Type="String")
    ssm = world.assumed(caller(), wanted, "ssm", world.THERE)
    assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == "there"


def test_a_decision_tells_the_statements_of_both_sides() -> None:
    wanted, actor = target(), caller()
    assert assume(actor, wanted) == ""
    decision = iam.trace()[-1]
    assert decision.because == (
        (f"{actor.rsplit('/', 1)[-1]}/policy", "#1"),
        (f"trust policy of {wanted}", "Admitted"),
    )


def test_a_refusal_tells_which_statement_came_close() -> None:
    assert assume(caller(path="/p/verification/"), (wanted := target())) == "AccessDenied"
    assert f"the conditions of trust policy of {wanted}/Admitted do not hold" in iam.trace()[-1].reason


@pytest.mark.parametrize(
    ("kind", "path", "answer"),
    [
        ("role", "/p/mine/", ""),
        ("role", "/p/others/", "AccessDenied"),
        ("policy", "/p/mine/", ""),
        ("policy", "/p/others/", "AccessDenied"),
    ],
)
def test_the_path_is_part_of_what_a_new_role_or_policy_is_called(kind: str, path: str, answer: str) -> None:
    on = [f"arn:aws:iam::{world.TOOLS}:{one}/p/mine/*" for one in ("role", "policy")]
    client = world.as_role(world.role(world.TOOLS, allow("iam:CreateRole", "iam:CreatePolicy", on=on)), "iam")
    name, document_ = world.unique(), document(allow("s3:List*"))
    trust = document({"Effect": "Allow", "Principal": world.root(world.TOOLS), "Action": "sts:AssumeRole"})
    if kind == "role":
        call, given = client.create_role, {"RoleName": name, "AssumeRolePolicyDocument": trust}
    else:
        call, given = client.create_policy, {"PolicyName": name, "PolicyDocument": document_}
    assert refused(call, Path=path, **given) == answer
