from __future__ import annotations

from typing import Any

import pytest

from mlops_constructs import asl
from mlops_constructs.asl import State


def task(*, next_state: str | None = "Next") -> State:
    return asl.task(
        "arn:aws:states:::lambda:invoke",
        {"FunctionName": "f"},
        timeout_seconds=60,
        catch=asl.catch_all("Failed"),
        next_state=next_state,
        result_path="$.answer",
    )


@pytest.mark.parametrize("forgotten", ["timeout_seconds", "catch", "next_state", "result_path"])
def test_nothing_that_a_task_needs_can_be_forgotten(forgotten: str) -> None:
    given: dict[str, Any] = {"timeout_seconds": 60, "catch": [], "next_state": None, "result_path": None}
    del given[forgotten]
    with pytest.raises(TypeError, match=forgotten):
        asl.task("arn:aws:states:::lambda:invoke", {}, **given)


def test_a_task_retries_and_times_out() -> None:
    assert task()["Retry"] == asl.retry()
    assert task()["TimeoutSeconds"] == 60


def test_a_task_goes_on_or_ends() -> None:
    assert task(next_state="Next")["Next"] == "Next"
    assert "End" not in task(next_state="Next")
    assert task(next_state=None)["End"] is True
    assert "Next" not in task(next_state=None)


def test_a_result_has_a_place_beside_the_input() -> None:
    """Without ResultPath a result would take the place of the whole input."""
    assert task()["ResultPath"] == "$.answer"


def test_a_retry_names_the_errors_after_which_the_same_call_may_succeed() -> None:
    (policy,) = asl.retry()
    assert "ThrottlingException" in policy["ErrorEquals"]
    assert not {"States.ALL", "States.TaskFailed", "States.Timeout"} & set(policy["ErrorEquals"])
    (policy,) = asl.retry("Only.This")
    assert policy["ErrorEquals"] == ["Only.This"]


def test_a_state_keeps_the_answer_of_a_function_and_not_its_metadata() -> None:
    state = asl.invoke("aws", "f", {"a": 1}, timeout_seconds=1, catch=[], next_state=None, result_path="$.answer")
    assert state["ResultSelector"] == {"Payload.$": "$.Payload"}


def test_a_failure_that_cannot_be_explained_is_told_as_it_is() -> None:
    states = asl.explained_failure("aws", "f")
    (catcher,) = states["ExplainFailure"]["Catch"]
    raw = states[catcher["Next"]]
    assert raw["Type"] == "Fail"
    assert raw["CausePath"] == "States.JsonToString($.failure)"
    assert catcher["ResultPath"] != "$.failure"


def test_no_failure_is_told_under_a_name_that_step_functions_reserves() -> None:
    """A Fail state whose error begins with "States." ends as States.Runtime, and its cause is lost."""
    fails = [state for state in asl.explained_failure("aws", "f").values() if state["Type"] == "Fail"]
    assert fails
    assert all(
        state.get("ErrorPath") == "$.explained.Payload.error" or "States." not in state["Error"] for state in fails
    )


def test_every_way_out_of_a_failure_is_a_failure() -> None:
    states = asl.explained_failure("aws", "f")
    assert {states[states["ExplainFailure"]["Next"]]["Type"], states["FailedUnexplained"]["Type"]} == {"Fail"}
