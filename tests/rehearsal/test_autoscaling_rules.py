"""What Application Auto Scaling wants, and when its schedules come: pure functions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.rehearsal.autoscaling_policies import IN_MINUTES, OUT_MINUTES, stepped, tracked
from mlops.rehearsal.autoscaling_schedules import ScheduleError, next_time

BEGAN = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)  # a Monday


def minutes(value: float | None, count: int) -> list[float | None]:
    return [value] * count


@pytest.mark.parametrize(
    ("measured", "current", "wanted"),
    [
        (minutes(150, 3), 2, 3),
        (minutes(300, 3), 2, 6),
        (minutes(100, 3), 2, None),
        ([*minutes(150, 2), 90.0], 2, None),
        (minutes(150, 2), 2, None),
        ([None, *minutes(150, 2)], 2, None),
        (minutes(40, 15), 4, 2),
        (minutes(0, 15), 4, 0),
        (minutes(40, 14), 4, None),
        (minutes(90, 15), 4, None),
        ([None, *minutes(0, 14)], 4, None),
        (minutes(250, 3), 0, 3),
        ([], 2, None),
    ],
)
def test_target_tracking_waits_until_it_is_sure(measured: list[float | None], current: int, wanted: int | None) -> None:
    assert tracked(measured, target=100, current=current) == wanted


def test_scaling_in_can_be_switched_off() -> None:
    assert tracked(minutes(0, 15), target=100, current=4, scale_in=False) is None


@given(
    measured=st.lists(st.none() | st.floats(0, 1e6), max_size=20),
    target=st.floats(0.5, 1e5),
    current=st.integers(0, 100),
)
def test_target_tracking_never_moves_the_wrong_way(measured: list[float | None], target: float, current: int) -> None:
    wanted = tracked(measured, target=target, current=current)
    if wanted is None:
        return
    if wanted > current:
        assert all(each is not None and each > target for each in measured[-OUT_MINUTES:])
    else:
        assert all(each is not None and each < target for each in measured[-IN_MINUTES:])


def test_steps_are_measured_from_the_threshold() -> None:
    steps = [
        {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 10, "ScalingAdjustment": 1},
        {"MetricIntervalLowerBound": 10, "ScalingAdjustment": 3},
    ]
    change = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": steps}
    assert [stepped(change, excess=each, current=2) for each in (-1, 0, 9.9, 10)] == [None, 3, 3, 5]
    exact = {"AdjustmentType": "ExactCapacity", "StepAdjustments": steps}
    assert stepped(exact, excess=0, current=7) == 1
    share = {"AdjustmentType": "PercentChangeInCapacity", "StepAdjustments": [{"ScalingAdjustment": 10}]}
    assert [stepped(share, excess=0, current=each) for each in (4, 30)] == [5, 33]


@pytest.mark.parametrize(
    ("expression", "timezone", "expected"),
    [
        ("at(2026-11-24T08:00:00)", "UTC", "2026-11-24T08:00"),
        ("at(2026-11-24T08:00:00)", "Europe/Berlin", "2026-11-24T07:00"),
        ("at(2026-11-23T16:00:00)", "UTC", None),
        ("rate(1 hour)", "UTC", "2026-11-23T17:00"),
        ("rate(5 minutes)", "UTC", "2026-11-23T16:05"),
        ("cron(0 20 * * ? *)", "UTC", "2026-11-23T20:00"),
        ("cron(0 20 * * ? *)", "America/New_York", "2026-11-24T01:00"),
        ("cron(30 6 ? * MON-FRI *)", "Europe/Berlin", "2026-11-24T05:30"),
        ("cron(0 6 ? * SAT,SUN *)", "UTC", "2026-11-28T06:00"),
        ("cron(0 0 L * ? *)", "UTC", "2026-11-30T00:00"),
        ("cron(0 0 ? * 6L *)", "UTC", "2026-11-27T00:00"),
        ("cron(0 0 ? * 2#1 *)", "UTC", "2026-12-07T00:00"),
        ("cron(0/20 16 * * ? *)", "UTC", "2026-11-23T16:20"),
        ("cron(0 0 29 FEB ? *)", "UTC", "2028-02-29T00:00"),
        ("cron(0 0 1 1 ? 2026)", "UTC", None),
    ],
)
def test_a_schedule_comes_next(expression: str, timezone: str, expected: str | None) -> None:
    found = next_time(expression, BEGAN, began=BEGAN, timezone=timezone)
    assert (found and f"{found.astimezone(UTC):%Y-%m-%dT%H:%M}") == expected


@pytest.mark.parametrize("expression", ["0 20 * * *", "cron(0 20 * * ?)", "cron(x 20 * * ? *)"])
def test_what_is_no_schedule_is_refused(expression: str) -> None:
    with pytest.raises(ScheduleError):
        next_time(expression, BEGAN, began=BEGAN)


def test_a_rate_counts_from_its_beginning() -> None:
    later = BEGAN + timedelta(minutes=95)
    assert next_time("rate(1 hour)", later, began=BEGAN) == BEGAN + timedelta(hours=2)
