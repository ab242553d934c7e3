from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape
from botocore.validate import ParamValidator

from tests.compliance.reading import Template, scopes, state_machines, states_of_type, tasks

RESOURCE = re.compile(
    r"arn:aws:states:::(?:aws-sdk:)?(?P<service>[a-z0-9]+):(?P<action>[A-Za-z]+)(?P<sync>\.sync(?::2)?)?$|"
    r"arn:<AWS::Partition>:states:::(?:aws-sdk:)?(?P<service2>[a-z0-9]+):(?P<action2>[A-Za-z]+)(?P<sync2>\.sync(?::2)?)?$"
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


def machines(templates: dict[str, Template]) -> list[tuple[str, dict[str, Any]]]:
    """Every state machine, and every one inside a Map state, with a readable name."""
    return [
        (f"{resource.path}:{scope}", machine)
        for resource, definition in state_machines(templates)
        for scope, machine in scopes(definition)
    ]


def test_the_rules_look_into_map_states(templates: dict[str, Template]) -> None:
    assert {name.partition(":")[2] for name, _ in machines(templates)} == {"", "Score/"}
    assert any(name.endswith(":Score/CreateModel") for name, _ in tasks(templates))


def test_no_name_of_a_state_is_used_twice_in_a_workflow(templates: dict[str, Template]) -> None:
    """Not even inside a Map state: https://docs.aws.amazon.com/step-functions/latest/dg/statemachine-structure.html."""
    for resource, definition in state_machines(templates):
        names = [name for _, machine in scopes(definition) for name in machine["States"]]
        assert len(names) == len(set(names)), resource.path


def test_no_failure_takes_a_reserved_name_or_a_cause_that_may_be_missing(templates: dict[str, Template]) -> None:
    """Names that begin with `States.` are those of Step Functions, and a timeout has no cause."""
    for name, state in states_of_type(templates, "Fail"):
        assert not state.get("Error", "").startswith("States."), name
        assert not state.get("ErrorPath", "").startswith("$.failure"), name
        assert not state.get("CausePath", "").startswith("$.failure"), name


def test_every_map_has_a_catch(templates: dict[str, Template]) -> None:
    found = list(states_of_type(templates, "Map"))
    assert found
    for name, state in found:
        assert state["Catch"][-1]["ErrorEquals"] == ["States.ALL"], name
        assert state["ResultPath"].startswith("$."), name


def test_no_task_runs_longer_than_its_workflow(templates: dict[str, Template]) -> None:
    """A step that is too slow is told by its name; a workflow that is too slow only stops."""
    for resource, definition in state_machines(templates):
        for scope, machine in scopes(definition):
            slow = [
                name
                for name, state in machine["States"].items()
                if state.get("TimeoutSeconds", 0) >= definition["TimeoutSeconds"]
            ]
            assert slow == [], f"{resource.path}:{scope}"


def test_every_state_exists_and_can_be_reached(templates: dict[str, Template]) -> None:
    for where, definition in machines(templates):
        states, reached, todo = definition["States"], set(), [definition["StartAt"]]
        while todo:
            name = todo.pop()
            if name not in reached:
                reached.add(name)
                todo.extend(edges(states[name]))
        assert reached == set(states), where


def fails_closed(states: dict[str, Any], name: str) -> bool:
    """Whether a Choice at `name` leads to a failure by its defaults.

    On the way, only its cause may be noted, and what the run has made may be discarded.
    """
    while name != "ExplainFailure":
        state = states[name]
        if state["Type"] == "Choice":
            name = state["Default"]
        elif state["Type"] in {"Task", "Pass"} and state["ResultPath"] in {"$.failure", "$.broke", "$.discarded"}:
            name = state["Next"]
        else:
            return bool(state["Type"] == "Fail")
    return True


def test_every_choice_says_where_an_unknown_value_goes(templates: dict[str, Template]) -> None:
    """And that is never the way of success: unknown fails closed."""
    for where, definition in machines(templates):
        states = definition["States"]
        choices = [name for name, state in states.items() if state["Type"] == "Choice"]
        assert choices, where
        assert [name for name in choices if not fails_closed(states, name)] == [], where


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


EVENTS = {"Wait": 2, "Choice": 2, "Pass": 2, "Task": 5}
"""History events of one visit of a state."""


def loop_of(states: dict[str, Any], wait: str) -> list[str]:
    """The states of the polling loop with the Wait `wait`: the shortest way from it back to it."""
    ways = [[wait]]
    for way in ways:
        for name in edges(states[way[-1]]):
            if name == wait:
                return way
            if name not in way:
                ways.append([*way, name])
    return []


def turns_of(states: dict[str, Any], loop: list[str]) -> int | None:
    """How often a loop turns at most: what its Choice compares with a number that the loop itself counts up."""
    for rule in (rule for name in loop for rule in states[name].get("Choices", [])):
        if "NumericLessThan" in rule and rule["Next"] in loop:
            where, _, field = rule["Variable"].rpartition(".")
            counted = {"Parameters": {f"{field}.$": f"States.MathAdd({rule['Variable']}, 1)"}, "ResultPath": where}
            if any(counted.items() <= states[name].items() for name in loop):
                return int(rule["NumericLessThan"])
    return None


def longest_list(value: Any) -> int:
    if isinstance(value, list):
        return max(len(value), *(longest_list(one) for one in value), 0)
    return max((longest_list(one) for one in value.values()), default=0) if isinstance(value, dict) else 0


def polls(definition: dict[str, Any]) -> list[tuple[int, int, int | None]]:
    """Every polling loop: seconds and events of a turn, and how many turns it takes at most."""
    states = definition["States"]
    loops = [(state, loop_of(states, name)) for name, state in states.items() if state["Type"] == "Wait"]
    return [
        (wait["Seconds"], sum(EVENTS[states[one]["Type"]] for one in loop), turns_of(states, loop))
        for wait, loop in loops
    ]


def counted_events(definition: dict[str, Any]) -> int:
    """How many events an execution may write outside of endless loops: every state with all of its attempts."""
    states, events = definition["States"], 0
    for state in states.values():
        events += 2 + 5 * max(6, 1 + sum(policy["MaxAttempts"] for policy in state.get("Retry", [])))
        if state["Type"] == "Map":
            field = state["ItemsPath"].rpartition(".")[2]
            items = max(longest_list(one.get("Parameters", {}).get(field)) for one in states.values())
            assert items > 0, state
            events += items * counted_events(state["ItemProcessor"])
    return events + sum(events_of_turn * turns for _, events_of_turn, turns in polls(definition) if turns is not None)


def history(definition: dict[str, Any], limit: int) -> int:
    """How many events an execution of `limit` seconds may write: it may spend all of them in its fastest loop."""
    endless = [
        limit // seconds * events
        for _, machine in scopes(definition)
        for seconds, events, turns in polls(machine)
        if turns is None
    ]
    return counted_events(definition) + max(endless, default=0)


def test_every_workflow_has_a_time_limit_and_a_bounded_history(templates: dict[str, Template]) -> None:
    for resource, definition in state_machines(templates):
        assert history(definition, definition["TimeoutSeconds"]) <= EVENT_BUDGET * 2, resource.path


def polling(counter: int) -> dict[str, Any]:
    """A workflow that polls; only a `counter` of 1 counts."""
    return {
        "States": {
            "Ask": {"Type": "Task", "Next": "Answer"},
            "Answer": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.polls.count", "NumericLessThan": 10, "Next": "Wait"}],
            },
            "Wait": {"Type": "Wait", "Seconds": 1, "Next": "Count"},
            "Count": {
                "Type": "Pass",
                "Parameters": {"count.$": f"States.MathAdd($.polls.count, {counter})"},
                "ResultPath": "$.polls",
                "Next": "Ask",
            },
        }
    }


def test_a_polling_loop_without_an_end_would_be_noticed() -> None:
    states = 4 * (2 + 5 * 6)
    assert history(polling(1), limit=86_400) == states + 10 * 11
    assert history(polling(0), limit=86_400) == states + 86_400 * 11


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
            uncapitalized = name[0].lower() + name[1:]
            if uncapitalized in shape.members:  # Step Functions begins every name with a capital, the API need not
                name = uncapitalized
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
    if where == ".input":  # of an execution: a JSON document in the state, its text in the request
        return json.dumps(parameters)
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
        if key in {"TrainingJobName.$", "ProcessingJobName.$", "TransformJobName.$", "ModelName.$"}
    ]
    assert names
    for name in names:
        prefix = re.match(r"States\.Format\('([^{]+)", name)
        assert prefix, name
        assert len(prefix[1]) + 32 + len("-0") <= 63, name
