from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from moto.events.models import EventPattern

from tests.compliance.reading import Resource, Template, model_stacks, plain, resources, stacks_with

Rules = list[tuple[str, dict[str, Any], dict[str, Any]]]

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
ENDED_EXECUTION: dict[str, Any] = {
    "version": "0",
    "id": "315c1398-40ff-a850-213b-158f73e60175",
    "detail-type": "Step Functions Execution Status Change",
    "source": "aws.states",
    "account": "111122223333",
    "time": "2026-11-12T00:00:00Z",
    "region": "eu-west-1",
    "resources": ["arn:aws:states:eu-west-1:111122223333:execution:mlops-diabetes-release:0a1b2c3d"],
    "detail": {
        "executionArn": "arn:aws:states:eu-west-1:111122223333:execution:mlops-diabetes-release:0a1b2c3d",
        "stateMachineArn": "arn:aws:states:eu-west-1:111122223333:stateMachine:mlops-diabetes-release",
        "name": "0a1b2c3d",
        "status": "FAILED",
        "startDate": 1551225271984,
        "stopDate": 1551225277984,
        "input": "{}",
        "inputDetails": {"included": True},
        "output": None,
        "outputDetails": None,
        "error": "DataGateFailed",
        "cause": "Train: row 17 has no label",
    },
}


HANDED_OVER: dict[str, Any] = {
    "version": "0",
    "id": "844e2571-85d4-695f-b930-0153b71dcb42",
    "detail-type": "SageMaker Model Package State Change",
    "source": "aws.sagemaker",
    "account": "111122223333",
    "time": "2026-11-12T00:00:00Z",
    "region": "eu-west-1",
    "resources": ["arn:aws:sagemaker:eu-west-1:111122223333:model-package/mlops-abalone-candidates/3"],
    "detail": {
        "ModelPackageGroupName": "mlops-abalone-candidates",
        "ModelPackageVersion": 3,
        "ModelPackageArn": "arn:aws:sagemaker:eu-west-1:111122223333:model-package/mlops-abalone-candidates/3",
        "ModelPackageStatus": "Completed",
        "ModelApprovalStatus": "Approved",
    },
}


REJECTED = copy.deepcopy(HANDED_OVER)
REJECTED["resources"] = ["arn:aws:sagemaker:eu-west-1:111122223333:model-package/mlops-churn/3"]
REJECTED["detail"] |= {
    "ModelPackageGroupName": "mlops-churn",
    "ModelPackageArn": "arn:aws:sagemaker:eu-west-1:111122223333:model-package/mlops-churn/3",
    "ModelApprovalStatus": "Rejected",
}
ENDED_STAGE: dict[str, Any] = {
    "version": "0",
    "id": "01234567-EXAMPLE",
    "detail-type": "CodePipeline Stage Execution State Change",
    "source": "aws.codepipeline",
    "account": "111122223333",
    "time": "2026-11-12T00:00:00Z",
    "region": "eu-west-1",
    "resources": ["arn:aws:codepipeline:eu-west-1:111122223333:mlops-churn"],
    "detail": {
        "pipeline": "mlops-churn",
        "version": 1,
        "execution-id": "01234567-0123-0123-0123-012345678901",
        "start-time": "2026-11-12T00:00:00.000Z",
        "stage": "Prod",
        "state": "SUCCEEDED",
        "pipeline-execution-attempt": 1.0,
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


def ended(model: str, status: str) -> dict[str, Any]:
    """An execution of the release of `model`; only one that has failed has an error and a cause."""
    machine = f"arn:aws:states:eu-west-1:111122223333:stateMachine:mlops-{model}-release"
    event = with_detail(with_detail(ENDED_EXECUTION, "stateMachineArn", machine), "status", status)
    event["detail"] |= {} if status == "FAILED" else {"error": None, "cause": None}
    return event


def events_of(model: str, *, release: bool, group: str | None) -> list[dict[str, Any]]:
    """Every event that something has to happen at; a model of a group of candidates is started by a candidate."""
    uploads = [with_detail(UPLOAD, "object.key", f"{model}/{'candidate.json' if group else 'data.csv'}")]
    if group:
        uploads.append(with_detail(HANDED_OVER, "ModelPackageGroupName", group))
    if release:
        return [*uploads, *(ended(model, status) for status in ("FAILED", "TIMED_OUT", "ABORTED"))]
    uploads.append(with_detail(UPLOAD, "object.key", f"{model}/source.zip"))
    stage = with_detail(ENDED_STAGE, "pipeline", f"mlops-{model}")
    return [
        *uploads,
        with_detail(FAILED_ACTION, "pipeline", f"mlops-{model}"),
        with_detail(REJECTED, "ModelPackageGroupName", f"mlops-{model}"),
        *(with_detail(stage, "state", state) for state in ("SUCCEEDED", "FAILED", "STOPPED")),
        with_detail(stage, "stage", "Staging"),
    ]


@pytest.fixture(scope="module")
def events(templates: dict[str, Template]) -> dict[str, list[dict[str, Any]]]:
    """The events of each model."""
    pipelines = stacks_with(templates, "AWS::CodePipeline::Pipeline")
    models = {stack.removeprefix("mlops-") for stack in model_stacks(templates)}
    assert models
    return {
        model: events_of(model, release=f"mlops-{model}" not in pipelines, group=candidates_of(templates, model))
        for model in sorted(models)
    }


def candidates_of(templates: dict[str, Template], model: str) -> str | None:
    name = f"mlops-{model}-candidates"
    return name if name in templates else None


@pytest.fixture(scope="module")
def rules(templates: dict[str, Template]) -> Rules:
    """Model, pattern and properties of every rule that waits for an event; names as in the samples."""
    found = []
    for rule in resources(model_stacks(templates), "AWS::Events::Rule"):
        model = rule.stack.removeprefix("mlops-")
        pattern = plain(rule.properties.get("EventPattern", {}))
        if "bucket" in pattern.get("detail", {}):
            pattern["detail"]["bucket"]["name"] = ["DATA"]
        if "stateMachineArn" in pattern.get("detail", {}):
            (machine,) = pattern["detail"]["stateMachineArn"]
            name = templates[rule.stack]["Resources"][machine.strip("<>")]["Properties"]["StateMachineName"]
            pattern["detail"]["stateMachineArn"] = [f"arn:aws:states:eu-west-1:111122223333:stateMachine:{name}"]
        if pattern:
            found.append((model, pattern, rule.properties))
    return found


def test_every_event_is_answered_once_by_its_own_model(rules: Rules, events: dict[str, list[dict[str, Any]]]) -> None:
    for model, own in events.items():
        for event in own:
            assert [one for one, pattern, _ in rules if matches(pattern, event)] == [model], event


def test_every_rule_has_a_sample_event_that_it_matches(rules: Rules, events: dict[str, list[dict[str, Any]]]) -> None:
    for model, pattern, _ in rules:
        assert any(matches(pattern, event) for event in events[model]), pattern


@pytest.mark.parametrize(
    ("event", "path", "value"),
    [
        (UPLOAD, "object.key", "churn/data.csv.tmp"),
        (UPLOAD, "object.key", "abalone/data.csv"),  # which comes with a candidate, or not at all
        (HANDED_OVER, "ModelApprovalStatus", "PendingManualApproval"),
        (HANDED_OVER, "ModelPackageGroupName", "mlops-abalone"),
        (REJECTED, "ModelApprovalStatus", "Approved"),
        (REJECTED, "ModelPackageGroupName", "mlops-abalone-candidates"),
        (ENDED_STAGE, "state", "STARTED"),
        (ENDED_STAGE, "state", "RESUMED"),
        (ENDED_STAGE, "stage", "Train"),
        (ENDED_STAGE, "pipeline", "mlops-birthweight"),
        (UPLOAD, "bucket.name", "another-bucket"),
        (FAILED_ACTION, "state", "SUCCEEDED"),
        (FAILED_ACTION, "pipeline", "mlops-birthweight"),
        (ENDED_EXECUTION, "status", "SUCCEEDED"),
        (ENDED_EXECUTION, "status", "RUNNING"),
        (
            ENDED_EXECUTION,
            "stateMachineArn",
            "arn:aws:states:eu-west-1:111122223333:stateMachine:mlops-diabetes-training",
        ),
    ],
)
def test_no_rule_matches_a_neighbouring_event(rules: Rules, event: dict[str, Any], path: str, value: str) -> None:
    assert any(matches(pattern, event) for _, pattern, _ in rules)
    assert not any(matches(pattern, with_detail(event, path, value)) for _, pattern, _ in rules)


def test_the_code_alone_starts_no_release(rules: Rules, templates: dict[str, Template]) -> None:
    """Without CI/CD, nobody has tested it; the next run takes it."""
    releases = {model for model, _, _ in rules} - {
        stack.removeprefix("mlops-") for stack in stacks_with(templates, "AWS::CodePipeline::Pipeline")
    }
    assert releases
    for model in releases:
        event = with_detail(UPLOAD, "object.key", f"{model}/source.zip")
        assert not any(matches(pattern, event) for _, pattern, _ in rules)


def test_every_rule_waits_for_an_event_or_has_a_schedule(templates: dict[str, Template]) -> None:
    for rule in resources(templates, "AWS::Events::Rule"):
        assert ("EventPattern" in rule.properties) != ("ScheduleExpression" in rule.properties), rule.path


def scheduled(templates: dict[str, Template], *, collection: bool) -> list[Resource]:
    """Return the rules with a schedule: those of collections, or the others."""
    functions = {
        (one.stack, f"<{one.logical_id}.Arn>"): one.properties["Handler"]
        for one in resources(templates, "AWS::Lambda::Function")
    }

    def collects(rule: Resource) -> bool:
        called = {functions.get((rule.stack, plain(one["Arn"]))) for one in rule.properties["Targets"]}
        return called == {"lambdas.collect_configurations.handler.handle"}

    found = [one for one in resources(templates, "AWS::Events::Rule") if "ScheduleExpression" in one.properties]
    return [one for one in found if collects(one) is collection]


def test_every_schedule_starts_what_an_upload_starts(templates: dict[str, Template]) -> None:
    """Besides the collection of what earlier versions leave behind."""
    schedules = scheduled(templates, collection=False)
    assert schedules
    for schedule in schedules:
        (upload,) = (
            rule
            for rule in resources({schedule.stack: templates[schedule.stack]}, "AWS::Events::Rule")
            if rule.properties.get("EventPattern", {}).get("source") == ["aws.s3"]
        )
        assert [one["Arn"] for one in schedule.properties["Targets"]] == [
            one["Arn"] for one in upload.properties["Targets"]
        ]


def test_what_earlier_versions_leave_behind_is_collected_daily(templates: dict[str, Template]) -> None:
    collections = scheduled(templates, collection=True)
    assert [one.stack for one in collections] == sorted(model_stacks(templates))
    assert {one.properties["ScheduleExpression"] for one in collections} == {"rate(1 day)"}


def test_every_rule_may_invoke_its_function(templates: dict[str, Template]) -> None:
    """A permission for each rule; the topic admits EventBridge itself."""
    for rule in resources(templates, "AWS::Events::Rule"):
        stack = {rule.stack: templates[rule.stack]}
        functions = {f"<{one.logical_id}.Arn>" for one in resources(stack, "AWS::Lambda::Function")}
        admitted = {
            plain(one.properties["FunctionName"])
            for one in resources(stack, "AWS::Lambda::Permission")
            if plain(one.properties["SourceArn"]) == f"<{rule.logical_id}.Arn>"
        }
        targets = {plain(one["Arn"]) for one in rule.properties["Targets"]}
        assert targets & functions <= admitted, rule.path


def test_the_message_of_a_failure_names_only_what_the_event_has(
    rules: Rules, events: dict[str, list[dict[str, Any]]]
) -> None:
    checked = set()
    for model, pattern, properties in rules:
        for paths in (one.get("InputTransformer", {}).get("InputPathsMap", {}) for one in properties["Targets"]):
            for event in (one for one in events[model] if paths and matches(pattern, one)):
                for path in paths.values():
                    value: Any = event
                    for part in path.removeprefix("$.").split("."):
                        value = value[part]
                    assert isinstance(value, str), f"{path} of {event['detail']}"
                    checked.add(event["detail-type"])
    assert checked == {FAILED_ACTION["detail-type"], ENDED_EXECUTION["detail-type"]}


def test_the_message_of_a_failure_is_json(rules: Rules) -> None:
    for _, _, properties in rules:
        for transformer in (one["InputTransformer"] for one in properties["Targets"] if "InputTransformer" in one):
            filled = transformer["InputTemplate"]
            for name in transformer["InputPathsMap"]:
                filled = filled.replace(f"<{name}>", json.dumps(f'a "{name}"\nof two lines'))
            assert set(json.loads(filled).values()) == {
                f'a "{name}"\nof two lines' for name in transformer["InputPathsMap"]
            }


def test_a_candidate_is_announced_to_the_tools_when_it_is_handed_over(templates: dict[str, Template]) -> None:
    (rule,) = resources({"": templates["mlops-abalone-candidates"]}, "AWS::Events::Rule")
    assert matches(rule.properties["EventPattern"], HANDED_OVER)
    pending = with_detail(HANDED_OVER, "ModelApprovalStatus", "PendingManualApproval")
    assert not matches(rule.properties["EventPattern"], pending)
    (target,) = rule.properties["Targets"]
    assert target["Arn"] == "arn:aws:events:eu-west-1:111122223333:event-bus/mlops-candidates"
    assert target["RoleArn"]


def test_only_the_rule_of_the_intake_listens_to_candidates(templates: dict[str, Template]) -> None:
    listening = [one for one in resources(templates, "AWS::Events::Rule") if "EventBusName" in one.properties]
    assert [one.stack for one in listening] == ["mlops-abalone"]
    assert [one.properties["EventBusName"] for one in listening] == ["mlops-candidates"]
