from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from lambdas.shared.gates import Bound
from lambdas.verify_endpoint.answers import check_metric
from lambdas.verify_endpoint.measures import MEASURES, accuracy, auc, f1, log_loss
from lambdas.verify_endpoint.sample import Predictions, Row

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


def test_auc_of_one_class_is_no_number() -> None:
    assert math.isnan(auc([1, 1], [0.2, 0.3]))


@settings(max_examples=50, deadline=None)
@given(PAIRS, st.data())
def test_right_answers_to_a_part_of_the_rows_give_the_metric_of_all_rows(
    pairs: list[tuple[int, float]], draw: st.DataObject
) -> None:
    labels, scores = [label for label, _ in pairs], [score for _, score in pairs]
    one_of_each = [labels.index(0), labels.index(1)]
    more = draw.draw(st.lists(st.sampled_from(range(len(pairs)))))
    rows = [
        Row(line=n + 1, features="x", label=labels[n], probability=scores[n]) for n in sorted({*one_of_each, *more})
    ]
    everything = Predictions(labels=labels, probabilities=scores)
    for name, measure in MEASURES.items():
        answers = [row.probability for row in rows]
        check = check_metric(name, Bound(floor=0.0), answers=answers, rows=rows, predictions=everything)
        assert check.value == pytest.approx(measure(labels, scores), abs=1e-9)


def test_wrong_answers_to_a_part_of_the_rows_lower_the_metric() -> None:
    everything = Predictions(labels=[0, 1] * 50, probabilities=[0.1, 0.9] * 50)
    rows = [Row(line=1, features="x", label=0, probability=0.1), Row(line=2, features="x", label=1, probability=0.9)]
    check = check_metric("auc", Bound(floor=0.8), answers=[0.9, 0.1], rows=rows, predictions=everything)
    assert (check.passed, check.value) == (False, 0.0)


def test_a_metric_on_one_class_fails() -> None:
    row = Row(line=1, features="x", label=0, probability=0.1)
    everything = Predictions(labels=[0, 1], probabilities=[0.1, 0.9])
    check = check_metric("auc", Bound(floor=0.1), answers=[0.1], rows=[row], predictions=everything)
    assert not check.passed
    assert "both classes are needed" in check.reason
