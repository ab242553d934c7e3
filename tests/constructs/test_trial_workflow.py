"""The trial of a candidate: which way each environment goes, how long, and what its judge may do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from aws_cdk import App, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from mlops_constructs.serving_target import ServingTarget
from mlops_constructs.settings import Gates, RealTime, Task
from mlops_constructs.settings.rollout import AbTest, AllAtOnce, Canary, Rollout, Shadow
from mlops_constructs.trial_workflow import TrialWorkflow
from mlops_constructs.workflow_functions import WorkflowFunctions
from tests.compliance.test_workflows import EVENT_BUDGET, history

ROLLOUTS: dict[str, Rollout] = {
    "dev": Canary(type="canary", preview=True),
    "staging": Shadow(type="shadow"),
    "prod": AbTest(type="a-b"),
}
GATES = {
    "data": {"minimum_rows": 2000, "minimum_class_share": 0.05, "maximum_duplicate_share": 0.01},
    "metrics": {"auc": {"floor": 0.75}},
    "champion": {"metric": "auc"},
    "verify": {"rows": 20},
}
Json = dict[str, Any]


class World:
    """One stack with a trial workflow."""

    def __init__(self, rollouts: dict[str, Rollout]) -> None:
        self.stack = Stack(App(), "Model")
        key, artifacts = kms.Key(self.stack, "Key"), s3.Bucket(self.stack, "Artifacts")
        targets = [
            ServingTarget(
                environment=environment,
                stack=f"mlops-churn-{environment}",
                endpoint=f"mlops-churn-{environment}",
                remote=None,
                rollout=rollout,
                serving=RealTime(type="real-time", instance_type="ml.m5.large"),
            )
            for environment, rollout in rollouts.items()
        ]
        common: Json = {"artifacts": artifacts, "key": key, "removal_policy": RemovalPolicy.DESTROY}
        functions = WorkflowFunctions(
            self.stack,
            "Functions",
            model="churn",
            targets=targets,
            verification_path="/verification/",
            group_name="mlops-churn",
            scanned_repository=None,
            **common,
        )
        self.workflow = TrialWorkflow(
            self.stack,
            "Trial",
            name="mlops-churn-trial",
            project="mlops",
            model="churn",
            task=Task.BINARY,
            gates=Gates.model_validate(GATES),
            rollouts=rollouts,
            targets=targets,
            runs_uri="s3://artifacts/churn/runs",
            functions=functions,
            **common,
        )

    def definition(self) -> Json:
        return dict(self.stack.resolve(self.workflow.definition()))

    def statements(self) -> list[Json]:
        """Return what the judge may do."""
        (policy,) = (
            each
            for each in self.workflow.node.find_all()
            if isinstance(each, iam.CfnManagedPolicy) and "JudgeTrial" in each.node.path
        )
        return list(self.stack.resolve(policy.policy_document)["Statement"])


@pytest.fixture(scope="module")
def world() -> World:
    return World(ROLLOUTS)


@pytest.fixture(scope="module")
def states(world: World) -> Json:
    return dict(world.definition()["States"])


def following(state: Json) -> Iterator[str]:
    yield from (state[name] for name in ("Next", "Default") if name in state)
    yield from (each["Next"] for name in ("Choices", "Catch") for each in state.get(name, []))


def reached(states: Json, start: str, *, without: tuple[str, ...] = ()) -> set[str]:
    found, open_ = set[str](), [start]
    while open_:
        name = open_.pop()
        if name not in found and name not in without:
            found.add(name)
            open_ += following(states[name])
    return found


def test_every_state_can_be_reached_and_every_way_leads_somewhere(world: World) -> None:
    definition = world.definition()
    assert reached(definition["States"], definition["StartAt"]) == set(definition["States"])


@pytest.mark.parametrize(
    ("environment", "first", "tried", "not_tried"),
    [
        ("dev", "VerifyPreview", {"PreviewPassed"}, {"Judge"}),
        ("staging", "PlanStaging", {"Judge", "Promoted", "TrialLost"}, {"VerifyChallenger", "VerifyPreview"}),
        ("prod", "PlanProd", {"VerifyChallenger", "Judge", "Promoted", "TrialLost"}, {"VerifyPreview"}),
    ],
)
def test_each_environment_goes_its_way(
    states: Json, environment: str, first: str, tried: set[str], not_tried: set[str]
) -> None:
    (way,) = (each["Next"] for each in states["HowToTry"]["Choices"] if each.get("StringEquals") == environment)
    assert way == first
    assert tried <= reached(states, way)
    assert not not_tried & reached(states, way)


def test_nothing_is_tried_on_the_way_back_and_an_unknown_environment_fails(states: Json) -> None:
    first, *_ = states["HowToTry"]["Choices"]
    assert first == {"Variable": "$.mode", "StringEquals": "immediate", "Next": "NothingToTry"}
    assert states["NothingToTry"]["Type"] == "Succeed"
    assert states[states["HowToTry"]["Default"]]["Type"] == "Fail"


def test_only_a_promotion_succeeds_and_what_nobody_knows_is_lost(states: Json) -> None:
    choices = {each["StringEquals"]: each["Next"] for each in states["TrialDecision"]["Choices"]}
    assert choices == {"continue": "UntilNextLook", "shift": "UntilNextLook", "promote": "Promoted"}
    assert states["TrialDecision"]["Default"] == "TrialLost"
    assert states["TrialLost"] == {"Type": "Fail", "Error": "TrialLost", "CausePath": "$.judgement.Payload.summary"}
    assert states["PreviewDecision"]["Default"] == "PreviewFailed"
    assert states["ChallengerDecision"]["Default"] == "ChallengerFailed"


def test_the_challenger_gets_no_traffic_before_it_is_verified(states: Json) -> None:
    assert "Judge" not in reached(states, "PlanProd", without=("VerifyChallenger",))
    assert states["VerifyChallenger"]["Parameters"]["Payload"]["target"] == {"variant": "challenger"}
    assert "target" not in states["VerifyPreview"]["Parameters"]["Payload"]


def test_the_judge_gets_what_its_good_event_has(states: Json) -> None:
    payload = states["Judge"]["Parameters"]["Payload"]
    event = {"run", "environment", "model", "endpointName", "configuration", "startedAt", "round", "intervalSeconds"}
    event |= {"rollout", "source", "state", "alarms", "recordsUri"}
    assert {name.removesuffix(".$") for name in payload} == event
    assert states["PlanProd"]["Parameters"]["source"] == {"tableName": "mlops-prod-inferences"}
    captures = json.dumps(states["PlanStaging"]["Parameters"]["source"]["captureUri"])
    assert '"/churn/endpoints/staging/captures"' in captures


@pytest.mark.parametrize("hours", [1, 12, 120, 166])
def test_the_history_of_the_longest_trial_stays_small(hours: int) -> None:
    definition = World({"prod": AbTest(type="a-b", maximum_hours=hours)}).definition()
    assert history(definition, definition["TimeoutSeconds"]) <= 2 * EVENT_BUDGET
    wait = definition["States"]["UntilNextLook"]["Seconds"]
    assert wait % 60 == 0
    assert wait == 60 or hours * 3600 / wait > 350, "no longer apart than they have to be"
    assert definition["States"]["Judge"]["Parameters"]["Payload"]["intervalSeconds"] == wait


def test_the_workflow_waits_as_long_as_the_longest_trial(world: World) -> None:
    longest = max(each.maximum_hours for each in ROLLOUTS.values() if isinstance(each, AbTest | Shadow))
    assert longest * 3600 < world.definition()["TimeoutSeconds"] == world.workflow.limit_seconds


def on(statement: Json) -> str:
    return json.dumps(statement["Resource"])


def test_the_judge_moves_traffic_and_reads_counters_only_where_there_is_an_a_b_test(world: World) -> None:
    statements = {each["Action"]: each for each in world.statements() if isinstance(each["Action"], str)}
    weights = on(statements["sagemaker:UpdateEndpointWeightsAndCapacities"])
    assert "endpoint/mlops-churn-prod" in weights
    assert "staging" not in weights
    counters = statements["dynamodb:BatchGetItem"]
    assert "table/mlops-prod-inferences" in on(counters)
    keys = counters["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
    assert keys == ["outcomes#mlops-churn-prod-v*"]


def test_the_judge_reads_captures_only_where_there_is_a_shadow(world: World) -> None:
    statements = {each["Action"]: each for each in world.statements() if isinstance(each["Action"], str)}
    below = "churn/endpoints/staging/captures/mlops-churn-staging/*"
    assert below in on(statements["s3:GetObject"])
    assert statements["s3:ListBucket"]["Condition"] == {"StringLike": {"s3:prefix": below}}


def test_without_a_trial_there_is_no_judge() -> None:
    world = World({"dev": Canary(type="canary", preview=True), "prod": AllAtOnce(type="all-at-once")})
    definition = world.definition()
    assert reached(definition["States"], definition["StartAt"]) == set(definition["States"])
    assert "Judge" not in definition["States"]
    ways = {each["StringEquals"]: each["Next"] for each in definition["States"]["HowToTry"]["Choices"]}
    assert ways["prod"] == "NothingToTry"
