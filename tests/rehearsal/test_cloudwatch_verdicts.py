from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.rehearsal import cloudwatch_rules
from mlops.rehearsal.cloudwatch_metrics import Point
from mlops.rehearsal.cloudwatch_verdicts import EXTRA_PERIODS, MISSING_DATA, AlarmState, Threshold, judge, reason

OK, ALARM, INSUFFICIENT, RETAIN = AlarmState.OK, AlarmState.ALARM, AlarmState.INSUFFICIENT_DATA, None
LIMIT = Threshold(comparison="GreaterThanThreshold", value=5.0, periods=3, to_alarm=3, period=60, statistic="Sum")


def points(pattern: str) -> list[Point | None]:
    """Read AWS's way to write datapoints, the earliest first: - is missing, 0 is within the threshold, X is beyond."""
    values = {"-": None, "0": 1.0, "X": 9.0}
    found = enumerate(values[sign] for sign in pattern.replace(" ", ""))
    return [None if value is None else Point(60 * number, value, 1.0) for number, value in found]


# The two tables, and what the text below them says, of
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
@pytest.mark.parametrize(
    ("to_alarm", "pattern", "states"),
    [
        (3, "0 - X - X", (OK, OK, OK, OK)),
        (3, "0 - - - -", (OK, OK, OK, OK)),
        (3, "- - - - -", (INSUFFICIENT, RETAIN, ALARM, OK)),
        (3, "0 X X - X", (ALARM, ALARM, ALARM, ALARM)),
        (3, "- - X - -", (ALARM, RETAIN, ALARM, OK)),
        (2, "0 - X - X", (ALARM, ALARM, ALARM, ALARM)),
        (2, "0 0 X 0 X", (ALARM, ALARM, ALARM, ALARM)),
        (2, "0 - X - -", (OK, OK, ALARM, OK)),
        (2, "- - - - 0", (OK, OK, ALARM, OK)),
        (2, "- - - X -", (ALARM, RETAIN, ALARM, OK)),
        (3, "- - - - X", (OK, RETAIN, ALARM, OK)),
        (3, "- - - X -", (OK, RETAIN, ALARM, OK)),
        (3, "- - - X 0", (OK, OK, OK, OK)),
    ],
)
def test_missing_data_are_treated_as_aws_says(
    to_alarm: int, pattern: str, states: tuple[AlarmState | None, ...]
) -> None:
    found = [judge(replace(LIMIT, to_alarm=to_alarm, missing=how), points(pattern)).state for how in MISSING_DATA]
    assert tuple(found) == states


@given(st.lists(st.sampled_from("0X"), min_size=7, max_size=7), st.integers(1, 5), st.sampled_from(MISSING_DATA))
def test_with_all_data_so_many_of_the_latest_decide(signs: list[str], to_alarm: int, missing: str) -> None:
    limit = replace(LIMIT, periods=7 - EXTRA_PERIODS, to_alarm=to_alarm, missing=missing)
    beyond = signs[EXTRA_PERIODS:].count("X")
    assert judge(limit, points("".join(signs))).state == (ALARM if beyond >= to_alarm else OK)


@given(st.text("0X-", min_size=5, max_size=5), st.integers(1, 3), st.sampled_from(MISSING_DATA))
def test_one_more_breaching_datapoint_never_ends_an_alarm(pattern: str, to_alarm: int, missing: str) -> None:
    limit = replace(LIMIT, to_alarm=to_alarm, missing=missing)
    if judge(limit, points(pattern)).state is ALARM:
        for position, sign in enumerate(pattern):
            if sign == "0":
                worse = f"{pattern[:position]}X{pattern[position + 1 :]}"
                assert judge(limit, points(worse)).state is ALARM, worse


@pytest.mark.parametrize(
    ("comparison", "values"),
    [
        ("GreaterThanThreshold", (False, False, True)),
        ("GreaterThanOrEqualToThreshold", (False, True, True)),
        ("LessThanThreshold", (True, False, False)),
        ("LessThanOrEqualToThreshold", (True, True, False)),
    ],
)
def test_comparisons(comparison: str, values: tuple[bool, ...]) -> None:
    limit = replace(LIMIT, comparison=comparison)
    assert tuple(limit.breached(Point(0, value, 1.0)) for value in (4.0, 5.0, 6.0)) == values


@pytest.mark.parametrize(
    ("statistic", "samples", "state"),
    [("p99", 999, RETAIN), ("p99", 1000, ALARM), ("p10", 99, RETAIN), ("Sum", 1, ALARM)],
)
def test_a_percentile_of_few_samples_may_be_ignored(statistic: str, samples: int, state: AlarmState | None) -> None:
    limit = replace(LIMIT, statistic=statistic, low_samples="ignore")
    given_points: list[Point | None] = [Point(60 * number, 9.0, float(samples)) for number in range(5)]
    assert judge(limit, given_points).state == state
    assert judge(replace(limit, low_samples="evaluate"), given_points).state == ALARM


def test_the_reason_is_in_the_words_of_cloudwatch() -> None:
    def why(pattern: str, *, before: str = "OK", missing: str = "missing", to_alarm: int = 2) -> str:
        limit = replace(LIMIT, to_alarm=to_alarm, missing=missing)
        return reason(limit, judge(limit, points(pattern)), before=before)

    assert why("0 0 X 0 X") == (
        "Threshold Crossed: 2 out of the last 3 datapoints [9.0 (01/01/70 00:04:00), 9.0 (01/01/70 00:02:00)] were "
        "greater than the threshold (5.0) (minimum 2 datapoints for OK -> ALARM transition)."
    )
    assert why("- - - - 0", before="ALARM", missing="notBreaching").startswith(
        "Threshold Crossed: 1 out of the last 1 datapoints [1.0 (01/01/70 00:04:00)] was not greater than the threshold"
    )
    assert why("- - - - -", missing="notBreaching") == (
        "Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints were treated as "
        "[NotBreaching]."
    )
    assert why("- - - - -") == "Insufficient Data: 3 datapoints were unknown."


STATES = {"a": "ALARM", "b": "OK", "c": "INSUFFICIENT_DATA"}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ('ALARM("a")', True),
        ("ALARM(a) AND OK(b) AND INSUFFICIENT_DATA(c)", True),
        ("ALARM(arn:aws:cloudwatch:eu-west-1:111122223333:alarm:a)", True),
        ("ALARM(b) OR ALARM(c)", False),
        ("NOT (ALARM(b) OR OK(b))", False),
        ("TRUE OR TRUE AND FALSE", True),  # AND binds more tightly
        ("(TRUE OR TRUE) AND FALSE", False),
        ("NOT NOT ALARM(a)", True),
        ("ALARM(gone) OR OK(gone)", False),
    ],
)
def test_rules_of_composite_alarms(rule: str, *, expected: bool) -> None:
    assert cloudwatch_rules.holds(rule, STATES.get) is expected


@pytest.mark.parametrize("rule", ["", "ALARM(a", "ALARM(a) ALARM(b)", "a", "ALARM()", "(TRUE", "NOT", "XOR(a)"])
def test_a_rule_that_cannot_be_read_is_refused(rule: str) -> None:
    with pytest.raises(cloudwatch_rules.RuleError, match="is not valid at"):
        cloudwatch_rules.children(rule)
