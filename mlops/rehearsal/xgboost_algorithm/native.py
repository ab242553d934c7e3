"""XGBoost through its C interface: what training and serving need, without numpy and without the Python package."""

from __future__ import annotations

import ctypes
import functools
import json
import math
import re
import sys
from typing import TYPE_CHECKING, Any, Self

from mlops.rehearsal.xgboost_algorithm import REPRESENTS, package_folder
from mlops.rehearsal.xgboost_algorithm.errors import PlatformError

if TYPE_CHECKING:
    from array import array
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    Floats = array[float]
    Integers = array[int]

Scores = dict[str, dict[str, float]]
"""Data set name → metric name → value."""

_TYPES = {"f": "<f4", "I": "<u4", "Q": "<u8"}


class XGBoostError(Exception):
    """The library refused a call; the text is its own."""


@functools.cache
def _library() -> ctypes.CDLL:
    folder = package_folder()
    if folder is None:
        msg = "xgboost is not installed; install the dependency group 'rehearsal'"
        raise PlatformError(msg)
    library = ctypes.CDLL(str(_shared_object(folder)))
    library.XGBGetLastError.restype = ctypes.c_char_p
    numbers = [ctypes.c_int() for _ in range(3)]
    library.XGBoostVersion(*(ctypes.byref(number) for number in numbers))
    version = ".".join(str(number.value) for number in numbers)
    if version not in REPRESENTS.values():
        msg = (
            f"xgboost {version} is installed, but the represented image versions hold {', '.join(REPRESENTS.values())}"
        )
        raise PlatformError(msg)
    return library


def _shared_object(folder: Path) -> Path:
    suffix = {"darwin": "libxgboost.dylib", "win32": "xgboost.dll"}.get(sys.platform, "libxgboost.so")
    return folder / "lib" / suffix


def _call(function: str, *arguments: Any) -> None:
    library = _library()
    if getattr(library, function)(*arguments) != 0:
        text = library.XGBGetLastError().decode(errors="replace")
        # The text begins with the time and the place in the source, and ends with a stack trace.
        raise XGBoostError(re.sub(r"^\[[\d:]+\] \S+:\d+: ", "", text.partition("\nStack trace")[0].strip()))


def _interface(values: Floats | Integers, *shape: int) -> bytes:
    """Describe `values` by numpy's array interface, which the library reads."""
    address, length = values.buffer_info()
    description = {
        "data": [address, True],
        "shape": list(shape) or [length],
        "typestr": _TYPES[values.typecode],
        "version": 3,
    }
    return json.dumps(description).encode()


class Matrix:
    """Rows of features; what is missing is NaN or absent."""

    def __init__(self, handle: ctypes.c_void_p, *, rows: int, columns: int) -> None:
        """Take over a matrix of the library."""
        self._handle: ctypes.c_void_p | None = handle
        self.rows = rows
        self.columns = columns

    @classmethod
    def dense(cls, values: Floats, *, columns: int) -> Self:
        """Make a matrix of `values`, row after row."""
        rows = len(values) // columns
        handle = ctypes.c_void_p()
        config = json.dumps({"missing": math.nan, "nthread": 0, "data_split_mode": 0}).encode()
        _call("XGDMatrixCreateFromDense", _interface(values, rows, columns), config, ctypes.byref(handle))
        return cls(handle, rows=rows, columns=columns)

    @classmethod
    def sparse(cls, starts: Integers, indices: Integers, values: Floats, *, columns: int) -> Self:
        """Make a matrix of compressed rows: row i holds the entries from `starts[i]` up to `starts[i + 1]`."""
        handle = ctypes.c_void_p()
        config = json.dumps({"missing": math.nan, "nthread": 0, "data_split_mode": 0}).encode()
        _call(
            "XGDMatrixCreateFromCSR",
            _interface(starts),
            _interface(indices),
            _interface(values),
            ctypes.c_uint64(columns),
            config,
            ctypes.byref(handle),
        )
        return cls(handle, rows=len(starts) - 1, columns=columns)

    @property
    def handle(self) -> ctypes.c_void_p:
        """The library's own reference."""
        if self._handle is None:
            msg = "the matrix has been freed"
            raise XGBoostError(msg)
        return self._handle

    def describe(self, field: str, values: Floats) -> None:
        """Set the `label` or the `weight` of every row."""
        _call("XGDMatrixSetInfoFromInterface", self.handle, field.encode(), _interface(values))

    def __enter__(self) -> Self:
        """Lend the matrix to a block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Free its memory."""
        if self._handle is not None:
            _call("XGDMatrixFree", self._handle)
            self._handle = None


class Booster:
    """A model in training or in service."""

    def __init__(self, matrices: Sequence[Matrix] = ()) -> None:
        """Make an empty model; on `matrices` it keeps its predictions between rounds."""
        self._handle = ctypes.c_void_p()
        cache = (ctypes.c_void_p * len(matrices))(*(matrix.handle for matrix in matrices))
        _call("XGBoosterCreate", cache, ctypes.c_uint64(len(matrices)), ctypes.byref(self._handle))

    def load(self, model: bytes) -> None:
        """Take over a saved model."""
        _call("XGBoosterLoadModelFromBuffer", self._handle, model, ctypes.c_uint64(len(model)))

    def save(self) -> bytes:
        """Write the model in XGBoost's own binary format."""
        length, content = ctypes.c_uint64(), ctypes.POINTER(ctypes.c_char)()
        config = json.dumps({"format": "ubj"}).encode()
        _call("XGBoosterSaveModelToBuffer", self._handle, config, ctypes.byref(length), ctypes.byref(content))
        return ctypes.string_at(content, length.value)

    def configure(self, name: str, value: str) -> None:
        """Set a parameter; `eval_metric` may be set several times."""
        _call("XGBoosterSetParam", self._handle, name.encode(), value.encode())

    def annotate(self, name: str, value: str) -> None:
        """Set an attribute that is saved with the model."""
        _call("XGBoosterSetAttr", self._handle, name.encode(), value.encode())

    def update(self, iteration: int, matrix: Matrix) -> None:
        """Boost one round."""
        _call("XGBoosterUpdateOneIter", self._handle, ctypes.c_int(iteration), matrix.handle)

    def evaluate(self, iteration: int, matrices: Mapping[str, Matrix]) -> Scores:
        """Measure every configured metric on every matrix."""
        handles = (ctypes.c_void_p * len(matrices))(*(matrix.handle for matrix in matrices.values()))
        names = (ctypes.c_char_p * len(matrices))(*(name.encode() for name in matrices))
        text = ctypes.c_char_p()
        count = ctypes.c_uint64(len(matrices))
        _call("XGBoosterEvalOneIter", self._handle, ctypes.c_int(iteration), handles, names, count, ctypes.byref(text))
        scores: Scores = {name: {} for name in matrices}
        for part in (text.value or b"").decode().split("\t")[1:]:
            key, _, value = part.rpartition(":")
            name, _, metric = key.partition("-")
            scores[name][metric] = float(value)
        return scores

    def predict(self, matrix: Matrix, *, margin: bool = False) -> list[float]:
        """Predict every row: one value each, or one for each class; `margin` is before the link function."""
        config = {
            "type": int(margin),
            "training": False,
            "iteration_begin": 0,
            "iteration_end": 0,
            "strict_shape": False,
        }
        shape, dimensions = ctypes.POINTER(ctypes.c_uint64)(), ctypes.c_uint64()
        values = ctypes.POINTER(ctypes.c_float)()
        _call(
            "XGBoosterPredictFromDMatrix",
            self._handle,
            matrix.handle,
            json.dumps(config).encode(),
            ctypes.byref(shape),
            ctypes.byref(dimensions),
            ctypes.byref(values),
        )
        return values[: math.prod(shape[: dimensions.value])]

    def first_rounds(self, count: int) -> Booster:
        """Copy the model as it was after `count` rounds."""
        sliced = Booster()
        _call("XGBoosterFree", sliced._handle)
        sliced._handle = ctypes.c_void_p()
        begin, end, step = ctypes.c_int(0), ctypes.c_int(count), ctypes.c_int(1)
        _call("XGBoosterSlice", self._handle, begin, end, step, ctypes.byref(sliced._handle))
        return sliced

    @property
    def rounds(self) -> int:
        """How many rounds the model has been boosted."""
        number = ctypes.c_int()
        _call("XGBoosterBoostedRounds", self._handle, ctypes.byref(number))
        return number.value

    @property
    def features(self) -> int:
        """How many features the model takes."""
        number = ctypes.c_uint64()
        _call("XGBoosterGetNumFeature", self._handle, ctypes.byref(number))
        return number.value
