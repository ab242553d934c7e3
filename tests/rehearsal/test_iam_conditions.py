from __future__ import annotations

from typing import Any

import pytest

from mlops.rehearsal.iam_conditions import UnknownOperatorError, arn_like, conditions_match, like

CONTEXT: dict[str, Any] = {
    "aws:principalaccount": "111122223333",
    "aws:securetransport": "true",
    "aws:sourceip": "10.1.2.3",
    "aws:currenttime": "2026-11-23T07:00:00Z",
    "s3:max-keys": "10",
    "s3:prefix": "home/ann",
    "aws:tagkeys": ["team", "stage"],
    "aws:principaltag/team": "a*b",
    "sagemaker:instancetypes": ["ml.m5.large", "ml.m5.xlarge"],
    "aws:sourcearn": "arn:aws:events:eu-west-1:111122223333:rule/a/b",
}


@pytest.mark.parametrize(
    ("operator", "key", "value", "holds"),
    [
        ("StringEquals", "aws:PrincipalAccount", "111122223333", True),
        ("StringEquals", "aws:PrincipalAccount", "11112222*", False),
        ("StringEquals", "aws:PrincipalAccount", ["1", "111122223333"], True),
        ("StringEquals", "no:such", "x", False),
        ("StringEqualsIfExists", "no:such", "x", True),
        ("StringEqualsIgnoreCase", "s3:prefix", "HOME/ANN", True),
        ("StringNotEquals", "aws:PrincipalAccount", "2", True),
        ("StringNotEquals", "aws:PrincipalAccount", ["2", "111122223333"], False),
        ("StringNotEquals", "no:such", "x", True),
        ("StringLike", "s3:prefix", "home/*", True),
        ("StringLike", "s3:prefix", "home/a?", False),
        ("StringNotLike", "s3:prefix", "home/*", False),
        ("Bool", "aws:SecureTransport", "true", True),
        ("Bool", "aws:SecureTransport", False, False),
        ("BoolIfExists", "no:such", "true", True),
        ("Null", "no:such", "true", True),
        ("Null", "no:such", "false", False),
        ("Null", "s3:prefix", "false", True),
        ("NumericLessThanEquals", "s3:max-keys", "10", True),
        ("NumericGreaterThan", "s3:max-keys", 10, False),
        ("NumericNotEquals", "s3:max-keys", "11", True),
        ("NumericEquals", "s3:prefix", "1", False),
        ("DateGreaterThan", "aws:CurrentTime", "2026-01-01T00:00:00Z", True),
        ("DateLessThan", "aws:CurrentTime", "2026-01-01T00:00:00Z", False),
        ("IpAddress", "aws:SourceIp", "10.0.0.0/8", True),
        ("NotIpAddress", "aws:SourceIp", ["10.0.0.0/8", "192.168.0.0/16"], False),
        ("IpAddress", "aws:SourceIp", "10.1.2.3", True),
        ("ArnLike", "aws:SourceArn", "arn:aws:events:*:111122223333:rule/*", True),
        ("ArnLike", "aws:SourceArn", "arn:aws:*:rule/*", False),
        ("ArnEquals", "aws:SourceArn", "arn:aws:events:eu-west-1:111122223333:rule/a/?", True),
        ("ArnNotLike", "aws:SourceArn", "arn:aws:events:*:*:*", False),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["team", "stage", "owner"], True),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["team"], False),
        ("ForAllValues:StringEquals", "no:such", ["team"], True),
        ("ForAnyValue:StringEquals", "aws:TagKeys", ["stage"], True),
        ("ForAnyValue:StringEquals", "no:such", ["stage"], False),
        ("ForAnyValue:StringLike", "sagemaker:InstanceTypes", "ml.p4*", False),
        ("ForAllValues:StringLike", "sagemaker:InstanceTypes", "ml.m5.*", True),
        ("ForAnyValue:StringNotLike", "sagemaker:InstanceTypes", "ml.m5.l*", True),
        ("StringLike", "s3:prefix", "home/${aws:PrincipalTag/none, 'ann'}", True),
        ("StringEquals", "aws:PrincipalAccount", "${aws:PrincipalAccount}", True),
        ("StringLike", "aws:PrincipalTag/team", "${aws:PrincipalTag/team}", True),
    ],
)
def test_an_operator_compares_as_the_user_guide_says(operator: str, key: str, value: Any, *, holds: bool) -> None:
    assert conditions_match({operator: {key: value}}, CONTEXT) is holds


@pytest.mark.parametrize("operator", ["StringSounds", "ForSomeValues:StringEquals", "SetContains", "StringEquals2"])
def test_an_unknown_operator_is_never_skipped(operator: str) -> None:
    with pytest.raises(UnknownOperatorError, match="not known"):
        conditions_match({operator: {"aws:PrincipalAccount": "111122223333"}}, CONTEXT)


def test_every_condition_must_hold() -> None:
    block = {"StringLike": {"s3:prefix": "home/*"}, "Bool": {"aws:SecureTransport": "false"}}
    assert not conditions_match(block, CONTEXT)


def test_a_wildcard_in_a_condition_on_an_arn_stays_within_its_part() -> None:
    assert not arn_like("arn:aws:s3:*", "arn:aws:s3:eu-west-1:111122223333:accesspoint/x")


def test_brackets_in_a_pattern_are_literal() -> None:
    assert like("a[1]*", "a[1]b")
    assert not like("a[1]", "a1")
