from __future__ import annotations

import json
from typing import Any

import pytest

from mlops.rehearsal.events_input import InputError, find, for_target

EVENT: dict[str, Any] = {
    "id": "1",
    "source": "aws.s3",
    "time": "2026-01-01T00:00:00Z",
    "resources": ["arn:aws:s3:::b"],
    "detail": {"name": 'the "best" one', "count": 3, "list": [{"key": "k"}]},
}


def transformed(template: str, **paths: str) -> Any:
    target = {"InputTransformer": {"InputTemplate": template, "InputPathsMap": paths}}
    return json.loads(for_target(target, EVENT, rule_name="r", rule_arn="arn:rule"))


def test_without_an_input_the_target_sees_the_event() -> None:
    assert json.loads(for_target({}, EVENT, rule_name="r", rule_arn="a")) == EVENT


def test_constant_input_replaces_the_event() -> None:
    assert for_target({"Input": '{"a": 1}'}, EVENT, rule_name="r", rule_arn="a") == '{"a": 1}'


def test_input_path_selects_a_part() -> None:
    assert for_target({"InputPath": "$.detail.count"}, EVENT, rule_name="r", rule_arn="a") == "3"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('{"name": <name>, "count": <count>}', {"name": 'the "best" one', "count": 3}),
        ('{"text": "<name> has <count>"}', {"text": 'the "best" one has 3'}),
        ('"<name> of <aws.events.rule-name>"', 'the "best" one of r'),
        ('{"rule": <aws.events.rule-arn>, "gone": <gone>}', {"rule": "arn:rule", "gone": ""}),
        ('{"all": <aws.events.event.json>}', {"all": EVENT}),
        ('{"detail": <detail>}', {"detail": EVENT["detail"]}),
    ],
)
def test_transformer_quotes_as_eventbridge_does(template: str, expected: Any) -> None:
    paths = {"name": "$.detail.name", "count": "$.detail.count", "gone": "$.detail.gone", "detail": "$.detail"}
    assert transformed(template, **paths) == expected


def test_template_that_gives_no_json_is_an_error() -> None:
    with pytest.raises(InputError, match="does not give JSON"):
        transformed("{<count>}", count="$.detail.count")


def test_paths_reach_into_lists() -> None:
    assert find(EVENT, "$.detail.list[0].key") == "k"
    assert find(EVENT, "$.resources[1]") is None
