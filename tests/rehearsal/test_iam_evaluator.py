from __future__ import annotations

from typing import Any

import pytest

from mlops.rehearsal.iam_evaluator import Policies, Policy, Principal, Request, decide

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s"
OBJECT = "arn:aws:s3:::bucket/key"
CALLER = Principal(ACCOUNT, role_arn=ROLE, session_arn=SESSION)


def statement(effect: str = "Allow", **elements: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/*", **elements}


def policy(*statements: dict[str, Any]) -> Policy:
    return Policy("p", {"Version": "2012-10-17", "Statement": list(statements)})


def allowed(policies: Policies, *, caller: Principal = CALLER, action: str = "s3:GetObject", arn: str = OBJECT) -> bool:
    return decide(caller, Request(action, (arn,), {"aws:securetransport": "true"}), policies).allowed


ALLOW = policy(statement())
DENY = policy(statement("Deny"))
EVERYTHING = policy(statement(Action="*", Resource="*"))


def admits(principal: Any, **elements: Any) -> Policy:
    return policy(statement(Principal=principal, **elements))


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        (Policies(), False),
        (Policies(identity=[ALLOW]), True),
        (Policies(identity=[ALLOW, DENY]), False),
        (Policies(identity=[EVERYTHING], boundary=ALLOW), True),
        (Policies(identity=[ALLOW], boundary=policy()), False),
        (Policies(identity=[], boundary=EVERYTHING), False),
        (Policies(identity=[ALLOW], boundary=policy(statement("Deny"), statement(Action="*", Resource="*"))), False),
        (Policies(resource=admits({"AWS": ROLE})), True),
        (Policies(resource=admits({"AWS": [SESSION]})), True),
        (Policies(resource=admits("*")), True),
        (Policies(resource=admits({"AWS": f"arn:aws:iam::{ACCOUNT}:root"})), False),
        (Policies(resource=admits({"AWS": f"arn:aws:iam::{ACCOUNT}:role/other"})), False),
        (Policies(resource=admits({"Service": "lambda.amazonaws.com"})), False),
        (Policies(resource=admits({"AWS": ROLE}), boundary=policy()), False),
        (Policies(resource=admits({"AWS": SESSION}), boundary=policy()), True),
        (Policies(identity=[ALLOW], resource=policy(statement("Deny", Principal="*"))), False),
        (Policies(identity=[ALLOW], resource=policy(statement("Deny", NotPrincipal={"AWS": ROLE}))), True),
        (Policies(identity=[ALLOW], resource=policy(statement("Deny", NotPrincipal={"AWS": "x"}))), False),
        (Policies(identity=[ALLOW], resource=policy(), resource_account="999999999999"), False),
        (Policies(identity=[ALLOW], resource=admits({"AWS": ROLE}), resource_account="999999999999"), True),
        (Policies(resource=admits({"AWS": ROLE}), resource_account="999999999999"), False),
        (Policies(identity=[ALLOW], resource=policy(), resource_decides=True), False),
        (Policies(identity=[ALLOW], resource=admits({"AWS": ACCOUNT}), resource_decides=True), True),
        (Policies(resource=admits({"AWS": ACCOUNT}), resource_decides=True), False),
        (Policies(resource=admits({"AWS": ROLE}), resource_decides=True), True),
    ],
)
def test_a_decision_follows_the_evaluation_logic(policies: Policies, *, expected: bool) -> None:
    assert allowed(policies) is expected


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"Action": "S3:get*"}, True),
        ({"Action": ["s3:PutObject"]}, False),
        ({"Action": "s3:GetObjectVersion"}, False),
        ({"Resource": "arn:aws:s3:::bucket"}, False),
        ({"Resource": "arn:aws:s3:::bucket/k?y"}, True),
        ({"Resource": "arn:aws:s3:::BUCKET/*"}, False),
        ({"Condition": {"Bool": {"aws:SecureTransport": "true"}}}, True),
        ({"Condition": {"Bool": {"aws:SecureTransport": "false"}}}, False),
        ({"Condition": {"StringTastes": {"aws:SecureTransport": "true"}}}, False),
        ({"Resource": "arn:aws:s3:::${aws:NoSuchKey}/*"}, False),
        ({"Surprise": "element"}, False),
    ],
)
def test_a_statement_matches_only_what_it_says(elements: dict[str, Any], *, expected: bool) -> None:
    assert allowed(Policies(identity=[policy(statement(**elements))])) is expected


def test_not_action_and_not_resource_match_the_rest() -> None:
    rest = {"Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::secret/*"}
    policies = Policies(identity=[policy(rest)])
    assert allowed(policies)
    assert not allowed(policies, action="iam:CreateRole")
    assert not allowed(policies, arn="arn:aws:s3:::secret/key")


def test_what_the_evaluator_does_not_know_denies_in_a_deny() -> None:
    doubtful = policy(statement("Deny", Condition={"StringTastes": {"aws:SecureTransport": "true"}}))
    verdict = decide(CALLER, Request("s3:GetObject", (OBJECT,)), Policies(identity=[ALLOW, doubtful]))
    assert not verdict.allowed
    assert "StringTastes" in verdict.reason


def test_a_deny_whose_condition_does_not_hold_denies_nothing() -> None:
    insecure = policy(statement("Deny", Principal="*", Condition={"Bool": {"aws:SecureTransport": "false"}}))
    assert allowed(Policies(identity=[ALLOW], resource=insecure))


def test_a_service_is_admitted_by_name_only() -> None:
    events = Principal(ACCOUNT, service="events.amazonaws.com")
    assert allowed(Policies(resource=admits({"Service": "events.amazonaws.com"})), caller=events)
    assert not allowed(Policies(resource=admits({"AWS": ACCOUNT})), caller=events)
    assert not allowed(Policies(identity=[EVERYTHING]), caller=events)


def test_the_reason_names_the_condition_that_did_not_hold() -> None:
    policies = Policies(
        identity=[policy(statement(Sid="OnlyTls", Condition={"Bool": {"aws:SecureTransport": "false"}}))]
    )
    verdict = decide(CALLER, Request("s3:GetObject", (OBJECT,), {"aws:securetransport": "true"}), policies)
    assert "p/OnlyTls" in verdict.reason
