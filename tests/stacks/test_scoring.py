"""Scoring: each contender answers through its own container, and the model that it takes for that does not stay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.compliance.reading import Template, model_stacks, state_machines


@pytest.fixture(scope="module")
def workflows(templates: dict[str, Template]) -> list[dict[str, Any]]:
    """The states of every training workflow."""
    found = [
        dict(definition["States"])
        for machine, definition in state_machines(templates)
        if "Score" in definition["States"]
    ]
    assert len(found) == len(model_stacks(templates)) > 1
    return found


def contender(workflow: dict[str, Any]) -> dict[str, Any]:
    return dict(workflow["Score"]["ItemProcessor"]["States"])


def ways(states: dict[str, Any], name: str, passed: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every way from `name` to an end, each state once."""
    state, passed = states[name], (*passed, name)
    following = {
        way[key]
        for way in (state, *state.get("Catch", []), *state.get("Choices", []))
        for key in ("Next", "Default")
        if key in way
    }
    if not following:
        yield passed
    for one in following - set(passed):
        yield from ways(states, one, passed)


def test_whatever_happens_to_the_job_its_model_is_deleted(workflows: list[dict[str, Any]]) -> None:
    for workflow in workflows:
        found = list(ways(contender(workflow), "Transform"))
        assert len(found) > 3
        assert [way for way in found if not {"DeleteModel", "DiscardModel"} & set(way)] == []


def test_a_failed_job_never_counts_as_scored(workflows: list[dict[str, Any]]) -> None:
    for workflow in workflows:
        states = contender(workflow)
        ends = {way[-1] for way in ways(states, "DiscardModel")}
        assert {states[end]["Type"] for end in ends} == {"Fail"}


def test_the_retry_of_a_lost_answer_goes_on(workflows: list[dict[str, Any]]) -> None:
    """A model of this execution that is there already is the right one; one that is gone need not be deleted."""
    for workflow in workflows:
        states = contender(workflow)
        (made,) = states["CreateModelFailed"]["Choices"]
        (gone,) = states["DeleteModelFailed"]["Choices"]
        assert (made["And"][1]["StringMatches"], made["Next"]) == ("*already existing model*", "Transform")
        assert (gone["And"][1]["StringMatches"], states[gone["Next"]]["Type"]) == ("*Could not find model*", "Succeed")
        for name in ("CreateModelFailed", "DeleteModelFailed"):
            assert states[states[name]["Default"]]["Type"] == "Fail"


def test_the_cause_inside_the_map_is_the_cause_that_is_explained(workflows: list[dict[str, Any]]) -> None:
    for workflow in workflows:
        failed = contender(workflow)["ContenderFailed"]
        assert failed["CausePath"] == "States.JsonToString($.failure)"
        first, *_ = workflow["Score"]["Catch"]
        unpacked = workflow[first["Next"]]
        assert first["ErrorEquals"] == [failed["Error"]]
        assert unpacked["Parameters"] == {"told.$": "States.StringToJson($.failure.Cause)"}
        kept = workflow[unpacked["Next"]]
        assert (kept["InputPath"], kept["ResultPath"]) == (f"{unpacked['ResultPath']}.told", "$.failure")
        assert workflow[kept["Next"]]["Parameters"] == {"step": "Score"}


def test_both_models_answer_the_same_rows_and_neither_sees_the_labels(workflows: list[dict[str, Any]]) -> None:
    for workflow in workflows:
        source = contender(workflow)["Transform"]["Parameters"]["TransformInput"]["DataSource"]["S3DataSource"]
        assert source["S3Uri.$"] == "States.Format('{}/prepared/score', $.base)"


def test_the_answers_of_the_champion_do_not_stand_among_those_of_the_challenger(
    workflows: list[dict[str, Any]],
) -> None:
    for workflow in workflows:
        output = contender(workflow)["Transform"]["Parameters"]["TransformOutput"]["S3OutputPath.$"]
        assert output == "States.Format('{}/scores/{}', $.base, $.name)"
        names = [one["name"] for one in workflow["ScoreBoth"]["Parameters"]["all"]]
        assert names == ["challenger", "champion"]


def test_every_contender_has_a_model_and_a_job_of_its_own(workflows: list[dict[str, Any]]) -> None:
    for workflow in workflows:
        indices = [one["index"] for one in workflow["ScoreBoth"]["Parameters"]["all"]]
        assert len(indices) == len(set(indices)) == 2
        for name in ("CreateModel", "DeleteModel", "DiscardModel"):
            assert contender(workflow)[name]["Parameters"]["ModelName.$"].endswith("$.index)")
        assert contender(workflow)["Transform"]["Parameters"]["TransformJobName.$"].endswith("$.index)")
