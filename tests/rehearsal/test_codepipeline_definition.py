from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from mlops.rehearsal.codepipeline_definition import problems
from tests.rehearsal.pipeline_world import action, approval

SOURCE = action("Code", "Source/S3", {"S3Bucket": "b", "S3ObjectKey": "k"}, outputs=["Zip"], namespace="Code")
BUILD = action("Build", "Build/CodeBuild", {"ProjectName": "p"}, inputs=["Zip"], outputs=["Out"])
PIPELINE: dict[str, Any] = {
    "name": "p",
    "roleArn": "arn:aws:iam::111122223333:role/p",
    "pipelineType": "V2",
    "executionMode": "QUEUED",
    "artifactStore": {"type": "S3", "location": "b"},
    "stages": [{"name": "Source", "actions": [SOURCE]}, {"name": "Build", "actions": [BUILD]}],
}

Change = Callable[[dict[str, Any]], Any]


def more(*actions: dict[str, Any], **stage: Any) -> Change:
    return lambda pipeline: pipeline["stages"].append({"name": "More", "actions": list(actions), **stage})


def found(pipeline: dict[str, Any]) -> list[str]:
    return problems(pipeline, region="eu-west-1")


def test_a_pipeline_of_known_parts_is_accepted() -> None:
    assert found(PIPELINE) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda p: p.update(pipelineType="V1"), "pipelineType V1"),
        (lambda p: p.update(executionMode="SUPERSEDED"), "executionMode SUPERSEDED"),
        (lambda p: p.update(executionMode="PARALLEL"), "executionMode PARALLEL"),
        (lambda p: p.pop("executionMode"), "SUPERSEDED is not rehearsed"),
        (lambda p: p.pop("artifactStore"), "either artifactStore or artifactStores"),
        (more(action("X", "Deploy/ECS", {"ClusterName": "c"})), "provider Deploy/ECS is not rehearsed"),
        (more(action("X", "Deploy/CloudFormation", {"ActionMode": "REPLACE_ON_FAILURE", "StackName": "s"})), "REPLACE"),
        (more(action("X", "Invoke/Lambda")), "missing required configuration 'FunctionName'"),
        (more(action("X", "Invoke/Lambda", {"FunctionName": "f", "UserParameters": "#{No.Such}"})), "No.Such"),
        (more(action("X", "Build/CodeBuild", {"ProjectName": "p"}, inputs=["Nothing"])), "input artifact Nothing"),
        (more(action("X", "Build/CodeBuild", {"ProjectName": "p"}, outputs=["Out"])), "Out is declared twice"),
        (more(SOURCE), "only allowed in the first stage"),
        (more(approval(), approval()), "action name Approve is used more than once"),
        (more(approval(), beforeEntry={"conditions": []}), "beforeEntry is not rehearsed"),
        (more(approval(), onFailure={"result": "SKIP"}), "onFailure with result SKIP is not rehearsed"),
        (more(approval(), onFailure={"result": "FAIL", "conditions": [{}]}), "conditions of onFailure are not"),
        (more(approval(), onFailure={"result": "FAIL", "retryConfiguration": {"retryMode": "X"}}), "needs onFailure"),
        (lambda p: p["stages"][0].update(onFailure={"result": "ROLLBACK"}), "a source stage cannot be rolled back"),
        (more(approval(region="us-east-1")), "eu-west-1, us-east-1 need artifactStores"),
        (lambda p: p.update(artifactStores={"eu-west-1": {}}), "not both"),
        (lambda p: p.update(artifactStore=None, artifactStores={"us-east-1": {}}), "no store for eu-west-1"),
        (more(), "at least one action"),
    ],
)
def test_what_cannot_be_executed_is_refused_by_name(change: Change, named: str) -> None:
    pipeline = copy.deepcopy(PIPELINE)
    change(pipeline)
    assert any(named in problem for problem in found(pipeline)), found(pipeline)


def test_every_problem_is_told_at_once() -> None:
    pipeline = copy.deepcopy(PIPELINE) | {"pipelineType": "V1", "executionMode": "PARALLEL"}
    assert len(found(pipeline)) == 2
