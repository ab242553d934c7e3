from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.rehearsal.load import Attempt, Load, Request
from mlops.rehearsal.load_tally import Versions, percentile, tally

VERSIONS = Versions({"v1": ["0.1", "0.2"], "v2": ["0.7", "0.8"]})


def request(answer: str | None, *statuses: int, row: int = 0, ended: float = 1.01) -> Request:
    attempts = tuple(Attempt(status, 5.0, "live") for status in statuses or (200,))
    return Request(row, 1.0, ended, attempts, answer)


@pytest.mark.parametrize(
    ("answer", "row", "version"),
    [
        ("0.1", 0, "v1"),
        ("0.10001\n", 0, "v1"),
        ("0.8", 1, "v2"),
        ("0.8", 0, None),
        ("0.1,0.1", 0, None),
        ("an error", 0, None),
        (None, 0, None),
    ],
)
def test_an_answer_tells_which_version_gave_it(answer: str | None, row: int, version: str | None) -> None:
    assert VERSIONS.who(request(answer, row=row)) == version


def test_a_class_is_compared_as_a_word() -> None:
    assert Versions({"v1": ["oak"]}).who(request("oak")) == "v1"
    assert Versions({"v1": ["oak"]}).wrong(request("elm"))


def test_requests_are_counted_as_their_client_sees_them_and_raw() -> None:
    found = tally(
        [
            request("0.1"),
            request("0.9"),  # 1 - p: no version gives that
            request("0.7", 500, 200, ended=1.2),
            request(None, 500, 0, 500, ended=2.0),
        ],
        VERSIONS,
    )
    assert (found.sent, found.lost, found.wrong, found.retried) == (4, 1, 1, 1)
    assert (found.attempts, found.failed_attempts) == (7, 4)
    assert (found.p50_ms, found.p99_ms) == (10.0, 1000.0)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.001, 1))
def test_a_percentile_is_the_smallest_value_that_enough_do_not_exceed(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-6
    assert sum(value < found for value in values) < share * len(values)


def test_no_values_have_no_percentile() -> None:
    assert math.isnan(percentile([], 0.5))


@pytest.mark.parametrize(("rows", "rate"), [([], 10.0), (["1"], 0.0), (["1"], -1.0), (["1"], math.nan)])
def test_traffic_needs_rows_and_a_rate(rows: list[str], rate: float) -> None:
    with pytest.raises(ValueError, match="rows and a rate above 0"):
        Load("e", rows, rate=rate, account="111122223333", region="eu-west-1")
