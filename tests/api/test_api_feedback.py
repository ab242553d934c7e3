from __future__ import annotations

import hashlib
from typing import Any

import pytest

from lambdas.api.store import KEPT_DAYS
from tests.api.conftest import TABLE, World
from tests.api.endpoint_world import CONFIGURATION


def inference(world: World) -> str:
    return str(world.predict().body["inference_id"])


def counted(world: World) -> tuple[int, float, float]:
    """Number, sum and sum of squares over all shards."""
    shards = world.items(f"outcomes#{CONFIGURATION}#live#")
    return (
        sum(int(item["n"]) for item in shards),
        sum(float(item["total"]) for item in shards),
        sum(float(item["squares"]) for item in shards),
    )


@pytest.mark.parametrize(("outcome", "number"), [(True, 1.0), (False, 0.0), (3, 3.0), (-2.5, -2.5), (1e-300, 0.0)])
def test_an_outcome_is_set_and_counted_for_the_version(world: World, outcome: Any, number: float) -> None:
    before, one = counted(world), inference(world)
    world.log()
    answer = world.feedback(one, outcome)
    assert (answer.status, answer.body["inference_id"], answer.body["variant"]) == (200, one, "live")
    assert float(world.item(f"inference#{one}")["outcome"]) == number
    after = counted(world)
    assert [new - old for new, old in zip(after, before, strict=True)] == pytest.approx([1, number, number**2])
    assert world.metrics()["Outcome"] == [pytest.approx(number)]


def test_the_shard_is_that_of_the_inference(world: World) -> None:
    one = inference(world)
    shard = int(hashlib.sha256(one.encode()).hexdigest(), 16) % 8
    key = f"outcomes#{CONFIGURATION}#live#{shard}#0"
    before = int(world.item(key).get("n", 0))
    world.feedback(one, outcome=True)
    assert int(world.item(key)["n"]) == before + 1


def test_an_outcome_is_counted_once(world: World) -> None:
    one = inference(world)
    world.feedback(one, outcome=True)
    before = counted(world)
    answer = world.feedback(one, outcome=False)
    assert (answer.status, answer.body["type"]) == (409, "urn:mlops:problem:conflict")
    assert counted(world) == before
    assert world.item(f"inference#{one}")["outcome"] == "1"


@pytest.mark.parametrize(("conflicts", "status"), [(2, 200), (9, 503)])
def test_counting_is_tried_again_where_others_count_at_the_same_moment(
    world: World, monkeypatch: pytest.MonkeyPatch, conflicts: int, status: int
) -> None:
    one, count, write = inference(world), counted(world)[0], world.dynamodb.transact_write_items
    left = [{"CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict"}]}] * conflicts

    def busy(**given: Any) -> Any:
        if left:
            error = {"Error": {"Code": "TransactionCanceledException", "Message": ""}, **left.pop()}
            raise world.dynamodb.exceptions.TransactionCanceledException(error, "TransactWriteItems")
        return write(**given)

    monkeypatch.setattr(world.dynamodb, "transact_write_items", busy)
    assert world.feedback(one, outcome=True).status == status
    assert counted(world)[0] == count + (status == 200)


@pytest.mark.parametrize("model", ["iris", "churn"])
def test_an_inference_that_is_not_there_or_of_another_model_is_not_found(world: World, model: str) -> None:
    one = inference(world) if model == "iris" else "0" * 32
    assert world.feedback(one, outcome=True, model=model).status == 404


def test_an_inference_is_forgotten_after_its_time_even_when_the_table_still_has_it(world: World) -> None:
    one = inference(world)
    kept = int(world.item(f"inference#{one}")["expires"])
    assert kept % 1 == 0
    world.dynamodb.update_item(
        TableName=TABLE,
        Key={"id": {"S": f"inference#{one}"}},
        UpdateExpression="SET expires = :then",
        ExpressionAttributeValues={":then": {"N": str(kept - KEPT_DAYS * 86_400 - 5)}},
    )
    assert world.feedback(one, outcome=True).status == 404


@pytest.mark.parametrize("outcome", ["yes", None, 2e12, [1], {"a": 1}])
def test_an_outcome_that_is_no_number_is_refused(world: World, outcome: Any) -> None:
    answer = world.feedback("0" * 32, outcome)
    assert answer.status == 422
    assert {fault["pointer"] for fault in answer.body["errors"]} == {"/outcome"}


@pytest.mark.parametrize("quota", [3])
def test_a_caller_has_a_quota_for_the_day(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.table, "_clock", lambda: 1_800_000_000.0)  # 2027-01-15 08:00 UTC
    assert [world.predict().status for _ in range(5)] == [200, 200, 200, 429, 429]
    refused = world.predict()
    assert refused.headers["retry-after"] == str(16 * 3600)
    assert refused.body["detail"].startswith("3 predictions a day")
    assert len(world.sagemaker.requests) == 3
    monkeypatch.setattr(world.table, "_clock", lambda: 1_800_000_000.0 + 16 * 3600)
    assert world.predict().status == 200
    (one, two) = world.items("quota#")
    assert "webshop" not in str((one, two))


@pytest.mark.parametrize(("challenger", "percent"), [(0.25, "25"), (0.5, "50"), (0.104, "10")])
def test_outcomes_are_counted_by_the_share_that_the_challenger_had(
    world: World, challenger: float, percent: str
) -> None:
    """Outcomes that come late are missing from new requests; a share that has grown would count more of these."""
    world.sagemaker.variants = {"live": 1 - challenger, "challenger": challenger}
    world.sagemaker.models = dict.fromkeys(("live", "challenger"), "mlops-churn-prod-v7-0a1b2c3d")
    world.service._endpoints.forget("mlops-churn-prod")  # noqa: SLF001 - half a minute later
    one = inference(world)
    world.sagemaker.variants = {"live": 0.1, "challenger": 0.9}
    world.service._endpoints.forget("mlops-churn-prod")  # noqa: SLF001 - half a minute later
    world.feedback(one, outcome=True)
    shard = int(hashlib.sha256(one.encode()).hexdigest(), 16) % 8
    variant = world.item(f"inference#{one}")["variant"]
    assert int(world.item(f"outcomes#{CONFIGURATION}#{variant}#{shard}#{percent}")["n"]) >= 1
