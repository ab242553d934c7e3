from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.api.serving import Variant, assign, position
from tests.api.conftest import World


def variants(challenger: float) -> tuple[Variant, ...]:
    return (
        Variant(name="live", share=1 - challenger, version=7),
        Variant(name="challenger", share=challenger, version=8),
    )


@given(place=st.floats(0, 1, exclude_max=True), share=st.floats(0, 1), more=st.floats(0, 1))
def test_nobody_leaves_the_challenger_when_its_share_grows(place: float, share: float, more: float) -> None:
    small, large = sorted((share, more))
    if assign(place, variants(small)) == "challenger":
        assert assign(place, variants(large)) == "challenger"


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.5, 1.0])
def test_the_challenger_gets_its_share_of_the_ids(share: float) -> None:
    found = Counter(
        assign(position("configuration", f"customer-{number}"), variants(share)) for number in range(20_000)
    )
    assert found["challenger"] / 20_000 == pytest.approx(share, abs=0.011)  # more than 3 standard deviations


def test_another_experiment_mixes_anew() -> None:
    places = [(position("a", f"{number}") < 0.5, position("b", f"{number}") < 0.5) for number in range(2_000)]
    assert 0.45 < sum(one == other for one, other in places) / 2_000 < 0.55


def ab_test(world: World, share: float = 0.5) -> None:
    world.sagemaker.variants = {"live": 1 - share, "challenger": share}
    world.sagemaker.models = {"live": "mlops-churn-prod-v7-0a1b2c3d", "challenger": "mlops-churn-prod-v8-0a1b2c3d-c"}


def test_an_id_gets_the_same_version_every_time(world: World) -> None:
    ab_test(world)
    seen = {}
    for number in range(30):
        answers = [world.predict(assignment_id=f"customer-{number}").body for _ in range(2)]
        assert answers[0]["variant"] == answers[1]["variant"]
        assert answers[0]["version"] == {"live": 7, "challenger": 8}[answers[0]["variant"]]
        seen[number] = answers[0]["variant"]
    assert set(seen.values()) == {"live", "challenger"}


def test_without_an_id_the_choice_is_that_of_sagemaker(world: World) -> None:
    ab_test(world)
    world.predict()
    assert "x-amzn-sagemaker-target-variant" not in world.sagemaker.requests[0]["headers"]


def test_an_experiment_that_has_just_ended_is_noticed_at_the_first_refusal(world: World) -> None:
    ab_test(world, share=1.0)
    assert world.predict(assignment_id="a").body["variant"] == "challenger"
    world.sagemaker.variants, world.sagemaker.models = {"live": 1.0}, {"live": "mlops-churn-prod-v7-0a1b2c3d"}
    answer = world.predict(assignment_id="a")
    assert (answer.status, answer.body["variant"]) == (200, "live")


def test_an_endpoint_that_goes_away_is_a_problem_after_the_second_look(world: World) -> None:
    ab_test(world)
    world.predict(assignment_id="a")
    world.sagemaker.missing = frozenset({"mlops-churn-prod"})
    world.sagemaker.variants = {"other": 1.0}
    assert world.predict(assignment_id="a").status == 503
