from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from lambdas.shared.answers import check_metric
from lambdas.shared.gates import Bound
from lambdas.shared.labelled_rows import Predictions, Row
from lambdas.shared.measures import (
    MEASURES,
    accuracy,
    auc,
    class_accuracy,
    class_f1,
    class_log_loss,
    f1,
    log_loss,
    mae,
    r2,
    rmse,
)
from lambdas.shared.metrics import Task

PAIRS = st.lists(
    st.tuples(st.sampled_from([0, 1]), st.floats(min_value=0, max_value=1) | st.sampled_from([0.0, 0.5, 1.0])),
    min_size=2,
    max_size=40,
).filter(lambda pairs: len({label for label, _ in pairs}) == 2)


@settings(max_examples=50, deadline=None)
@given(PAIRS)
def test_every_measure_equals_that_of_the_evaluation(pairs: list[tuple[int, float]]) -> None:
    labels, scores = [label for label, _ in pairs], [score for _, score in pairs]
    answers = [int(score > 0.5) for score in scores]
    assert auc(labels, scores) == pytest.approx(metrics.roc_auc_score(labels, scores))
    assert accuracy(labels, scores) == pytest.approx(metrics.accuracy_score(labels, answers))
    assert f1(labels, scores) == pytest.approx(metrics.f1_score(labels, answers, zero_division=0))
    assert log_loss(labels, scores) == pytest.approx(metrics.log_loss(labels, scores, labels=[0, 1]))


ROWS = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 2]),
        st.sampled_from([[0.2, 0.5, 0.3], [0.5, 0.25, 0.25], [0.4, 0.4, 0.2], [1.0, 0.0, 0.0], [0.1, 0.1, 0.8]]),
    ),
    min_size=3,
    max_size=40,
).filter(lambda rows: {label for label, _ in rows} == {0, 1, 2})


@settings(max_examples=50, deadline=None)
@given(ROWS)
def test_every_measure_of_several_classes_equals_that_of_the_evaluation(rows: list[tuple[int, list[float]]]) -> None:
    labels, answers = [label for label, _ in rows], np.array([answer for _, answer in rows])
    flat, said = answers.ravel().tolist(), answers.argmax(axis=1)
    assert class_accuracy(labels, flat) == pytest.approx(metrics.accuracy_score(labels, said))
    assert class_f1(labels, flat) == pytest.approx(metrics.f1_score(labels, said, average="macro"))
    assert class_log_loss(labels, flat) == pytest.approx(metrics.log_loss(labels, answers, labels=[0, 1, 2]))


def test_probabilities_of_few_digits_lose_as_if_they_added_up_to_one() -> None:
    assert class_log_loss([0], [0.333, 0.333, 0.333]) == pytest.approx(math.log(3))


def test_f1_of_missing_classes_is_no_number() -> None:
    assert math.isnan(class_f1([0, 1], [0.5, 0.3, 0.2] * 2))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(-1000, 1000), st.floats(-1e3, 1e3)), min_size=2, max_size=40))
def test_every_measure_of_numbers_equals_that_of_the_evaluation(pairs: list[tuple[int, float]]) -> None:
    labels, answers = [label for label, _ in pairs], [answer for _, answer in pairs]
    assert rmse(labels, answers) == pytest.approx(metrics.root_mean_squared_error(labels, answers), abs=1e-9)
    assert mae(labels, answers) == pytest.approx(metrics.mean_absolute_error(labels, answers), abs=1e-9)
    if len(set(labels)) > 1:
        assert r2(labels, answers) == pytest.approx(metrics.r2_score(labels, answers))
    else:
        assert math.isnan(r2(labels, answers))


def test_auc_of_one_class_is_no_number() -> None:
    assert math.isnan(auc([1, 1], [0.2, 0.3]))


def part(everything: Predictions, positions: list[int]) -> list[Row]:
    """The rows at some positions."""
    return [Row(line=n + 1, features="x", label=everything.labels[n], answer=everything.answer(n)) for n in positions]


@pytest.mark.parametrize("task", Task)
@settings(max_examples=30, deadline=None)
@given(draw=st.data())
def test_right_answers_to_a_part_of_the_rows_give_the_metric_of_all_rows(task: Task, draw: st.DataObject) -> None:
    count = draw.draw(st.integers(6, 40))
    if task is Task.REGRESSION:
        labels, answers = [row * 1.5 for row in range(count)], [row * 1.4 + row % 3 for row in range(count)]
    elif task is Task.MULTICLASS:
        labels = [row % 3 for row in range(count)]
        answers = [value for row in range(count) for value in ([0.5, 0.2, 0.3] if row % 4 else [0.1, 0.8, 0.1])]
    else:
        labels, answers = [row % 2 for row in range(count)], [(row * 7 % 10) / 10 for row in range(count)]
    everything = Predictions(task=task, labels=labels, answers=answers)
    more = draw.draw(st.lists(st.integers(0, count - 1)))
    rows = part(everything, sorted({0, 1, 2, *more}))
    for name, measure in MEASURES[task].items():
        given_answers = [row.answer for row in rows]
        check = check_metric(name, Bound(floor=0.0), answers=given_answers, rows=rows, predictions=everything)
        expected = measure(labels, answers)
        assert check.value == pytest.approx(expected, abs=1e-9)


def test_wrong_answers_to_a_part_of_the_rows_lower_the_metric() -> None:
    everything = Predictions(task=Task.BINARY, labels=[0, 1] * 50, answers=[0.1, 0.9] * 50)
    rows = part(everything, [0, 1])
    check = check_metric("auc", Bound(floor=0.8), answers=[[0.9], [0.1]], rows=rows, predictions=everything)
    assert (check.passed, check.value) == (False, 0.0)


def test_wrong_numbers_for_a_part_of_the_rows_raise_the_error() -> None:
    everything = Predictions(task=Task.REGRESSION, labels=[1.0, 2.0] * 50, answers=[1.5, 2.5] * 50)
    rows = part(everything, [0, 1])
    checks = [
        check_metric("rmse", Bound(ceiling=0.6), answers=answers, rows=rows, predictions=everything)
        for answers in ([[1.5], [2.5]], [[11.0], [12.0]])
    ]
    assert [(check.passed, check.value) for check in checks] == [(True, 0.5), (False, 10.0)]


@pytest.mark.parametrize(
    ("task", "labels", "answers", "metric", "words"),
    [
        (Task.BINARY, [0, 1], [0.1, 0.9], "auc", "rows of every class are needed"),
        (Task.MULTICLASS, [0, 1], [0.6, 0.4, 0.4, 0.6], "f1", "rows of every class are needed"),
        (Task.REGRESSION, [1.0, 2.0], [1.0, 2.0], "r2", "different labels are needed"),
    ],
)
def test_a_metric_on_too_few_rows_fails(
    task: Task, labels: list[float], answers: list[float], metric: str, words: str
) -> None:
    everything = Predictions(task=task, labels=labels, answers=answers)
    rows = part(everything, [0])
    check = check_metric(metric, Bound(floor=0.1), answers=[rows[0].answer], rows=rows, predictions=everything)
    assert not check.passed
    assert words in check.reason


@pytest.mark.parametrize("task", Task)
def test_a_metric_of_another_task_is_refused_with_those_that_are_known(task: Task) -> None:
    everything = Predictions(task=task, labels=[0, 1], answers=[0.1, 0.9])
    rows = part(everything, [0, 1])
    other = "auc" if task is Task.REGRESSION else "rmse"
    answers = [row.answer for row in rows]
    check = check_metric(other, Bound(floor=0.1), answers=answers, rows=rows, predictions=everything)
    assert check.reason.endswith(f"known: {', '.join(MEASURES[task])}")
