"""Hyperparameters are texts; all mistakes are told at once, each with its remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tabular.contract import TrainingError
from tabular.hyperparameters import Estimator, Hyperparameters, Task, parse, read

GOOD = {"task": "regression"}
MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"task": "clustering"}, 'task is "clustering"; expected classification or regression'),
    ({"estimator": "svm"}, 'estimator is "svm"; expected decision_tree or random_forest or'),
    ({"n_estimators": "0"}, 'n_estimators is "0"; expected a whole number from 1 to 5000'),
    ({"n_estimators": "1e2"}, "expected a whole number from 1 to 5000"),
    ({"n_estimators": "5" * 30}, "expected a whole number from 1 to 5000"),
    ({"max_depth": "65"}, 'max_depth is "65"; expected a whole number from 1 to 64, or none'),
    ({"max_leaf_nodes": "1"}, "expected a whole number from 2 to 1000000, or none"),
    ({"max_features": "half"}, "expected sqrt, log2, all, or a number above 0 and up to 1"),
    ({"max_features": "nan"}, 'max_features is "nan"'),
    ({"class_weight": "equal"}, "expected balanced or none"),
    ({"learning_rate": "0"}, "learning_rate"),
    ({"learning_rate": "inf"}, "expected a number above 0 and up to 1"),
    ({"seed": "-1"}, "expected a whole number from 0 to 4294967295"),
    ({"seed": "\u0661"}, "expected a whole number"),
    ({"max_dept": "3"}, '"max_dept" is unknown; did you mean max_depth?'),
    ({"zzz": "3"}, '"zzz" is unknown; known are task, estimator'),
    (
        {"learning_rate": "0.1"},
        "learning_rate means nothing for the estimator random_forest; remove it or write estimator=",
    ),
    ({"estimator": "decision_tree", "n_estimators": "5"}, "n_estimators means nothing for the estimator decision_tree"),
    ({"class_weight": "balanced"}, "class_weight means nothing for the task regression"),
    ({"n_estimators": ["5"]}, 'n_estimators is ["5"]; expected a text'),
    ({"n_estimators": True}, "n_estimators is true; expected a text"),
]


@pytest.mark.parametrize(
    ("given", "said"),
    MISTAKES,
    ids=[" ".join(map(str, given.values()))[:20] + f" {number}" for number, (given, _) in enumerate(MISTAKES)],
)
def test_a_mistake_is_told_with_the_value_and_what_is_allowed(given: dict[str, Any], said: str) -> None:
    with pytest.raises(TrainingError) as raised:
        parse(GOOD | given)
    assert said in str(raised.value)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(TrainingError, match="3 hyperparameters are wrong") as raised:
        parse({"n_estimators": "many", "max_dept": "3"})
    assert all(name in str(raised.value) for name in ("n_estimators", "max_dept", "task is missing"))


def test_every_value_is_read_from_text() -> None:
    found = parse(
        {
            "task": "classification",
            "estimator": "gradient_boosting",
            "n_estimators": "7",
            "max_depth": "none",
            "max_leaf_nodes": "8",
            "min_samples_leaf": "2",
            "max_features": "0.5",
            "learning_rate": "1e-1",
            "subsample": "1",
            "seed": " 3 ",
        }
    )
    assert found == Hyperparameters(
        task=Task.CLASSIFICATION,
        estimator=Estimator.GRADIENT_BOOSTING,
        n_estimators=7,
        max_leaf_nodes=8,
        min_samples_leaf=2,
        max_features=0.5,
        seed=3,
    )


def test_what_sagemaker_adds_is_ignored() -> None:
    assert parse(GOOD | {"sagemaker_region": '"x"', "_tuning_objective_metric": "rmse"}) == parse(GOOD)


@pytest.mark.parametrize("content", ["", "[1]", "{", "null", "[" * 100_000, "\udcff"])
def test_a_file_that_holds_no_hyperparameters_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "hyperparameters.json"
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(TrainingError, match=r"hyperparameters\.json"):
        read(path)
