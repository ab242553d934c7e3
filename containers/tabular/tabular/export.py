"""Writes a fitted scikit-learn model so that it can be served without scikit-learn, with the very same answers.

The model becomes some files. `forest.onnx` says for each row and tree which leaf the row falls into; `leaves.npy` holds
what the leaves say, in double precision; `model.json` says how the leaves of one row are put together. A model of one
tree has `tree.npy` too, its nodes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper
from sklearn import ensemble
from sklearn.base import is_classifier

from tabular.contract import TrainingError

if TYPE_CHECKING:
    import numpy.typing as npt

FORMAT = 1
_MOST_NODES = 5_000_000
"""Far below 2**24, up to which float32 counts leaves exactly, and small enough for one ONNX file."""


def write(estimator: Any, folder: Path) -> None:
    """Write the files of the model.

    Raises:
        TrainingError: the model is too large.

    """
    boosted = isinstance(estimator, ensemble.GradientBoostingClassifier | ensemble.GradientBoostingRegressor)
    classes = len(estimator.classes_) if is_classifier(estimator) else 1
    trees = _trees(estimator)
    if (nodes := sum(one.node_count for one in trees)) > _MOST_NODES:
        msg = f"the model has {nodes} nodes and can have {_MOST_NODES}; set max_leaf_nodes or max_depth, or fewer trees"
        raise TrainingError(msg)
    leaves = [_values(one, boosted=boosted, classes=classes) for one in trees]
    if boosted:
        leaves = [estimator.learning_rate * one for one in leaves]
    description = {
        "format": FORMAT,
        "task": {1: "regression", 2: "binary"}.get(classes, "multiclass"),
        "features": int(estimator.n_features_in_),
        "classes": classes,
        "trees": len(trees),
        "combination": "sum" if boosted else "mean",
        # Where boosting begins; scikit-learn tells it in no other way.
        "start": estimator._raw_predict_init(np.zeros((1, estimator.n_features_in_), np.float32))[0].tolist()  # noqa: SLF001
        if boosted
        else None,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "forest.onnx").write_bytes(_graph(trees, int(estimator.n_features_in_)))
    np.save(folder / "leaves.npy", np.concatenate(leaves), allow_pickle=False)
    if len(trees) == 1 and not boosted:
        tree = trees[0]
        parts = (tree.feature, tree.threshold, tree.children_left, tree.children_right)
        np.save(folder / "tree.npy", np.array(parts, dtype=np.float64), allow_pickle=False)
    (folder / "model.json").write_text(f"{json.dumps(description, indent=2)}\n", encoding="utf-8")


def _trees(estimator: Any) -> list[Any]:
    """Return the trees in the order in which scikit-learn adds them up."""
    if hasattr(estimator, "tree_"):
        return [estimator.tree_]
    return [one.tree_ for one in np.ravel(estimator.estimators_)]


def _values(tree: Any, *, boosted: bool, classes: int) -> npt.NDArray[np.float64]:
    """Return what each leaf says: a probability for each class (of two, for the second), or a number."""
    values = tree.value[tree.children_left < 0][:, 0, :]
    return np.ascontiguousarray(values[:, 1:] if classes == 2 and not boosted else values)  # noqa: PLR2004


def _graph(trees: list[Any], features: int) -> bytes:
    """Return the forest as ONNX: as many numbers a row as there are trees, each the number of a leaf."""
    parts: dict[str, list[Any]] = {name: [] for name in _NODES + _LEAVES}
    before = 0
    for number, tree in enumerate(trees):
        is_leaf = tree.children_left < 0
        leaves = np.flatnonzero(is_leaf)
        columns = [
            *(np.full(tree.node_count, number), np.arange(tree.node_count), np.maximum(tree.feature, 0)),
            *(np.where(is_leaf, "LEAF", "BRANCH_LEQ"), _rounded_down(tree.threshold)),
            *(np.maximum(tree.children_left, 0), np.maximum(tree.children_right, 0)),
            *(np.full(len(leaves), number), leaves, np.full(len(leaves), number)),
            np.arange(before, before + len(leaves), dtype=np.float64),
        ]
        for part, column in zip(parts.values(), columns, strict=True):
            part.extend(column.tolist())
        before += len(leaves)
    attributes: dict[str, Any] = {"n_targets": len(trees), **parts}
    node = helper.make_node("TreeEnsembleRegressor", ["rows"], ["leaves"], domain="ai.onnx.ml", **attributes)
    rows = helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, features])
    found = helper.make_tensor_value_info("leaves", TensorProto.FLOAT, [None, len(trees)])
    versions = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 1)]
    graph = helper.make_graph([node], "forest", [rows], [found])
    content: bytes = helper.make_model(graph, opset_imports=versions, ir_version=8).SerializeToString()
    return content


def _rounded_down(thresholds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return thresholds that float32 can hold and that part float32 numbers as `thresholds` do."""
    rounded = thresholds.astype(np.float32)
    return np.where(rounded > thresholds, np.nextafter(rounded, np.float32(-np.inf)), rounded).astype(np.float64)


_NODES = [
    *("nodes_treeids", "nodes_nodeids", "nodes_featureids", "nodes_modes", "nodes_values"),
    *("nodes_truenodeids", "nodes_falsenodeids"),
]
_LEAVES = ["target_treeids", "target_nodeids", "target_ids", "target_weights"]
