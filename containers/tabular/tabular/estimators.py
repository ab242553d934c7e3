"""The scikit-learn models, and how they are fitted in rounds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from sklearn import ensemble, tree

from tabular.hyperparameters import Estimator, Hyperparameters, Task

_CLASSES = {
    (Estimator.DECISION_TREE, Task.CLASSIFICATION): tree.DecisionTreeClassifier,
    (Estimator.DECISION_TREE, Task.REGRESSION): tree.DecisionTreeRegressor,
    (Estimator.RANDOM_FOREST, Task.CLASSIFICATION): ensemble.RandomForestClassifier,
    (Estimator.RANDOM_FOREST, Task.REGRESSION): ensemble.RandomForestRegressor,
    (Estimator.EXTRA_TREES, Task.CLASSIFICATION): ensemble.ExtraTreesClassifier,
    (Estimator.EXTRA_TREES, Task.REGRESSION): ensemble.ExtraTreesRegressor,
    (Estimator.GRADIENT_BOOSTING, Task.CLASSIFICATION): ensemble.GradientBoostingClassifier,
    (Estimator.GRADIENT_BOOSTING, Task.REGRESSION): ensemble.GradientBoostingRegressor,
}
_ROUNDS = 20
"""About so many looks at the clock and at SIGTERM in a training."""


def build(parameters: Hyperparameters) -> Any:
    """Return the estimator, not yet fitted; an ensemble can be fitted further."""
    given: dict[str, Any] = {
        "max_leaf_nodes": parameters.max_leaf_nodes,
        "min_samples_leaf": parameters.min_samples_leaf,
        "random_state": parameters.seed,
    }
    if parameters.max_features is not None:
        given["max_features"] = parameters.max_features
    if parameters.estimator is Estimator.GRADIENT_BOOSTING:
        given |= {"learning_rate": parameters.learning_rate, "subsample": parameters.subsample, "warm_start": True}
        given["max_depth"] = 3 if parameters.max_depth is None else parameters.max_depth  # as scikit-learn does
    else:
        given["max_depth"] = parameters.max_depth
        if parameters.task is Task.CLASSIFICATION:
            given["class_weight"] = parameters.class_weight
        if parameters.estimator is not Estimator.DECISION_TREE:
            given |= {"warm_start": True, "n_jobs": len(os.sched_getaffinity(0))}
    return _CLASSES[parameters.estimator, parameters.task](**given)


def rounds(parameters: Hyperparameters, fitted: int) -> Iterator[int]:
    """Yield how many trees there are to be after each round, from `fitted` trees on.

    The trees of a forest do not depend on the rounds, nor do those of boosting: a training that was stopped and
    continued gives the same model as one that was not.
    """
    wanted = 1 if parameters.estimator is Estimator.DECISION_TREE else parameters.n_estimators
    size = max(1, -(-wanted // _ROUNDS))
    while fitted < wanted:
        fitted = min(wanted, fitted + size)
        yield fitted
