"""A/B tests: what a look decides, why, and what becomes of the traffic."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.judge_trial import services
from lambdas.shared.errors import EndpointChanging, TrialNotObservable
from tests.lambdas.trials import CONFIGURATION, TABLE, Counters, Trial

if TYPE_CHECKING:
    from tests.lambdas.conftest import Aws, Bucket, Context, Json

OVER: dict[str, Any] = {"round": 877}
"""877 times 23 minutes are 336 hours."""
ALL_WELL = {"count": 10_000, "failed": 0, "latency": 12_000}


@pytest.fixture
def trial(moto: Aws, bucket: Bucket, context: Context, event_of: Callable[..., Json]) -> Trial:
    return Trial(moto, bucket, context, event_of("judge_trial"))


@pytest.fixture
def counters(moto: Aws) -> Counters:
    return Counters(moto)


@pytest.fixture
def begun(trial: Trial, counters: Counters) -> Trial:
    """The challenger has its first part of the traffic."""
    del counters
    trial.measures()
    assert trial.look(gives=10)["decision"] == "shift"
    return trial


def rollout(trial: Trial, **changes: object) -> dict[str, Any]:
    return {"rollout": trial.event["rollout"] | changes}


def test_the_first_look_gives_the_challenger_its_first_part(begun: Trial) -> None:
    assert begun.event["round"] == 1
    assert begun.records[0]["sharePercent"] == 10
    assert "the challenger gets 10 % of the traffic: 0 outcomes" in begun.records[0]["summary"]


def test_too_few_outcomes_say_nothing_however_clear_they_are(begun: Trial, counters: Counters) -> None:
    counters.add("live", 5_000, 500)
    counters.add("challenger", 499, 499)
    begun.measures(ALL_WELL, ALL_WELL)
    assert begun.look()["decision"] == "continue"


def test_a_better_challenger_is_promoted_and_keeps_its_part_until_it_takes_over(
    begun: Trial, counters: Counters
) -> None:
    for shard in range(8):
        counters.add("live", 600, 60, shard=shard)
        counters.add("challenger", 70, 21, shard=shard)
    begun.measures(ALL_WELL, ALL_WELL)
    answer = begun.look()
    assert answer["decision"] == "promote"
    assert "mean outcome 0.3 of 560 against 0.1 of 4,800, difference +0.2" in answer["summary"]
    facts = begun.records[-1]["facts"]
    assert facts["p_better"] < facts["required_p"] == 0.025
    assert facts["method"] == "conditional e-values, exact"
    assert facts["interval"]["low"] > 0


def test_a_worse_challenger_loses_its_traffic_at_once(begun: Trial, counters: Counters) -> None:
    counters.add("live", 4_800, 1_440)
    counters.add("challenger", 560, 56)
    begun.measures(ALL_WELL, ALL_WELL)
    answer = begun.look(gives=0)
    assert answer["decision"] == "retire"
    assert "is lost: the challenger is worse: mean outcome 0.1 of 560 against 0.3" in answer["summary"]


def test_where_lower_outcomes_are_better_the_same_numbers_mean_the_opposite(begun: Trial, counters: Counters) -> None:
    counters.add("live", 4_800, 1_440)
    counters.add("challenger", 560, 56)
    begun.measures(ALL_WELL, ALL_WELL)
    assert begun.look(**rollout(begun, goal="lower"))["decision"] == "promote"


def test_a_part_that_has_shown_no_harm_is_followed_by_the_next_and_the_last_one_stays(
    begun: Trial, counters: Counters
) -> None:
    for share in (25, 50):
        counters.add("live", 2_000, 200)
        counters.add("challenger", 500, 50)
        begun.measures(ALL_WELL, ALL_WELL)
        assert begun.look(gives=share)["decision"] == "shift"
        begun.measures(ALL_WELL, ALL_WELL)
        assert begun.look()["decision"] == "continue", "each part needs outcomes of its own"
    counters.add("challenger", 900, 90)
    begun.measures(ALL_WELL, ALL_WELL)
    assert begun.look()["decision"] == "continue"


def test_outcomes_that_are_numbers_are_compared_by_their_means(begun: Trial, counters: Counters) -> None:
    counters.add("live", 3_000, 6_000.5, 15_000)
    counters.add("challenger", 600, 1_500.25, 4_400)
    begun.measures(ALL_WELL, ALL_WELL)
    assert begun.look()["decision"] == "promote"
    assert begun.records[-1]["facts"]["method"] == "asymptotic e-values"


def test_without_a_winner_the_champion_stays(begun: Trial, counters: Counters) -> None:
    counters.add("live", 1_000, 100)
    counters.add("challenger", 1_000, 104)
    begun.measures(ALL_WELL, ALL_WELL)
    answer = begun.look(gives=0, **OVER)
    assert answer["decision"] == "retire"
    assert "no winner after 336 hours, so the champion stays" in answer["summary"]


def test_without_a_winner_the_challenger_takes_over_where_the_settings_say_so(begun: Trial, counters: Counters) -> None:
    counters.add("live", 1_000, 100)
    counters.add("challenger", 1_000, 104)
    begun.measures(ALL_WELL, ALL_WELL)
    assert begun.look(**OVER, **rollout(begun, on_tie="promote"))["decision"] == "promote"


def test_nothing_is_promoted_on_too_few_outcomes(begun: Trial, counters: Counters) -> None:
    counters.add("live", 5_000, 500)
    counters.add("challenger", 20, 20)
    begun.measures(ALL_WELL, ALL_WELL)
    answer = begun.look(gives=0, **OVER, **rollout(begun, on_tie="promote"))
    assert answer["decision"] == "retire"
    assert "at least 500 outcomes of each are needed" in answer["summary"]


@pytest.mark.parametrize(
    ("candidate", "words"),
    [
        ({"count": 400, "failed": 40, "latency": 12_000}, "40 of its 400 requests failed (10.0%), 0.0% in service"),
        ({"count": 1_000, "failed": 0, "latency": 19_000}, "latency is 19.0 ms, 12.0 ms in service; at most 1.5 times"),
    ],
)
def test_a_challenger_that_fails_or_is_slow_is_retired_before_any_outcome(
    begun: Trial, candidate: dict[str, float], words: str
) -> None:
    begun.measures(ALL_WELL, candidate)
    answer = begun.look(gives=0)
    assert answer["decision"] == "retire"
    assert words in answer["summary"]


@pytest.mark.parametrize(
    ("champion", "candidate"),
    [
        (ALL_WELL, {"count": 100, "failed": 2, "latency": 12_000}),
        (ALL_WELL, {"count": 999, "failed": 0, "latency": 19_000}),
        ({"count": 10_000, "failed": 1_000, "latency": 12_000}, {"count": 1_000, "failed": 100, "latency": 12_000}),
    ],
    ids=["two failures are no proof", "a percentile needs requests", "what is sent fails in service too"],
)
def test_a_guardrail_that_is_not_surely_broken_stops_nothing(
    begun: Trial, champion: dict[str, float], candidate: dict[str, float]
) -> None:
    begun.measures(champion, candidate)
    assert begun.look()["decision"] == "continue"


def test_an_alarm_that_goes_off_during_the_trial_ends_it(begun: Trial) -> None:
    begun.measures(ALL_WELL, ALL_WELL, alarms={"wrong-answers": 3})
    assert "alarm mlops-churn-prod-wrong-answers went off" in begun.look(gives=0)["summary"]


def test_an_alarm_that_was_there_before_does_not(begun: Trial) -> None:
    begun.measures(ALL_WELL, ALL_WELL, alarms={"wrong-answers": -3})
    assert begun.look()["decision"] == "continue"


def test_an_endpoint_that_serves_something_else_ends_the_trial_and_is_left_alone(trial: Trial) -> None:
    trial.serves(configuration="mlops-churn-prod-v2-ffff")
    answer = trial.judge()
    assert answer["decision"] == "retire"
    assert f"configuration mlops-churn-prod-v2-ffff is in service instead of {CONFIGURATION}" in answer["summary"]


def test_an_endpoint_that_does_not_serve_ends_the_trial(trial: Trial) -> None:
    trial.serves(status="Failed")
    assert "endpoint mlops-churn-prod is Failed: no reason given" in trial.judge()["summary"]


def test_an_endpoint_that_changes_is_asked_for_later(trial: Trial) -> None:
    trial.serves(status="Updating")
    with pytest.raises(EndpointChanging, match="is Updating: judge it when it is InService"):
        trial.judge()


def test_weights_wait_for_another_change(trial: Trial, counters: Counters) -> None:
    del counters
    trial.serves()
    trial.measures()
    message = 'Cannot update in-progress endpoint "mlops-churn-prod".'
    trial.aws.stub("sagemaker").add_client_error(
        "update_endpoint_weights_and_capacities", "ValidationException", message
    )
    with pytest.raises(EndpointChanging, match="its weights have to wait"):
        trial.judge()


def test_without_the_table_nobody_counts(trial: Trial) -> None:
    trial.serves()
    with pytest.raises(TrialNotObservable, match=r"no table mlops-prod-inferences.*give the environment an 'api'"):
        trial.judge()


def test_outcomes_are_compared_with_those_of_the_same_share(begun: Trial, counters: Counters) -> None:
    """At 50 %, only good outcomes are known yet: together with the others they would look like an effect."""
    counters.add("live", 9_900, 900)
    counters.add("challenger", 1_100, 100)
    for variant in ("live", "challenger"):
        counters.add(variant, 500, 500, share=50)
    begun.measures(ALL_WELL, ALL_WELL)
    assert begun.look(gives=25)["decision"] == "shift"
    assert begun.records[-1]["facts"]["outcomes"]["challenger"] == {
        "n": 1_600,
        "mean": 0.375,
        "total": 600,
        "squares": 600,
    }
    assert begun.records[-1]["facts"]["difference"] == pytest.approx(0, abs=0.001)


def test_outcomes_of_unknown_share_count_and_there_may_be_ten_shares(begun: Trial, moto: Aws) -> None:
    moto.create_client("dynamodb").put_item(
        TableName=TABLE,
        Item={
            "id": {"S": f"outcomes#{CONFIGURATION}#challenger#7"},
            **{name: {"N": "3"} for name in ("n", "total", "squares")},
        },
    )
    begun.measures(ALL_WELL, ALL_WELL)
    begun.look(**rollout(begun, shares_percent=[10, 11, 12, 13, 14, 15, 16, 17, 18, 19]))
    assert begun.records[-1]["facts"]["outcomes"]["challenger"]["n"] == 3


def test_counters_that_are_not_answered_at_once_are_asked_for_again(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambdas.judge_trial.services.time.sleep", lambda _: None)
    dynamodb = aws.stub("dynamodb")
    key = {"Keys": [{"id": {"S": "outcomes#c#live#3"}}], "ConsistentRead": True}
    item = {"id": {"S": "outcomes#c#live#0"}, "n": {"N": "5"}, "total": {"N": "2"}, "squares": {"N": "2"}}
    dynamodb.add_response("batch_get_item", {"Responses": {"t": [item]}, "UnprocessedKeys": {"t": key}})
    dynamodb.add_response("batch_get_item", {"Responses": {"t": []}}, {"RequestItems": {"t": key}})
    counted = services.Counters(aws.create_client("dynamodb"), table="t").arms("c", [])
    assert (counted[""].champion.n, counted[""].champion.total, counted[""].challenger.n) == (5, 2, 0)
    for _ in range(5):
        dynamodb.add_response("batch_get_item", {"Responses": {}, "UnprocessedKeys": {"t": key}})
    with pytest.raises(TrialNotObservable, match="unanswered 5 times"):
        services.Counters(aws.create_client("dynamodb"), table="t").arms("c", [])
