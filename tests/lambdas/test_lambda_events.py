from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.quality_gate.events import MetricsGateEvent
from lambdas.register_model.logic import RegisterEvent
from lambdas.shared.errors import EventError
from lambdas.shared.events import read
from lambdas.shared.text import clip, count

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def test_every_missing_field_is_named() -> None:
    with pytest.raises(EventError) as error:
        read(RegisterEvent, {"run": "r"})
    assert "field 'model': field required" in str(error.value)
    assert "and 7 more" in str(error.value)


def test_a_nested_field_is_named_by_its_path(event_of: Callable[..., Any]) -> None:
    event = event_of("quality_gate")
    event["gates"]["metrics"]["auc"] = {"floor": "high"}
    with pytest.raises(EventError, match=r"field 'gates\.metrics\.auc\.floor': .* got 'high'"):
        read(MetricsGateEvent, event)


def test_a_bound_without_a_value_is_refused(event_of: Callable[..., Any]) -> None:
    event = event_of("quality_gate")
    event["gates"]["metrics"]["auc"] = {"floor": None, "ceiling": None}
    with pytest.raises(EventError, match="either 'floor' or 'ceiling'"):
        read(MetricsGateEvent, event)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "0.8", True])
def test_a_floor_that_is_no_number_is_refused(event_of: Callable[..., Any], value: object) -> None:
    event = event_of("quality_gate")
    event["gates"]["metrics"]["auc"] = {"floor": value}
    with pytest.raises(EventError, match=r"gates\.metrics\.auc\.floor"):
        read(MetricsGateEvent, event)


def test_a_gate_without_any_metric_is_refused(event_of: Callable[..., Any]) -> None:
    event = event_of("quality_gate")
    event["gates"]["metrics"] = {}
    with pytest.raises(EventError, match=r"gates\.metrics"):
        read(MetricsGateEvent, event)


def test_the_values_of_an_object_are_not_shown() -> None:
    with pytest.raises(EventError) as error:
        read(RegisterEvent, {"run": {"secretAccessKey": "hidden"}})
    assert "hidden" not in str(error.value)
    assert "got an object" in str(error.value)
    assert error.value.__suppress_context__


@settings(max_examples=50, deadline=None)
@given(JSON)
def test_any_json_is_read_or_refused_with_a_short_reason(document: object) -> None:
    with pytest.raises(EventError) as error:
        read(RegisterEvent, document)
    assert 0 < len(str(error.value)) < 2100


@settings(max_examples=50, deadline=None)
@given(st.text(), st.integers(min_value=1, max_value=50))
def test_a_clipped_text_is_one_line_and_never_too_long(text: str, length: int) -> None:
    clipped = clip(text, length=length)
    assert len(clipped) <= length
    assert "\n" not in clipped


def test_a_text_that_fits_is_kept() -> None:
    assert clip("two\n  lines", length=9) == "two lines"


def test_a_cut_text_shows_that_it_was_cut() -> None:
    assert clip("x" * 10_000_000, length=5) == "xxxx…"


def test_one_is_singular() -> None:
    assert (count(1, "row"), count(12000, "row")) == ("1 row", "12,000 rows")
