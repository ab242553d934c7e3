"""The served answers are those of scikit-learn, for models and rows drawn at random."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from sklearn import ensemble, tree

from tabular import export
from tabular.contract import TrainingError
from tabular.invocation import respond
from tabular.model import Model
from tabular.negotiation import Format

MODELS = 60
BAGGED = {
    "tree, classes": tree.DecisionTreeClassifier,
    "forest, classes": ensemble.RandomForestClassifier,
    "extra trees, classes": ensemble.ExtraTreesClassifier,
    "tree, number": tree.DecisionTreeRegressor,
    "forest, number": ensemble.RandomForestRegressor,
    "extra trees, number": ensemble.ExtraTreesRegressor,
}


def drawn(kind: Any, seed: int, folder: Path) -> tuple[Any, Model, Any]:
    """A model of that kind fitted to random rows, as it is served, and rows of which many lie on its thresholds."""
    chance = np.random.default_rng(seed)
    rows, columns = int(chance.integers(20, 150)), int(chance.integers(1, 8))
    scale = 10.0 ** chance.integers(-6, 7)
    features = (chance.normal(size=(rows, columns)) * scale).astype(np.float32)
    if chance.random() < 0.5:
        features = np.round(features / np.float32(scale), 1) * np.float32(scale)
    classes = int(chance.integers(2, 6))
    labels = np.concatenate([np.arange(classes), chance.integers(0, classes, rows - classes)])
    if "Regressor" in kind.__name__:
        labels = labels * chance.normal() * 100 + chance.normal(size=rows)
    given: dict[str, Any] = {"random_state": seed, "max_depth": int(chance.integers(1, 9))}
    if "Tree" not in kind.__name__ or "Extra" in kind.__name__:
        given["n_estimators"] = int(chance.integers(1, 25))
    model = kind(**given).fit(features, labels)
    export.write(model, folder)
    asked = np.concatenate([features, (chance.normal(size=(200, columns)) * scale).astype(np.float32)])
    trees = [model.tree_] if hasattr(model, "tree_") else [one.tree_ for one in np.ravel(model.estimators_)]
    thresholds = np.concatenate([one.threshold[one.feature >= 0] for one in trees])
    if len(thresholds):
        asked = np.concatenate([asked, chance.choice(thresholds, (100, columns)).astype(np.float32)])
    return model, Model(folder), asked


def expected(model: Any, rows: Any) -> Any:
    """What scikit-learn says, as the container answers: of two classes the second."""
    if not hasattr(model, "predict_proba"):
        return model.predict(rows)[:, None]
    found = model.predict_proba(rows)
    return found[:, 1:] if found.shape[1] == 2 else found


@pytest.mark.parametrize("kind", BAGGED.values(), ids=BAGGED)
def test_trees_and_forests_answer_exactly_what_scikit_learn_answers(kind: Any, tmp_path: Path) -> None:
    for seed in range(MODELS // len(BAGGED)):
        model, served, rows = drawn(kind, seed, tmp_path)
        assert np.array_equal(served.predict(rows), expected(model, rows)), seed


def test_boosted_numbers_are_exactly_those_of_scikit_learn(tmp_path: Path) -> None:
    for seed in range(10):
        model, served, rows = drawn(ensemble.GradientBoostingRegressor, seed, tmp_path)
        assert np.array_equal(served.predict(rows), expected(model, rows)), seed


def test_boosted_classes_are_those_of_scikit_learn_up_to_the_last_bits(tmp_path: Path) -> None:
    """The sums are the same; the exponential function is that of another library."""
    for seed in range(10):
        model, served, rows = drawn(ensemble.GradientBoostingClassifier, seed, tmp_path)
        np.testing.assert_allclose(served.predict(rows), expected(model, rows), rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("kind", BAGGED.values(), ids=BAGGED)
def test_one_row_is_answered_as_it_is_among_others(kind: Any, tmp_path: Path) -> None:
    """One row takes another way through the code when the model is a single tree."""
    for seed in range(4):
        _, served, rows = drawn(kind, seed, tmp_path)
        texts = [",".join(map(repr, row)).encode() for row in rows[-60:].tolist()]
        together = respond(served, b"\n".join(texts), Format.CSV, Format.CSV).splitlines()
        alone = [respond(served, text, Format.CSV, Format.CSV).strip() for text in texts]
        assert alone == together
        documents = [orjson.dumps({"instances": [row]}) for row in rows[-60:].tolist()]
        as_json = [respond(served, one, Format.JSON, Format.CSV).strip() for one in documents]
        assert as_json == together


def test_more_rows_than_fit_at_once_are_answered_alike(number_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32)
    model = Model(number_model)
    at_once = model.predict(rows)
    monkeypatch.setattr("tabular.model._CELLS_AT_ONCE", 100)
    assert np.array_equal(model.predict(rows), at_once)


def test_the_answers_as_text_are_the_numbers_themselves(number_model: Path) -> None:
    rows = np.random.default_rng(1).normal(size=(50, 3)).astype(np.float32)
    model = Model(number_model)
    wanted = model.predict(rows)[:, 0].tolist()
    assert list(map(float, model.csv(rows).split())) == wanted
    assert orjson.loads(model.json(rows))["predictions"] == wanted


def test_a_model_too_large_for_the_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tabular.export._MOST_NODES", 2)
    model = tree.DecisionTreeClassifier().fit([[0], [1]], [0, 1])
    with pytest.raises(TrainingError, match="3 nodes and can have 2; set max_leaf_nodes"):
        export.write(model, tmp_path)
