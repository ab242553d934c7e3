"""The names by which rollbacks find what a stage has deployed are those of every pipeline."""

from __future__ import annotations

from typing import Any

from mlops_constructs.rollback import LAST_ACTION, OUTCOME_ACTION
from tests.conftest import Template


def pipelines(templates: dict[str, Template]) -> list[list[dict[str, Any]]]:
    return [
        resource["Properties"]["Stages"]
        for template in templates.values()
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::CodePipeline::Pipeline"
    ]


def test_every_stage_that_deploys_ends_with_its_verification_and_one_action_names_the_version(
    configured: dict[str, Template],
) -> None:
    found = pipelines(configured)
    assert found
    for stages in found:
        assert [action["Name"] for stage in stages for action in stage["Actions"]].count(OUTCOME_ACTION) == 1
        for stage in stages:
            if stage["Name"] in {"Dev", "Staging", "Prod"}:
                last = max(action["RunOrder"] for action in stage["Actions"])
                assert [action["Name"] for action in stage["Actions"] if action["RunOrder"] == last] == [LAST_ACTION]
