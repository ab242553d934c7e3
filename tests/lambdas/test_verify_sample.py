from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.shared import labelled_rows
from lambdas.shared.errors import EventError
from lambdas.shared.labelled_rows import Predictions, choose, payload, read_predictions, read_rows
from lambdas.shared.metrics import Task

LABELS = st.lists(st.sampled_from([0, 1]), min_size=1, max_size=300)


def predictions(labels: list[int]) -> Predictions:
    return Predictions(task=Task.BINARY, labels=labels, answers=[0.25 + label / 2 for label in labels])


def lines(labels: list[int], width: int = 3) -> list[str]:
    return [f"{label}," + "x" * width for label in labels]


@settings(max_examples=50, deadline=None)
@given(LABELS, st.integers(min_value=1, max_value=400))
def test_the_choice_is_sorted_unique_repeatable_and_has_every_class(labels: list[int], wanted: int) -> None:
    chosen = choose(labels, wanted)
    assert chosen == sorted(set(chosen)) == choose(labels, wanted)
    assert set(chosen) <= set(range(len(labels)))
    assert {labels[position] for position in chosen} == set(labels)
    assert len(chosen) <= max(wanted, 1) + 1


@settings(max_examples=50, deadline=None)
@given(LABELS)
def test_a_small_test_set_is_sent_whole(labels: list[int]) -> None:
    assert choose(labels, len(labels)) == list(range(len(labels)))


def test_the_choice_keeps_the_proportion_of_the_classes() -> None:
    labels = [int(row % 10 == 0) for row in range(1000)]
    assert sum(labels[position] for position in choose(labels, 200)) == 20


def test_the_choice_reaches_over_the_whole_file() -> None:
    chosen = choose([0, 1] * 500, 20)
    assert chosen[0] < 100
    assert chosen[-1] > 900


@settings(max_examples=50, deadline=None)
@given(st.integers(min_value=2, max_value=40), st.integers(min_value=1, max_value=400))
def test_a_request_is_never_too_long(rows: int, width: int) -> None:
    labels = [row % 2 for row in range(rows)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(labelled_rows, "PAYLOAD_LIMIT", 1000)
        chosen = read_rows(lines(labels, width), predictions(labels), 200)
    assert 0 < len(payload(chosen)) <= 1000


def test_a_request_holds_at_most_five_megabytes() -> None:
    assert labelled_rows.PAYLOAD_LIMIT == 5 * 1024 * 1024


def test_one_row_that_is_too_long_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labelled_rows, "PAYLOAD_LIMIT", 10)
    with pytest.raises(EventError, match=r"row \d of the test set alone is longer"):
        read_rows(lines([0, 1, 0], 11), predictions([0, 1, 0]), 3)


def test_the_label_is_not_sent() -> None:
    assert payload(read_rows(["1,2.5,,7"], predictions([1]), 5)) == b"2.5,,7"


@pytest.mark.parametrize("count", [1, 3])
def test_another_number_of_rows_is_an_error(count: int) -> None:
    with pytest.raises(EventError, match=f"the test set has {count} rows, the predictions have 2"):
        read_rows(lines([0] * count), predictions([0, 0]), 1)


@pytest.mark.parametrize("line", ["1,a", "x,a", "", "0", "0,", "nan,a"])
def test_a_row_that_is_not_the_predicted_one_is_an_error(line: str) -> None:
    with pytest.raises(EventError, match="not of this test set"):
        read_rows([line], predictions([0]), 1)


@pytest.mark.parametrize(
    "line", ["", "1,0", "1,2,0.5", "1,0,1.5", "1,0,nan", "1,0,x", "x,0,0.5", "2,0,0.5", "1,0,0.5,9", "1,0,-0.1"]
)
def test_a_prediction_of_another_form_is_an_error(line: str) -> None:
    with pytest.raises(EventError, match="predictions"):
        read_predictions(["row,label,probability", line], Task.BINARY)


def test_predictions_are_read_in_their_order() -> None:
    read = read_predictions(["row,label,probability", "1,0,0.25", "2,1,1"], Task.BINARY)
    assert (list(read.labels), list(read.answers), read.width) == ([0, 1], [0.25, 1.0], 1)


THREE = "row,label,probability_0,probability_1,probability_2"


def test_predictions_of_several_classes_have_an_answer_of_several_values() -> None:
    read = read_predictions([THREE, "1,2,0.25,0.25,0.5", "2,0,1,0,0"], Task.MULTICLASS)
    assert (list(read.labels), read.width, list(read.answer(1))) == ([2, 0], 3, [1.0, 0.0, 0.0])


def test_predictions_of_numbers_may_be_any_number() -> None:
    read = read_predictions(["row,label,prediction", "1,-2.5,1e6", "2,0,-3"], Task.REGRESSION)
    assert (list(read.labels), list(read.answers)) == ([-2.5, 0.0], [1e6, -3.0])


@pytest.mark.parametrize("line", ["1,3,0,0,1", "1,0.5,0,0,1", "1,0,0,1", "1,0,0,0,1.5", "1,0,nan,0,1", "1,-1,0,0,1"])
def test_a_prediction_of_several_classes_of_another_form_is_an_error(line: str) -> None:
    with pytest.raises(
        EventError, match=r"line 2 of the predictions is not 'row,label,probability_0,probability_1,\.\.\.'"
    ):
        read_predictions([THREE, line], Task.MULTICLASS)


@pytest.mark.parametrize("line", ["1,nan,0", "1,0,inf", "1,0,x", "1,0", "1,0,1,1"])
def test_a_predicted_number_of_another_form_is_an_error(line: str) -> None:
    with pytest.raises(EventError, match="line 2 of the predictions"):
        read_predictions(["row,label,prediction", line], Task.REGRESSION)


@pytest.mark.parametrize("header", ["row,label,probability", "row,label,prediction", THREE])
@pytest.mark.parametrize("task", Task)
def test_predictions_of_another_task_are_an_error(task: Task, header: str) -> None:
    own = {Task.BINARY: "row,label,probability", Task.MULTICLASS: THREE, Task.REGRESSION: "row,label,prediction"}
    with pytest.raises(EventError, match="empty" if header == own[task] else "must begin with the header"):
        read_predictions([header], task)


def test_the_choice_has_every_one_of_several_classes_in_its_proportion() -> None:
    labels = [row % 4 if row % 4 < 3 else 0 for row in range(400)]
    chosen = [labels[position] for position in choose(labels, 40)]
    assert [chosen.count(label) for label in (0, 1, 2)] == [20, 10, 10]


def test_rows_with_numbers_are_chosen_evenly_over_the_file_whatever_their_labels() -> None:
    values = [row / 7 for row in range(1000)]
    everything = Predictions(task=Task.REGRESSION, labels=values, answers=values)
    rows = read_rows([f"{value!r},x" for value in values], everything, 10)
    assert [row.line for row in rows] == list(range(51, 1000, 100))
    assert all(row.answer[0] == row.label for row in rows)
