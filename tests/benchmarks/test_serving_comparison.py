from __future__ import annotations

import pytest

from benchmarks.serving.comparison import Ratio, Results
from benchmarks.serving.plan import FULL
from tests.benchmarks.serving_samples import CASE, SPEEDS, TITLES, measured, sample

STARTS_AND_REST_SECONDS = 180


def of(ratio: Ratio | None) -> Ratio:
    assert ratio is not None
    return ratio


def test_a_ratio_is_taken_within_each_round() -> None:
    ratio = of(measured().ratio("ours", "predecessor", CASE))
    assert ratio.rounds == (40.0, 30.0, 10.0)
    assert ratio.median == 30.0


def test_what_disturbs_all_servers_alike_leaves_their_ratio_alone() -> None:
    assert of(measured().ratio("ours", "floor", CASE)).rounds == pytest.approx((0.8, 0.75, 0.8))


def test_our_tail_is_compared_with_the_middle_of_the_predecessor() -> None:
    results = Results(plan=FULL, titles=TITLES, generator="wrk")
    results.add("ours", CASE, sample(100, p50_ms=1, p99_ms=3))
    results.add("predecessor", CASE, sample(100, p50_ms=6, p99_ms=90))
    assert of(results.tail(CASE)).rounds == (0.5,)


@pytest.mark.parametrize("failing", ["ours", "predecessor"])
def test_one_request_that_failed_invalidates_the_ratio(failing: str) -> None:
    results = measured(failing=failing)
    assert results.errors(failing, CASE) == 1
    assert results.ratio("ours", "predecessor", CASE) is None
    assert results.tail(CASE) is None


def test_one_request_that_failed_invalidates_the_number_of_its_server_only() -> None:
    results = measured(failing="falcon")
    assert results.median("falcon", CASE, lambda one: one.per_second) is None
    assert results.median("ours", CASE, lambda one: one.per_second) == 3000


def test_a_measurement_without_a_single_answer_is_invalid() -> None:
    assert not sample(0).valid


def test_the_best_alternative_is_neither_ours_nor_the_predecessor_nor_the_floor() -> None:
    assert measured().best_alternative(CASE) == "falcon"


def test_an_alternative_that_failed_is_not_the_best() -> None:
    assert measured(failing="falcon").best_alternative(CASE) is None


def test_the_figures_tell_how_many_requests_failed() -> None:
    figures = {figure.name: figure for figure in measured(failing="falcon").figures()}
    assert figures["Falcon: requests that failed"].value == 2  # one in CSV, one in JSON
    assert figures["containers/tabular: requests that failed"].value == 0
    assert f"{CASE}: Falcon" not in figures


def test_the_figures_keep_every_round() -> None:
    figures = {figure.name: figure for figure in measured().figures()}
    assert figures[f"{CASE}: containers/tabular"].runs == SPEEDS["ours"]
    assert figures[f"{CASE}: requests a second, times the predecessor's"].runs == (40.0, 30.0, 10.0)
    assert figures[f"{CASE}: requests a second, times the best alternative's"].note == "Falcon"


def test_a_whole_run_fits_into_twelve_minutes() -> None:
    from benchmarks.serving.contenders import contenders  # noqa: PLC0415 - it asks the machine for nginx

    load = FULL.rounds * FULL.seconds * len(FULL.cases()) * len(contenders())
    assert load + STARTS_AND_REST_SECONDS <= 12 * 60
