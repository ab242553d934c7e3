"""The bootstrap: against scikit-learn, resample by resample, and against what statistics says."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

import bootstrap
from binary_measures import BinaryMeasures
from bootstrap import draws, resample, spread
from measures import Metric
from multiclass_measures import MulticlassMeasures
from regression_measures import RegressionMeasures

BINARY = BinaryMeasures()
THREE = MulticlassMeasures(["a", "b", "c"])
NUMBER = RegressionMeasures()


def scored(rows: int, *, skill: float, seed: int = 0) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Make labels and probabilities; the more skill, the better they agree."""
    chance = np.random.default_rng(seed)
    labels = (chance.random(rows) < 0.3).astype(float)
    return labels, 1 / (1 + np.exp(-chance.normal(size=rows) - skill * (labels - 0.5)))


@given(
    pairs=st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.2, 0.5, 0.50001, 0.9, 1.0])), min_size=2),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_each_resample_has_the_metrics_that_scikit_learn_computes(pairs: list[tuple[bool, float]], seed: int) -> None:
    pairs += [(True, 0.7), (False, 0.2)]
    labels = np.array([label for label, _ in pairs], dtype=float)
    scores = np.array([score for _, score in pairs])
    found = resample(BINARY, labels, [scores], resamples=3, seed=seed)[0]
    counts = next(draws([int(labels.sum()), int((1 - labels).sum())], resamples=3, seed=seed))
    for at in range(3):
        weights = np.empty(len(labels))
        weights[labels == 1], weights[labels == 0] = counts[0][at], counts[1][at]
        answers = scores > 0.5
        expected = {
            Metric.AUC: metrics.roc_auc_score(labels, scores, sample_weight=weights),
            Metric.F1: metrics.f1_score(labels, answers, sample_weight=weights, zero_division=0),
            Metric.ACCURACY: metrics.accuracy_score(labels, answers, sample_weight=weights),
            Metric.LOG_LOSS: metrics.log_loss(labels, scores, sample_weight=weights, labels=[0, 1]),
        }
        assert {metric: values[at] for metric, values in found.items()} == pytest.approx(expected, abs=1e-9)


PROBABILITIES = [[0.2, 0.5, 0.3], [0.5, 0.25, 0.25], [0.1, 0.1, 0.8], [1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3]]


@given(
    pairs=st.lists(st.tuples(st.sampled_from([0.0, 1.0, 2.0]), st.sampled_from(PROBABILITIES))),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_each_resample_of_several_classes_has_the_metrics_that_scikit_learn_computes(
    pairs: list[tuple[float, list[float]]], seed: int
) -> None:
    pairs += [(0.0, [0.4, 0.4, 0.2]), (1.0, [0.3, 0.3, 0.4]), (2.0, [0.1, 0.2, 0.7])]
    labels, answers = np.array([label for label, _ in pairs]), np.array([answer for _, answer in pairs])
    found = resample(THREE, labels, [answers], resamples=3, seed=seed)[0]
    strata = THREE.strata(labels)
    counts = next(draws([len(rows) for rows in strata], resamples=3, seed=seed))
    for at in range(3):
        weights = np.empty(len(labels))
        for rows, drawn in zip(strata, counts, strict=True):
            weights[rows] = drawn[at]
        said, places = answers.argmax(axis=1), [0, 1, 2]
        expected = {
            Metric.F1: metrics.f1_score(
                labels, said, sample_weight=weights, labels=places, average="macro", zero_division=0
            ),
            Metric.ACCURACY: metrics.accuracy_score(labels, said, sample_weight=weights),
            Metric.LOG_LOSS: metrics.log_loss(labels, answers, sample_weight=weights, labels=places),
        }
        assert {metric: values[at] for metric, values in found.items()} == pytest.approx(expected, abs=1e-9)


@given(
    pairs=st.lists(st.tuples(st.floats(-1e3, 1e6), st.floats(-1e3, 1e6)), min_size=2, max_size=30),
    offset=st.sampled_from([0.0, 1e6]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_each_resample_of_numbers_has_the_metrics_that_scikit_learn_computes(
    pairs: list[tuple[float, float]], offset: float, seed: int
) -> None:
    labels, answers = (np.round(np.array(column), 3) + offset for column in zip(*pairs, strict=True))
    labels[0], labels[1] = 1.0, 2.0
    found = resample(NUMBER, labels, [answers], resamples=3, seed=seed)[0]
    (counts,) = next(draws([len(labels)], resamples=3, seed=seed))
    for at in range(3):
        drawn = np.repeat(np.arange(len(labels)), counts[at].astype(int))
        if np.ptp(labels[drawn]) == 0:
            continue  # without a spread r2 is not defined: scikit-learn divides by what rounding has left of it
        expected = NUMBER.values(labels[drawn], answers[drawn])
        assert {metric: values[at] for metric, values in found.items()} == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_numbers_are_drawn_from_all_rows_alike() -> None:
    (counts,) = next(draws([50], resamples=2000, seed=1))
    assert (counts.sum(axis=1) == 50).all()
    assert abs(counts.mean(axis=0) - 1).max() < 0.15


def test_every_resample_has_as_many_rows_of_each_class_as_the_data() -> None:
    for positive, negative in draws([30, 70], resamples=50, seed=1):
        assert (positive.sum(axis=1) == 30).all()
        assert (negative.sum(axis=1) == 70).all()


def test_both_models_meet_the_same_draws() -> None:
    labels, scores = scored(400, skill=1.0)
    one, other = resample(BINARY, labels, [scores, scores], resamples=50, seed=2)
    assert all((one[metric] == other[metric]).all() for metric in one)
    assert set(one) == {Metric.AUC, Metric.F1, Metric.ACCURACY, Metric.LOG_LOSS}


def test_the_result_depends_on_the_seed_alone() -> None:
    labels, scores = scored(300, skill=1.0)
    runs = [resample(BINARY, labels, [scores], resamples=20, seed=seed)[0][Metric.AUC].tolist() for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_many_blocks_give_as_many_resamples_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, scores = scored(100, skill=1.0)
    monkeypatch.setattr(bootstrap, "_CELLS_AT_ONCE", 700)
    values = resample(BINARY, labels, [scores], resamples=25, seed=3)[0][Metric.AUC]
    assert len(np.unique(values)) > 20
    assert abs(values.mean() - metrics.roc_auc_score(labels, scores)) < 0.05


def test_the_deviation_of_accuracy_is_the_one_that_theory_gives() -> None:
    labels, scores = scored(2000, skill=1.0)
    right = (scores > 0.5) == labels
    # Stratified: the sum over the classes of n_k p_k (1 - p_k), over n squared.
    variance = sum(right[labels == k].var() * (labels == k).sum() for k in (0, 1)) / len(labels) ** 2
    drawn = resample(BINARY, labels, [scores], resamples=2000, seed=4)[0][Metric.ACCURACY]
    assert spread(drawn, confidence=0.95).standard_deviation == pytest.approx(np.sqrt(variance), rel=0.08)


def test_the_interval_holds_the_true_value_about_as_often_as_it_says() -> None:
    truth = metrics.roc_auc_score(*scored(200_000, skill=1.0, seed=99))
    held = 0
    for seed in range(100):
        labels, scores = scored(300, skill=1.0, seed=seed)
        interval = spread(resample(BINARY, labels, [scores], resamples=200, seed=5)[0][Metric.AUC], confidence=0.9)
        held += interval.low <= truth <= interval.high
    assert 80 <= held <= 99


def test_a_thousand_resamples_of_two_thousand_rows_take_less_than_a_second_of_cpu() -> None:
    labels, scores = scored(2000, skill=1.0)
    start = time.process_time()
    resample(BINARY, labels, [scores, scores[::-1].copy()], resamples=1000, seed=6)
    assert time.process_time() - start < 1.0
