from __future__ import annotations

import operator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.rehearsal.cloudwatch_math import Context, ExpressionError, evaluate, names

TIMES = [0, 60, 120, 180]
SERIES: dict[str, dict[int, float]] = {
    "errors": {0: 1.0, 60: 0.0, 180: 5.0},
    "requests": {0: 100.0, 60: 0.0, 120: 50.0, 180: 50.0},
    "none": {},
}


def computed(expression: str, series: dict[str, dict[int, float]] | None = None) -> dict[int, float]:
    known = SERIES if series is None else series
    return evaluate(expression, Context(TIMES, 60, known.__getitem__, ["errors", "requests"]))


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("100 * errors / requests", {0: 1.0, 180: 10.0}),  # nothing where there is no value, or no result
        ("FILL(errors, 0) / requests", {0: 0.01, 120: 0.0, 180: 0.1}),
        ("FILL(none, 7)", {0: 7.0, 60: 7.0, 120: 7.0, 180: 7.0}),
        ("FILL(errors, REPEAT)", {0: 1.0, 60: 0.0, 120: 0.0, 180: 5.0}),
        ("FILL(errors, LINEAR)", {0: 1.0, 60: 0.0, 120: 2.5, 180: 5.0}),
        ("FILL(errors, requests)", {0: 1.0, 60: 0.0, 120: 50.0, 180: 5.0}),
        ("IF(requests >= 50, errors, 0)", {0: 1.0, 60: 0.0, 180: 5.0}),
        ("IF(requests > 0 AND errors > 0, 1, 0)", {0: 1.0, 60: 0.0, 180: 1.0}),
        ("IF(2 > 1, requests, 0)", SERIES["requests"]),
        ("errors > 2 || errors == 1", {0: 1.0, 60: 0.0, 180: 1.0}),
        ("SUM([errors, requests])", {0: 101.0, 60: 0.0, 120: 50.0, 180: 55.0}),
        ("MAX(METRICS())", {0: 100.0, 60: 0.0, 120: 50.0, 180: 50.0}),
        ("AVG(requests)", dict.fromkeys(TIMES, 50.0)),
        ("requests / PERIOD(requests)", {0: 100 / 60, 60: 0.0, 120: 50 / 60, 180: 50 / 60}),
        ("ABS(errors - (3))", {0: 2.0, 60: 3.0, 180: 2.0}),
        ("(-errors) ^ 2 + 1.5", {0: 2.5, 60: 1.5, 180: 26.5}),
        ("CEIL(errors / 2) + FLOOR(0.5)", {0: 1.0, 60: 0.0, 180: 3.0}),
        ("10 / 0", {}),
    ],
)
def test_expressions_give_one_value_for_each_period(expression: str, values: dict[int, float]) -> None:
    assert computed(expression) == pytest.approx(values)


NUMBERS = st.integers(1, 9).map(lambda number: (str(number), float(number)))
SIGNS: dict[str, Any] = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}


def joined(parts: tuple[tuple[str, float], str, tuple[str, float]]) -> tuple[str, float]:
    (left, a), sign, (right, b) = parts
    return f"({left} {sign} {right})", SIGNS[sign](a, b) if sign != "/" or b else float("nan")


TREES = st.recursive(NUMBERS, lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(joined), max_leaves=8)


@given(TREES)
def test_arithmetic_is_that_of_numbers(tree: tuple[str, float]) -> None:
    text, expected = tree
    found = computed(f"{text} + 0 * requests")
    if expected != expected:  # noqa: PLR0124 - not a number: somewhere in it was a division by zero
        assert found == {}
    else:
        assert found == pytest.approx(dict.fromkeys(TIMES, expected))


@given(st.lists(st.tuples(st.sampled_from("+-*"), st.integers(1, 9)), min_size=1, max_size=8))
def test_products_come_before_sums_and_the_left_before_the_right(rest: list[tuple[str, int]]) -> None:
    text = "5" + "".join(f" {sign} {number}" for sign, number in rest)
    assert computed(text)[0] == pytest.approx(eval(text))  # noqa: S307 - numbers and signs that are made here


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("errors +", "a value is missing"),
        ("(errors", r"\) is missing"),
        ("errors requests", "'requests' was not expected"),
        ("errors $ 2", r"'\$' has no meaning"),
        ("IF(errors, 1)", "IF takes 3 arguments, not 2"),
        ("unknown(errors)", "there is no function unknown"),
        ("", "a value is missing"),
    ],
)
def test_what_cannot_be_read_is_refused(expression: str, reason: str) -> None:
    with pytest.raises(ExpressionError, match=reason):
        names(expression)


def test_several_series_are_no_answer() -> None:
    with pytest.raises(ExpressionError, match="gives 2 time series"):
        computed("[errors, requests]")


@pytest.mark.parametrize("expression", ["ANOMALY_DETECTION_BAND(errors, 2)", "SEARCH(errors)", "RATE(errors)"])
def test_what_is_not_emulated_says_so(expression: str) -> None:
    with pytest.raises(NotImplementedError, match="are emulated"):
        computed(expression)


def test_names_are_those_that_it_refers_to() -> None:
    assert names("IF(a > 1, FILL(b, 0), SUM([c, a]))") == {"a", "b", "c"}
