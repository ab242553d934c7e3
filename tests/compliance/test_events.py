from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from moto.events.models import EventPattern

from tests.compliance.reading import Template, plain, resources

# The events as the services document them, for the resources of the synthesized stacks.
UPLOAD: dict[str, Any] = {
    "version": "0",
    "id": "17793124-05d4-b198-2fde-7ededc63b103",
    "detail-type": "Object Created",
    "source": "aws.s3",
    "account": "111122223333",
    "time": "2026-11-12T00:00:00Z",
    "region": "eu-west-1",
    "resources": ["arn:aws:s3:::DATA"],
    "detail": {
        "version": "0",
        "bucket": {"name": "DATA"},
        "object": {
            "key": "churn/data.csv",
            "size": 5,
            "etag": "b1946ac92492d2347c6235b4d2611184",
            "version-id": "IYV3p4",
            "sequencer": "617f08299329d189",
        },
        "request-id": "N4N7GDK58NMKJ12R",
        "requester": "111122223333",
        "source-ip-address": "1.2.3.4",
        "reason": "PutObject",
    },
}
FAILED_ACTION: dict[str, Any] = {
    "version": "0",
    "id": "01234567-EXAMPLE",
    "detail-type": "CodePipeline Action Execution State Change",
    "source": "aws.codepipeline",
    "account": "111122223333",
    "time": "2026-11-12T00:00:00Z",
    "region": "eu-west-1",
    "resources": ["arn:aws:codepipeline:eu-west-1:111122223333:mlops-churn"],
    "detail": {
        "pipeline": "mlops-churn",
        "version": 1,
        "execution-id": "01234567-0123-0123-0123-012345678901",
        "stage": "Train",
        "execution-result": {
            "external-execution-url": "https://eu-west-1.console.aws.amazon.com",
            "external-execution-summary": "DataGateFailed: row 17 has no label",
            "external-execution-id": "0123456",
            "error-code": "JobFailed",
        },
        "action": "Train",
        "state": "FAILED",
        "region": "eu-west-1",
        "type": {"owner": "AWS", "provider": "StepFunctions", "category": "Invoke", "version": "1"},
    },
}


def matches(pattern: Any, event: Any) -> bool:
    return bool(EventPattern.load(json.dumps(pattern)).matches_event(event))


def with_detail(event: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(event)
    place = changed["detail"]
    *parents, last = path.split(".")
    for parent in parents:
        place = place[parent]
    place[last] = value
    return changed


@pytest.fixture(scope="module")
def patterns(templates: dict[str, Template]) -> dict[str, Any]:
    found = {}
    for rule in resources(templates, "AWS::Events::Rule"):
        pattern = plain(rule.properties["EventPattern"])
        if "bucket" in pattern["detail"]:
            pattern["detail"]["bucket"]["name"] = ["DATA"]
        found[pattern["detail-type"][0]] = pattern
    return found


def test_every_rule_has_a_sample_event_that_it_matches(patterns: dict[str, Any]) -> None:
    events = {event["detail-type"]: event for event in (UPLOAD, FAILED_ACTION)}
    assert set(patterns) == set(events)
    assert all(matches(patterns[name], events[name]) for name in patterns)


@pytest.mark.parametrize(
    ("event", "path", "value"),
    [
        (UPLOAD, "object.key", "churn/data.csv.tmp"),
        (UPLOAD, "object.key", "abalone/data.csv"),
        (UPLOAD, "bucket.name", "another-bucket"),
        (FAILED_ACTION, "state", "SUCCEEDED"),
        (FAILED_ACTION, "pipeline", "mlops-abalone"),
    ],
)
def test_no_rule_matches_a_neighbouring_event(
    patterns: dict[str, Any], event: dict[str, Any], path: str, value: str
) -> None:
    assert not matches(patterns[event["detail-type"]], with_detail(event, path, value))


def test_the_upload_of_the_code_starts_the_pipeline_too(patterns: dict[str, Any]) -> None:
    assert matches(patterns["Object Created"], with_detail(UPLOAD, "object.key", "churn/source.zip"))


def test_the_message_of_a_failure_names_only_what_the_event_has(templates: dict[str, Template]) -> None:
    for rule in resources(templates, "AWS::Events::Rule"):
        for target in rule.properties["Targets"]:
            for path in target.get("InputTransformer", {}).get("InputPathsMap", {}).values():
                value: Any = FAILED_ACTION
                for part in path.removeprefix("$.").split("."):
                    value = value[part]
                assert isinstance(value, str), path
