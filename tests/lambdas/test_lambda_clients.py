from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from pydantic import ValidationError

from lambdas.shared import clients
from lambdas.shared.access import Access
from lambdas.shared.clients import IMPATIENT, client

ROLE = "arn:aws:iam::444455556666:role/mlops-prod-observer"
OWN = Access(role_arn="", region="")


class Sts:
    """The real client of moto, whose credentials last as long as the test says."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.lasts = dt.timedelta(hours=1)
        self.refuses = False

    def assume_role(self, **request: Any) -> Any:
        self.requests.append(request)
        if self.refuses:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not yours"}}, "AssumeRole")
        answer = client("sts").assume_role(**request)
        answer["Credentials"]["Expiration"] = dt.datetime.now(dt.UTC) + self.lasts
        return answer


@pytest.fixture(autouse=True)
def sts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sts]:
    """What the credentials ask; the tests hold the real function `client`."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "mlops-churn-VerifyEndpoint")
    made = Sts()
    monkeypatch.setattr(clients, "client", lambda _: made)
    client.cache_clear()
    with mock_aws():
        yield made
    client.cache_clear()


def account(access: Access | None) -> str:
    identity: str = client("sts", access=access).get_caller_identity()["Arn"]
    return identity


@pytest.mark.parametrize("access", [None, OWN])
def test_the_own_role_and_region_need_no_credentials(sts: Sts, access: Access | None) -> None:
    assert client("s3", access=access).meta.region_name == "eu-west-1"
    assert ":444455556666:" not in account(access)
    assert sts.requests == []


def test_a_role_of_another_account_is_assumed_in_the_name_of_the_function(sts: Sts) -> None:
    there = Access(role_arn=ROLE, region="eu-central-1")
    name = "mlops-churn-VerifyEndpoint"
    assert account(there) == f"arn:aws:sts::444455556666:assumed-role/mlops-prod-observer/{name}"
    assert client("sagemaker", access=there).meta.region_name == "eu-central-1"
    assert sts.requests == [{"RoleArn": ROLE, "RoleSessionName": name}]


def test_a_long_name_of_a_function_is_cut_to_what_sts_takes(sts: Sts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f" * 100)
    account(Access(role_arn=ROLE, region=""))
    assert sts.requests[0]["RoleSessionName"] == "f" * 64


def test_another_region_alone_keeps_the_own_role(sts: Sts) -> None:
    there = Access(role_arn="", region="us-east-1")
    assert client("s3", access=there).meta.region_name == "us-east-1"
    assert ":444455556666:" not in account(there)
    assert sts.requests == []


def test_nothing_is_assumed_before_it_is_needed(sts: Sts) -> None:
    client("s3", access=Access(role_arn=ROLE, region=""))
    assert sts.requests == []


def test_clients_are_made_once_for_each_role_region_and_patience() -> None:
    there = {"role_arn": ROLE, "region": "eu-central-1"}
    assert client("s3", access=Access(**there)) is client("s3", access=Access(**there))
    others = [
        client("s3"),
        client("s3", access=Access(role_arn=ROLE, region="")),
        client("s3", access=Access(role_arn=ROLE.replace("prod", "staging"), region="eu-central-1")),
        client("s3", IMPATIENT, access=Access(**there)),
    ]
    assert len({id(each) for each in [*others, client("s3", access=Access(**there))]}) == 5


def test_credentials_are_kept_while_they_are_good_and_renewed_before_they_end(sts: Sts) -> None:
    good = client("sts", access=Access(role_arn=ROLE, region=""))
    good.get_caller_identity()
    good.get_caller_identity()
    assert len(sts.requests) == 1
    sts.lasts = dt.timedelta(minutes=1)
    soon_over = client("sts", access=Access(role_arn=ROLE, region="us-east-1"))
    soon_over.get_caller_identity()
    soon_over.get_caller_identity()
    assert len(sts.requests) == 1 + 2


def test_a_role_that_may_not_be_assumed_is_an_error_of_the_first_call(sts: Sts) -> None:
    sts.refuses = True
    there = Access(role_arn=ROLE, region="")
    with pytest.raises(ClientError, match=r"AccessDenied.*AssumeRole.*not yours"):
        account(there)


@pytest.mark.parametrize("fields", [{}, {"role_arn": ""}, {"region": ""}, {"role_arn": None, "region": None}])
def test_nothing_is_filled_in(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Access(**fields)
