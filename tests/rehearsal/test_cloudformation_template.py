from __future__ import annotations

from typing import Any

import pytest

from mlops.rehearsal.cloudformation_parameters import given_values, resolve
from mlops.rehearsal.cloudformation_template import Pending, Scope, TemplateError, parse, references

TEMPLATE: dict[str, Any] = {
    "Mappings": {"M": {"eu-west-1": {"ami": "a-1"}}},
    "Conditions": {
        "IsProd": {"Fn::Equals": [{"Ref": "Env"}, "prod"]},
        "NotProd": {"Fn::Not": [{"Condition": "IsProd"}]},
        "Both": {"Fn::And": [{"Condition": "IsProd"}, {"Condition": "NotProd"}]},
    },
    "Resources": {"A": {"Type": "T"}, "B": {"Type": "T", "DependsOn": "A"}},
}


def known(logical_id: str, attribute: str | None) -> Any:
    if logical_id == "Later":
        return Pending((("Later", "ResourceReference"),))
    return f"{logical_id}-{attribute}" if attribute else f"{logical_id}-id"


def scope(template: dict[str, Any] = TEMPLATE, **parameters: Any) -> Scope:
    return Scope(
        {"AWS::Region": "eu-west-1", "AWS::Partition": "aws"},
        {"Env": "prod", **parameters},
        template,
        known,
        lambda name: f"import-{name}",
        lambda service, reference: f"{service}={reference}",
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "Env"}, "prod"),
        ({"Ref": "A"}, "A-id"),
        ({"Ref": "AWS::Region"}, "eu-west-1"),
        ({"a": {"Ref": "AWS::NoValue"}, "b": [{"Ref": "AWS::NoValue"}, 1]}, {"b": [1]}),
        ({"Fn::GetAtt": ["A", "Arn"]}, "A-Arn"),
        ({"Fn::GetAtt": "A.Stream.Arn"}, "A-Stream.Arn"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Env"}, 3, True]]}, "a-prod-3-true"),
        ({"Fn::Sub": "x:${AWS::Partition}:${A}:${A.Arn}:${!Literal}"}, "x:aws:A-id:A-Arn:${Literal}"),
        ({"Fn::Sub": ["${Own}/${Env}", {"Own": {"Ref": "A"}}]}, "A-id/prod"),
        ({"Fn::Select": ["1", {"Fn::Split": [",", "a,b"]}]}, "b"),
        ({"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "ami"]}, "a-1"),
        ({"Fn::If": ["IsProd", 1, {"Fn::ImportValue": "not evaluated"}]}, 1),
        ({"Fn::ImportValue": {"Fn::Sub": "x-${Env}"}}, "import-x-prod"),
        ({"Fn::Base64": "a"}, "YQ=="),
        ({"Fn::ToJsonString": {"a": {"Ref": "Env"}}}, '{"a":"prod"}'),
        ("{{resolve:ssm:/a/b}}", "ssm=/a/b"),
        ({"Condition": {"StringEquals": {"Ref": "Env"}}}, {"Condition": {"StringEquals": "prod"}}),
    ],
)
def test_functions_give_what_aws_documents(value: Any, expected: Any) -> None:
    assert scope().evaluate(value) == expected


@pytest.mark.parametrize(
    "value",
    [{"Fn::Join": ["", ["a", {"Ref": "Later"}]]}, {"Fn::Sub": "a${Later}"}, {"Fn::Split": [",", {"Ref": "Later"}]}],
)
def test_what_depends_on_a_later_value_is_later_too(value: Any) -> None:
    assert scope().evaluate(value) == Pending((("Later", "ResourceReference"),))


@pytest.mark.parametrize(
    "value",
    [
        {"Fn::Nonsense": 1},
        {"Fn::FindInMap": ["M", "x", "y"]},
        {"Fn::If": ["Unknown", 1, 2]},
        {"Fn::Select": [5, ["a"]]},
    ],
)
def test_mistakes_are_refused(value: Any) -> None:
    with pytest.raises(TemplateError):
        scope().evaluate(value)


def test_conditions_refer_to_each_other() -> None:
    assert scope().holds("IsProd")
    assert not scope().holds("NotProd")
    assert not scope().holds("Both")


def test_resources_come_after_what_they_need() -> None:
    resources = {
        "C": {"Type": "T", "Properties": {"X": {"Fn::Sub": "${B.Arn}"}}},
        "B": {"Type": "T", "DependsOn": ["A"]},
        "A": {"Type": "T"},
    }
    assert scope({"Resources": resources}).in_order() == ["A", "B", "C"]


def test_circle_is_refused_with_its_members() -> None:
    resources = {"A": {"Type": "T", "Properties": {"X": {"Ref": "B"}}}, "B": {"Type": "T", "DependsOn": "A"}}
    with pytest.raises(TemplateError, match=r"Circular dependency between resources: \[A, B\]"):
        scope({"Resources": resources}).in_order()


def test_yaml_short_forms_are_understood() -> None:
    given = "{X: !Sub '${B.Arn}', Y: !GetAtt B.Arn, Z: !Ref C}"
    body = f"Resources:\n  A:\n    Type: T\n    Properties: {given}\n"
    properties = parse(body)["Resources"]["A"]["Properties"]
    assert properties == {"X": {"Fn::Sub": "${B.Arn}"}, "Y": {"Fn::GetAtt": ["B", "Arn"]}, "Z": {"Ref": "C"}}
    assert references(properties) == {"B", "C"}


@pytest.mark.parametrize("body", ["{", "Resources: {}", '{"Resources": {"A": {}}}', "- a"])
def test_what_is_no_template_is_refused(body: str) -> None:
    with pytest.raises(TemplateError, match="Template format error"):
        parse(body)


SLOTS = {
    "Parameters": {
        "Env": {"Type": "String", "AllowedValues": ["dev", "prod"], "Default": "dev"},
        "Count": {"Type": "Number", "MinValue": 1},
        "Names": {"Type": "CommaDelimitedList", "Default": "a, b"},
        "Version": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/v"},
    }
}


def test_parameters_have_defaults_types_and_stored_values() -> None:
    resolved = resolve(SLOTS, {"Count": "2"}, lambda name: f"stored {name}")
    assert resolved == {"Env": "dev", "Count": "2", "Names": ["a", "b"], "Version": "stored /v"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, r"Parameters: \[Count\] must have values"),
        ({"Count": "0"}, "'Count' failed to satisfy constraint"),
        ({"Count": "1", "Env": "test"}, "must be one of AllowedValues"),
    ],
)
def test_wrong_parameters_are_refused(values: dict[str, str], message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        resolve(SLOTS, values, str)


def test_previous_values_are_kept_and_unknown_parameters_refused() -> None:
    given: list[dict[str, Any]] = [
        {"ParameterKey": "Count", "UsePreviousValue": True},
        {"ParameterKey": "Env", "ParameterValue": "prod"},
    ]
    assert given_values(SLOTS, given, {"Count": "5"}) == {"Count": "5", "Env": "prod"}
    with pytest.raises(TemplateError, match=r"\[Typo\] do not exist in the template"):
        given_values(SLOTS, [{"ParameterKey": "Typo", "ParameterValue": "x"}], {})
