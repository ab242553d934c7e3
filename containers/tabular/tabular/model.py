"""A model as `train` wrote it, answering without scikit-learn what scikit-learn would answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
import orjson

from tabular.payload import SingleRow

if TYPE_CHECKING:
    import numpy.typing as npt

    Numbers = npt.NDArray[np.float64]
    Rows = npt.NDArray[np.float32]

FORMAT = 1
_CELLS_AT_ONCE = 4_000_000
"""Rows times trees times classes that are in memory at a time."""
_AS_ARRAY = orjson.OPT_SERIALIZE_NUMPY


class ModelError(Exception):
    """A folder holds no model of this container."""


class Model:
    """A forest: ONNX Runtime finds the leaves, numpy adds up what they say."""

    def __init__(self, folder: Path) -> None:
        """Read the files of a model and try them on one row.

        Raises:
            ModelError: they are missing or broken.

        """
        try:
            description = _description(folder / "model.json")
            self.features = int(description["features"])
            self.reader = SingleRow(self.features)
            self.task = str(description["task"])
            self._trees = int(description["trees"])
            self._classes = int(description["classes"])
            self._combine = _COMBINATIONS[description["combination"]]
            self._start = np.asarray(description["start"] or [0.0], dtype=np.float64)
            self._leaves: Numbers = np.load(folder / "leaves.npy", allow_pickle=False)
            self._session = _session(folder / "forest.onnx")
            self._ready = self._written() if description["combination"] == "mean" and self._trees == 1 else None
            self.single = SingleTree(folder / "tree.npy", *self._ready) if self._ready is not None else None
            """How one row is answered, where there is a quicker way."""
            self.csv(np.zeros((1, self.features), np.float32))
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - a model is somebody's files: there is no end to what is wrong
            msg = f"{folder} holds no model of this container: {type(error).__name__}: {error}"
            raise ModelError(msg) from None

    @property
    def cost(self) -> int:
        """What a row costs, in trees."""
        return self._trees

    def predict(self, rows: Rows) -> Numbers:
        """Return a probability for each class (of two, for the second), or a number, for each row."""
        size = max(1, _CELLS_AT_ONCE // (self._trees * self._leaves.shape[1]))
        parts = [
            self._combine(self, self._leaves[np.ascontiguousarray(self._found(rows[at : at + size]).T)])
            for at in range(0, len(rows), size)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def csv(self, rows: Rows) -> bytes:
        """Return the answers as lines."""
        if self._ready is not None:
            return _joined(self._ready[0], self._found(rows))
        return _lines(self.predict(rows))

    def json(self, rows: Rows) -> bytes:
        """Return the answers as `{"predictions": [...]}`: lists for several classes, else numbers."""
        if self._ready is not None:
            return b'{"predictions":[' + _joined(self._ready[1], self._found(rows))[:-1] + b"]}"
        return b'{"predictions":' + orjson.dumps(_narrow(self.predict(rows)), option=_AS_ARRAY) + b"}"

    def _found(self, rows: Rows) -> npt.NDArray[np.intp]:
        """Return the leaf of each row in each tree."""
        found: npt.NDArray[np.float32] = self._session.run(None, {"rows": rows})[0]
        return found.astype(np.intp)

    def _written(self) -> tuple[npt.NDArray[np.bytes_], npt.NDArray[np.bytes_]]:
        """Return what a single tree can answer at all, written as CSV and as JSON."""
        texts = [orjson.dumps(one, option=_AS_ARRAY) for one in _narrow(self._leaves)]
        return (
            np.array([_lines(one[None, :]) for one in self._leaves]),
            np.array([text + b"," for text in texts]),
        )

    def _mean(self, said: Numbers) -> Numbers:
        # Accumulated, because a plain sum may be done in another order than scikit-learn's.
        found: Numbers = np.add.accumulate(said, axis=0)[-1] / self._trees
        return found

    def _sum(self, said: Numbers) -> Numbers:
        """Add up boosted trees, one for each class in every round, and turn the sums into probabilities."""
        rows, outputs = said.shape[1], len(self._start)
        rounds = said[:, :, 0].reshape(-1, outputs, rows)
        start = np.broadcast_to(self._start[:, None], (1, outputs, rows))
        found: Numbers = np.add.accumulate(np.concatenate([start, rounds]), axis=0)[-1].T
        if self._classes == 1:
            return np.ascontiguousarray(found)
        if outputs == 1:
            with np.errstate(over="ignore"):
                return 1 / (1 + np.exp(-np.ascontiguousarray(found)))
        powers = np.exp(found - found.max(axis=1, keepdims=True))
        return np.ascontiguousarray(powers / powers.sum(axis=1, keepdims=True))


class SingleTree:
    """A model of one tree, asked for one row: in Python, which is done before ONNX Runtime would have begun."""

    def __init__(self, path: Path, csv: npt.NDArray[np.bytes_], json: npt.NDArray[np.bytes_]) -> None:
        """Read the tree; `csv` and `json` are what its leaves answer."""
        features, thresholds, left, right = np.load(path, allow_pickle=False)
        lines, texts = csv.tolist(), json.tolist()
        # The children of a node come after it, so they are there when it is made.
        nodes: list[Any] = [None] * len(features)
        leaf = len(lines)
        for at in range(len(features) - 1, -1, -1):
            if left[at] < 0:
                leaf -= 1
                nodes[at] = (-1, 0.0, lines[leaf], b'{"predictions":[' + texts[leaf][:-1] + b"]}")
            else:
                nodes[at] = (int(features[at]), float(thresholds[at]), nodes[int(left[at])], nodes[int(right[at])])
        self._root = nodes[0]

    def csv(self, row: tuple[float, ...]) -> bytes:
        """Return the answer to a row as a line."""
        text: bytes = self._leaf(row)[2]
        return text

    def json(self, row: tuple[float, ...]) -> bytes:
        """Return the answer to a row as a JSON document."""
        text: bytes = self._leaf(row)[3]
        return text

    def _leaf(self, row: tuple[float, ...]) -> Any:
        node = self._root
        feature, threshold, left, right = node
        while feature >= 0:
            node = left if row[feature] <= threshold else right
            feature, threshold, left, right = node
        return node


_COMBINATIONS: dict[str, Callable[[Model, Numbers], Numbers]] = {"mean": Model._mean, "sum": Model._sum}  # noqa: SLF001


def _description(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_bytes())
    if found["format"] != FORMAT:
        msg = f"the model has the format {found['format']}; this image reads the format {FORMAT}"
        raise ValueError(msg)
    return found


def _session(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    # One thread: the server runs a process for each processor.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])


def _joined(texts: npt.NDArray[np.bytes_], found: npt.NDArray[np.intp]) -> bytes:
    """Return the texts that were found, one after the other: numpy fills those that are shorter with zero bytes."""
    return texts.take(found.ravel()).tobytes().translate(None, b"\0")


def _narrow(answers: Numbers) -> Numbers:
    return np.ascontiguousarray(answers[:, 0]) if answers.shape[1] == 1 else answers


def _lines(answers: Numbers) -> bytes:
    text = orjson.dumps(_narrow(answers), option=_AS_ARRAY)
    if answers.shape[1] == 1:
        return text[1:-1].replace(b",", b"\n") + b"\n"
    return text[2:-2].replace(b"],[", b"\n") + b"\n"
