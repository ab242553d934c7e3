"""The sequential test: its e-values are exact, and its error rate holds however often one looks."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Sequence

import pytest

from lambdas.shared.sequential import LOG_ODDS_RATIOS, Arms, Evidence, Tally, _gains, p_share_above, p_share_below

STRATA = [(90, 10, 5), (10, 90, 95), (50, 50, 50), (1, 1, 1), (3, 5, 4), (400, 100, 8), (7, 7, 0), (7, 7, 14)]
"""Outcomes of the champion, of the challenger, and how many of all are 1."""
SIDES = (1, -1)


def binary(n: int, ones: int) -> Tally:
    return Tally(n=n, total=ones, squares=ones)


def numbers(values: Sequence[float]) -> Tally:
    return Tally(n=len(values), total=sum(values), squares=sum(value * value for value in values))


def possible(n1: int, n2: int, ones: int) -> range:
    return range(max(0, ones - n1), min(ones, n2) + 1)


def probabilities(n1: int, n2: int, ones: int, odds_ratio: float) -> dict[int, float]:
    """Return Fisher's noncentral hypergeometric distribution; with an odds ratio of 1, it is the central one."""
    weights = {k: math.comb(n2, k) * math.comb(n1, ones - k) * odds_ratio**k for k in possible(n1, n2, ones)}
    return {k: weight / math.fsum(weights.values()) for k, weight in weights.items()}


def e_values(n1: int, n2: int, ones: int, hits: int) -> dict[tuple[int, float], float]:
    gains = _gains(n1, n2, ones, hits)
    return {
        (side, effect): math.exp(gain)
        for side, row in zip(SIDES, gains, strict=True)
        for effect, gain in zip(LOG_ODDS_RATIOS, row, strict=True)
    }


@pytest.mark.parametrize(("n1", "n2", "ones"), STRATA)
def test_an_e_value_is_the_likelihood_ratio_of_the_two_hypergeometric_distributions(
    n1: int, n2: int, ones: int
) -> None:
    without = probabilities(n1, n2, ones, 1.0)
    for side, effect in itertools.product(SIDES, LOG_ODDS_RATIOS):
        for hits, probability in probabilities(n1, n2, ones, math.exp(side * effect)).items():
            found = e_values(n1, n2, ones, hits)[side, effect]
            assert found == pytest.approx(probability / without[hits], rel=1e-9)


@pytest.mark.parametrize(("n1", "n2", "ones"), STRATA)
@pytest.mark.parametrize("odds_ratio", [1.0, 0.5, 2.0])
def test_its_expectation_is_1_without_an_effect_and_no_more_in_the_other_direction(
    n1: int, n2: int, ones: int, odds_ratio: float
) -> None:
    expected = dict.fromkeys(itertools.product(SIDES, LOG_ODDS_RATIOS), 0.0)
    for hits, probability in probabilities(n1, n2, ones, odds_ratio).items():
        for alternative, found in e_values(n1, n2, ones, hits).items():
            expected[alternative] += probability * found
    for (side, _), value in expected.items():
        if odds_ratio == 1:
            assert value == pytest.approx(1, rel=1e-9)
        elif (odds_ratio > 1) != (side > 0):
            assert value <= 1 + 1e-9


def test_large_strata_are_as_the_normal_distribution_has_them() -> None:
    # Without an effect 10,000 are expected, with a variance of 7,200.
    higher, lower = _gains(450_000, 50_000, 100_000, 10_500)
    for effect, up, down in list(zip(LOG_ODDS_RATIOS, higher, lower, strict=True))[:2]:
        assert up == pytest.approx(effect * 500 - effect**2 * 7_200 / 2, rel=0.1)
        assert down == pytest.approx(-effect * 500 - effect**2 * 7_200 / 2, rel=0.1)
    assert all(math.isfinite(each) for each in (*higher, *lower))


def looks(
    chance: random.Random, rates: tuple[float, float], *, share: float, batch: int, times: int
) -> Iterator[tuple[Tally, Tally]]:
    """Yield the counts of champion and challenger at each look, of outcomes 0 and 1 at those rates."""
    n, ones = [0, 0], [0, 0]
    for _ in range(times):
        arms = [int(chance.random() < share) for _ in range(batch)]
        for arm in arms:
            n[arm] += 1
            ones[arm] += chance.random() < rates[arm]
        yield binary(n[0], ones[0]), binary(n[1], ones[1])


def verdict(evidence: Evidence, error_rate: float) -> int:
    """Return 1 for higher, -1 for lower, 0 while undecided."""
    return (evidence.p_higher() <= error_rate / 2) - (evidence.p_lower() <= error_rate / 2)


def naive_verdict(evidence: Evidence) -> int:
    """Return the verdict of a z-test that knows nothing of earlier looks."""
    champion, challenger = evidence.champion, evidence.challenger
    rate = (champion.total + challenger.total) / (champion.n + challenger.n)
    error = math.sqrt(rate * (1 - rate) * (1 / champion.n + 1 / challenger.n))
    z = (challenger.mean - champion.mean) / error if error else 0.0
    return (z > 1.96) - (z < -1.96)


def ends(rates: tuple[float, float], *, trials: int, share: float = 0.5) -> tuple[list[int], int]:
    """Return how trials with a look after every 100 outcomes end, and how many end otherwise by repeated z-tests."""
    chance = random.Random(20261123)  # noqa: S311 - not a secret
    verdicts, naive = [], 0
    for _ in range(trials):
        evidence, end, other = Evidence(), 0, 0
        for champion, challenger in looks(chance, rates, share=share, batch=100, times=25):
            evidence = evidence.observe(Arms(champion=champion, challenger=challenger))
            end, other = end or verdict(evidence, 0.05), other or naive_verdict(evidence)
        verdicts.append(end)
        naive += other != 0
    return verdicts, naive


@pytest.mark.parametrize(("rate", "share"), [(0.3, 0.5), (0.05, 0.2)])
def test_its_error_rate_holds_where_one_looks_25_times_and_that_of_repeated_z_tests_does_not(
    rate: float, share: float
) -> None:
    trials = 150
    verdicts, naive = ends((rate, rate), trials=trials, share=share)
    assert sum(end != 0 for end in verdicts) <= 0.05 * trials
    assert naive >= 0.15 * trials, "the comparison has to show the error that peeking makes"


def test_a_clear_effect_is_found_in_its_direction() -> None:
    assert ends((0.2, 0.28), trials=40)[0].count(1) >= 36
    assert ends((0.28, 0.2), trials=40)[0].count(-1) >= 36


def test_a_change_of_share_together_with_a_change_of_the_season_is_no_effect() -> None:
    """The pooled rates differ by far (Simpson's paradox); within each stratum there is nothing."""
    summer = binary(9_000, 900), binary(1_000, 100)
    winter = binary(9_000 + 5_000, 900 + 1_500), binary(1_000 + 5_000, 100 + 1_500)
    evidence = Evidence()
    for champion, challenger in (summer, winter):
        evidence = evidence.observe(Arms(champion=champion, challenger=challenger))
    assert evidence.challenger.mean - evidence.champion.mean > 0.09
    assert naive_verdict(evidence) == 1
    assert verdict(evidence, 0.05) == 0
    assert evidence.difference == pytest.approx(0)


def test_outcomes_that_come_late_are_compared_with_those_that_were_divided_alike() -> None:
    """After its share has grown, the challenger has more young requests, of which only the good ones are known yet."""
    first = Arms(champion=binary(9_000, 900), challenger=binary(1_000, 100))
    old = Arms(champion=binary(9_000 + 900, 900), challenger=binary(1_000 + 100, 100))
    young = Arms(champion=binary(500, 500), challenger=binary(500, 500))
    together = Arms(champion=binary(9_900 + 500, 1_400), challenger=binary(1_100 + 500, 600))
    evidence = Evidence().observe(first, division="10")
    assert verdict(evidence.observe(old, division="10").observe(young, division="50"), 0.05) == 0
    assert verdict(evidence.observe(together, division="10"), 0.05) == 1


def test_the_first_outcomes_say_nothing() -> None:
    for tally in (Tally(), binary(1, 1)):
        evidence = Evidence().observe(Arms(champion=tally, challenger=Tally()))
        assert (evidence.p_higher(), evidence.p_lower()) == (1, 1)
        assert evidence.interval(0.05) == (-math.inf, math.inf)
        assert math.isnan(evidence.difference)


def test_the_state_survives_json() -> None:
    evidence = (
        Evidence()
        .observe(Arms(champion=binary(500, 60), challenger=binary(100, 20)))
        .observe(Arms(champion=binary(900, 111), challenger=binary(200, 41)))
    )
    assert Evidence.model_validate_json(evidence.model_dump_json()) == evidence
    assert Evidence.model_validate(evidence.model_dump(mode="json")) == evidence


def test_the_same_look_twice_changes_nothing() -> None:
    evidence = Evidence().observe(Arms(champion=binary(500, 60), challenger=binary(100, 20)))
    assert evidence.observe(Arms(champion=binary(500, 60), challenger=binary(100, 20))) == evidence


def test_counts_that_shrink_are_an_error() -> None:
    with pytest.raises(ValueError, match="99 outcomes after 100"):
        Evidence().observe(Arms(champion=binary(100, 10), challenger=Tally())).observe(
            Arms(champion=binary(99, 10), challenger=Tally())
        )


@pytest.mark.parametrize("sign", SIDES)
def test_outcomes_that_are_any_numbers_are_compared_by_their_means(sign: int) -> None:
    chance = random.Random(7)  # noqa: S311 - not a secret
    one, other, evidence = [], [], Evidence()
    for _ in range(20):
        one += [chance.lognormvariate(0, 0.5) for _ in range(200)]
        other += [chance.lognormvariate(0, 0.5) + 0.12 * sign for _ in range(50)]
        evidence = evidence.observe(Arms(champion=numbers(one), challenger=numbers(other)))
    assert not evidence.binary
    assert verdict(evidence, 0.05) == sign
    low, high = evidence.interval(0.05)
    assert low < 0.12 * sign < high
    assert (low > 0) is (sign > 0)
    assert evidence.difference == pytest.approx(0.12 * sign, abs=0.06)


def test_numbers_that_do_not_vary_prove_nothing() -> None:
    evidence = Evidence().observe(Arms(champion=numbers([2.5] * 100), challenger=numbers([2.5] * 100)))
    assert (evidence.p_higher(), evidence.p_lower()) == (1, 1)
    assert evidence.interval(0.05) == (-math.inf, math.inf)


def test_the_interval_holds_the_true_difference_at_all_looks_together() -> None:
    chance, missed = random.Random(11), 0  # noqa: S311 - not a secret  # noqa: S311 - not a secret
    for _ in range(60):
        evidence, held = Evidence(), True
        for champion, challenger in looks(chance, (0.2, 0.25), share=0.3, batch=200, times=15):
            evidence = evidence.observe(Arms(champion=champion, challenger=challenger))
            low, high = evidence.interval(0.05)
            held = held and low <= 0.05 <= high
        missed += not held
    assert missed <= 3
    assert high - low < 0.16


def test_a_share_is_above_or_below_its_limit_only_when_that_is_sure() -> None:
    assert p_share_above(1_000, 30, 0.01) < 0.01
    assert p_share_below(1_000, 30, 0.10) < 0.01
    assert p_share_above(100, 2, 0.01) > 0.1
    assert p_share_below(20, 0, 0.10) > 0.1
    assert p_share_above(1_000, 3, 0.01) == 1
    assert p_share_below(1_000, 110, 0.10) == 1
    assert (p_share_above(0, 0, 0.1), p_share_below(0, 0, 0.1)) == (1, 1)


def test_limits_at_the_ends_are_taken_literally() -> None:
    assert (p_share_above(9, 1, 0.0), p_share_above(9, 0, 0.0), p_share_above(9, 9, 1.0)) == (0, 1, 1)
    assert (p_share_below(9, 8, 1.0), p_share_below(9, 9, 1.0), p_share_below(9, 0, 0.0)) == (0, 1, 1)


@pytest.mark.parametrize("test", [p_share_above, p_share_below])
def test_the_error_rate_of_a_share_holds_at_every_look(test: type) -> None:
    chance, wrong = random.Random(3), 0  # noqa: S311 - not a secret  # noqa: S311 - not a secret
    for _ in range(200):
        hits, found = 0, False
        for n in range(1, 1_001):
            hits += chance.random() < 0.1
            found = found or (n % 50 == 0 and test(n, hits, 0.1) <= 0.05)
        wrong += found
    assert wrong <= 10
