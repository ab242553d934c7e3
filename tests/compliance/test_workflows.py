from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape
from botocore.validate import ParamValidator

from tests.compliance.reading import Template, state_machines, tasks

RESOURCE = re.compile(
    r"arn:aws:states:::(?:aws-sdk:)?(?P<service>[a-z0-9]+):(?P<action>[A-Za-z]+)(?P<sync>\.sync)?$|"
    r"arn:<AWS::Partition>:states:::(?:aws-sdk:)?(?P<service2>[a-z0-9]+):(?P<action2>[A-Za-z]+)(?P<sync2>\.sync)?$"
)
EVENT_BUDGET = 5_000
"""History events that one execution may write; Step Functions ends an execution at 25,000."""


@pytest.fixture(scope="module")
def all_tasks(templates: dict[str, Template]) -> list[tuple[str, dict[str, Any]]]:
    found = list(tasks(templates))
    assert len(found) > 10
    return found


def test_every_task_has_a_timeout_retries_and_a_catch(all_tasks: list[tuple[str, dict[str, Any]]]) -> None:
    for name, state in all_tasks:
        assert state["TimeoutSeconds"] > 0, name
        assert state["Retry"], name
        assert state["Catch"][-1]["ErrorEquals"] == ["States.ALL"], name


def test_no_task_overwrites_the_input_of_the_later_ones(all_tasks: list[tuple[str, dict[str, Any]]]) -> None:
    assert [name for name, state in all_tasks if not state.get("ResultPath", "$").startswith("$.")] == []


def test_every_retry_backs_off_with_jitter_and_throttling_is_retried(
    all_tasks: list[tuple[str, dict[str, Any]]],
) -> None:
    for name, state in all_tasks:
        for policy in state["Retry"]:
            assert policy["JitterStrategy"] == "FULL", name
            assert policy["BackoffRate"] > 1, name
            assert policy["MaxDelaySeconds"] > 0, name
        assert any("ThrottlingException" in error for policy in state["Retry"] for error in policy["ErrorEquals"]), name


def edges(state: dict[str, Any]) -> Iterator[str]:
    for one in (state, *state.get("Catch", []), *state.get("Choices", [])):
        if "Next" in one:
            yield one["Next"]
    if "Default" in state:
        yield state["Default"]


def test_every_state_exists_and_can_be_reached(templates: dict[str, Template]) -> None:
    for resource, definition in state_machines(templates):
        states, reached, todo = definition["States"], set(), [definition["StartAt"]]
        while todo:
            name = todo.pop()
            if name not in reached:
                reached.add(name)
                todo.extend(edges(states[name]))
        assert reached == set(states), resource.path


def fails_closed(states: dict[str, Any], name: str) -> bool:
    """Whether a Choice at `name` leads to a failure by its defaults; on the way, only its cause may be noted."""
    while name != "ExplainFailure":
        state = states[name]
        if state["Type"] == "Choice":
            name = state["Default"]
        elif state["Type"] in {"Task", "Pass"} and state["ResultPath"] in {"$.failure", "$.broke"}:
            name = state["Next"]
        else:
            return bool(state["Type"] == "Fail")
    return True


def test_every_choice_says_where_an_unknown_value_goes(templates: dict[str, Template]) -> None:
    """And that is never the way of success: unknown fails closed."""
    for resource, definition in state_machines(templates):
        states = definition["States"]
        choices = [name for name, state in states.items() if state["Type"] == "Choice"]
        assert choices, resource.path
        assert [name for name in choices if not fails_closed(states, name)] == [], resource.path


def test_whatever_explains_a_failure_knows_which_step_it_was(templates: dict[str, Template]) -> None:
    """Each way to ExplainFailure leads through a state that notes the step; without it the explanation fails."""
    for resource, definition in state_machines(templates):
        leading = {name: state for name, state in definition["States"].items() if "ExplainFailure" in edges(state)}
        assert leading, resource.path
        for name, state in leading.items():
            assert state["ResultPath"] == "$.broke", f"{resource.path}:{name}"
            assert state["Parameters"]["step"] in definition["States"], f"{resource.path}:{name}"


def test_a_choice_that_lets_an_unknown_value_pass_would_be_noticed() -> None:
    states = {
        "Gate": {"Type": "Choice", "Default": "Train"},
        "Train": {"Type": "Task", "ResultPath": "$.train", "Next": "Done"},
        "Done": {"Type": "Succeed"},
    }
    assert not fails_closed(states, "Gate")


def test_every_failure_is_told_with_the_step_that_failed(templates: dict[str, Template]) -> None:
    for resource, definition in state_machines(templates):
        states = definition["States"]
        ways = {name for name, state in states.items() if "ExplainFailure" in edges(state)}
        assert ways, resource.path
        for name in ways:
            assert states[name]["Parameters"]["step"] in states, f"{resource.path}:{name}"


def test_every_workflow_has_a_time_limit_and_a_bounded_history(templates: dict[str, Template]) -> None:
    for resource, definition in state_machines(templates):
        limit = definition["TimeoutSeconds"]
        waits = [state["Seconds"] for state in definition["States"].values() if state["Type"] == "Wait"]
        # Each turn of a polling loop is Wait (2 events), Task (5) and Choice (2); every other state runs at most
        # once for each of its six attempts.
        loops = limit // min(waits) * 9 if waits else 0
        others = sum(2 + 5 * 6 for _ in definition["States"])
        assert loops + others <= EVENT_BUDGET * 2, resource.path


def sample(shape: Shape, name: str) -> Any:
    """A value of the type that the API wants, where the state machine has a path."""
    if isinstance(shape, StructureShape | MapShape):
        return {}
    if isinstance(shape, ListShape):
        return []
    if shape.type_name in {"integer", "long", "float", "double"}:
        return 1
    if shape.type_name == "boolean":
        return True
    return f"value-of-{name}"


def request(parameters: Any, shape: Shape, unknown: list[str], where: str = "") -> Any:
    """Return the request that `parameters` describe, and collect names that the API does not know."""
    if isinstance(parameters, dict) and isinstance(shape, StructureShape):
        built = {}
        for key, value in parameters.items():
            name = key.removesuffix(".$")
            if name not in shape.members:
                unknown.append(f"{where}.{name}")
                continue
            member = shape.members[name]
            built[name] = (
                sample(member, name) if key.endswith(".$") else request(value, member, unknown, f"{where}.{name}")
            )
        return built
    if isinstance(parameters, list) and isinstance(shape, ListShape):
        return [request(one, shape.member, unknown, f"{where}[]") for one in parameters]
    if shape.type_name == "blob":
        return b"payload"
    return parameters


def operation(resource: str) -> OperationModel:
    match = RESOURCE.match(resource)
    assert match, resource
    service = match["service"] or match["service2"]
    action = match["action"] or match["action2"]
    service = {"states": "stepfunctions"}.get(service, service)
    model = boto3.client(service, region_name="eu-west-1").meta.service_model
    return model.operation_model(action[0].upper() + action[1:])


def problems(resource: str, parameters: dict[str, Any]) -> list[str]:
    model = operation(resource)
    unknown: list[str] = []
    built = request(parameters, model.input_shape, unknown)
    report = ParamValidator().validate(built, model.input_shape)
    return [f"unknown parameter {one}" for one in unknown] + ([report.generate_report()] if report.has_errors() else [])


def test_every_parameter_of_every_task_is_one_that_the_api_knows(all_tasks: list[tuple[str, dict[str, Any]]]) -> None:
    assert {
        name: found for name, state in all_tasks if (found := problems(state["Resource"], state["Parameters"]))
    } == {}


def test_the_parameter_check_notices_a_typing_mistake() -> None:
    found = problems("arn:aws:states:::sagemaker:createTrainingJob.sync", {"TrainingJobNam.$": "$.name"})
    assert "unknown parameter .TrainingJobNam" in found
    assert any("RoleArn" in one for one in found)


def test_every_instance_of_a_job_name_fits_sagemaker(templates: dict[str, Template]) -> None:
    names = [
        value
        for _, state in tasks(templates)
        for key, value in state["Parameters"].items()
        if key in {"TrainingJobName.$", "ProcessingJobName.$"}
    ]
    assert names
    for name in names:
        prefix = re.match(r"States\.Format\('([^{]+)", name)
        assert prefix, name
        assert len(prefix[1]) + 32 + len("-0") <= 63, name
