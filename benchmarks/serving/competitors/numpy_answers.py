"""What a careful author writes without pandas: numpy reads the rows, and the tree is asked below scikit-learn's checks.

The answer is that of containers/tabular: one probability a class.
"""

from __future__ import annotations

from typing import Any

import joblib
import numpy as np
import orjson

from benchmarks.serving.competitors.prepare import FEATURES, MODEL

TREE = joblib.load(MODEL).tree_


def answer(body: bytes, media_type: str) -> bytes:
    """Return the answer to a request, in the format of the request."""
    text: bytes = orjson.dumps(predict(rows_of(body, media_type)), option=orjson.OPT_SERIALIZE_NUMPY)
    if media_type == "application/json":
        return b'{"predictions":' + text + b"}"
    return text[2:-2].replace(b"],[", b"\n") + b"\n"


def rows_of(body: bytes, media_type: str) -> Any:
    """Return the rows of a request as the tree wants them."""
    if media_type == "application/json":
        return np.asarray(orjson.loads(body)["instances"], dtype=np.float32)
    return np.fromstring(body.rstrip().replace(b"\n", b","), dtype=np.float32, sep=",").reshape(-1, FEATURES)


def predict(rows: Any) -> Any:
    """Return one row of probabilities for each row."""
    return np.ascontiguousarray(TREE.predict(rows).reshape(len(rows), -1))
