"""A small version of the simulation: the sequential test keeps its error rate, what it is compared with does not."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.experiments import GROWING, Scenario, amounts, rates, simulate

TRIALS = 100
MOST_FALSE = 0.05


def test_equal_versions_are_told_apart_by_repeated_z_tests_and_not_by_the_sequential_test() -> None:
    ends = simulate(Scenario(name="equal", draw=rates(0.1, 0.1), shares=GROWING), TRIALS)
    assert ends.won + ends.lost <= MOST_FALSE
    assert ends.naive >= 0.12


def test_amounts_of_equal_versions_are_not_told_apart() -> None:
    ends = simulate(Scenario(name="amounts", draw=amounts(), shares=(0.2,)), TRIALS)
    assert ends.won + ends.lost <= MOST_FALSE


def test_bad_outcomes_that_come_late_are_no_effect_because_outcomes_are_counted_by_share() -> None:
    late = Scenario(name="late", draw=rates(0.1, 0.1), shares=GROWING, late=5)
    assert simulate(late, TRIALS).won <= MOST_FALSE
    assert simulate(replace(late, divided=False), 20).won >= 0.8, "without that, an equal challenger wins"


def test_an_effect_is_found_with_fewer_outcomes_than_the_trial_could_have() -> None:
    ends = simulate(Scenario(name="better", draw=rates(0.1, 0.13)), TRIALS)
    assert ends.won >= 0.9
    assert ends.lost == 0
    assert ends.outcomes < 0.7 * 30 * 400
