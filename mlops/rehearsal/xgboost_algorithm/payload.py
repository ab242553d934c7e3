"""The body of an invocation: rows in, probabilities out, with the container's status codes for what it cannot read."""

from __future__ import annotations

import json
from array import array
from http import HTTPStatus
from typing import TYPE_CHECKING

from mlops.rehearsal.xgboost_algorithm import content
from mlops.rehearsal.xgboost_algorithm.content import Content, content_of
from mlops.rehearsal.xgboost_algorithm.errors import UserError
from mlops.rehearsal.xgboost_algorithm.native import Matrix, XGBoostError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops.rehearsal.xgboost_algorithm.native import Booster

CSV, JSON = "text/csv", "application/json"
ACCEPTS = (JSON, "application/jsonlines", "application/x-recordio-protobuf", CSV)
"""What the container can answer in; the two in the middle only with selectable inference output."""


class RefusedError(Exception):
    """The request is answered with an error status."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        """Keep the status beside the text."""
        super().__init__(message)
        self.status = status


def predict(booster: Booster, features: int, body: bytes, content_type: str | None) -> list[list[float]]:
    """Predict every row of `body`.

    Raises:
        RefusedError: 415 where the body cannot be read, 400 where its rows do not fit the model.

    """
    try:
        kind = content_of(content_type)
    except UserError as error:
        raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, str(error.args[0])) from error
    if kind not in (Content.CSV, Content.LIBSVM):
        message = f"Content-type {content_type} is not represented by this runner, only text/csv and text/libsvm."
        raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message)
    try:
        matrix = _read(kind, body, features)
    except (UserError, ValueError, XGBoostError) as error:
        text = error.args[0] if isinstance(error, UserError) else error
        message = (
            f"Loading {kind.value} data failed with Exception, please ensure data is in {kind.value} format:\n"
            f" {type(error)}\n {text}"
        )
        raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message) from error
    with matrix:
        values = booster.predict(matrix)
        groups = len(values) // matrix.rows
        return [values[start : start + groups] for start in range(0, len(values), groups)]


def _read(kind: Content, body: bytes, features: int) -> Matrix:
    lines = body.strip().decode("utf-8").split("\n")
    return _read_csv(lines, features) if kind is Content.CSV else _read_libsvm(lines, features)


def _read_csv(lines: Sequence[str], features: int) -> Matrix:
    sniffed = content.sniff(lines[0][: content.SNIFFED_CHARACTERS])
    delimiter = "," if sniffed.isalnum() else sniffed
    rows = [content.numbers(line.split(delimiter)) for line in lines]
    size = len(rows[0])
    if any(len(row) != size for row in rows):
        msg = "rows have different numbers of columns"
        raise ValueError(msg)
    if size != features:
        difference = f"Feature size of csv inference data {size} is not consistent with"
        raise _misfit(difference, features)
    return Matrix.dense(array("f", (value for row in rows for value in row)), columns=features)


def _read_libsvm(lines: Sequence[str], features: int) -> Matrix:
    starts, indices, values = array("Q", [0]), array("I"), array("f")
    for line in lines:
        # Like the container: whatever has no colon, a label for instance, is passed over.
        row = content.entries([cell for cell in line.split() if ":" in cell])
        widest = max((index + 1 for index, _ in row), default=0)
        if widest > features:
            difference = f"Feature size of libsvm inference data {widest} is larger than"
            raise _misfit(difference, features)
        indices.extend(index for index, _ in row)
        values.extend(value for _, value in row)
        starts.append(len(values))
    if not values:
        msg = "no line has a feature"
        raise ValueError(msg)
    return Matrix.sparse(starts, indices, values, columns=features)


def _misfit(difference: str, features: int) -> RefusedError:
    message = f"Unable to evaluate payload provided: {difference} feature size of trained model {features}."
    return RefusedError(HTTPStatus.BAD_REQUEST, message)


def answer_type(accept: str | None, *, default: str) -> str:
    """Choose what to answer in.

    Raises:
        RefusedError: 406 where the caller accepts nothing that there is.

    """
    wanted = (accept or "").partition(";")[0].strip().lower()
    if wanted in ("", "*/*"):
        wanted = default
    if wanted not in ACCEPTS:
        message = f"Accept type {wanted} is not supported. Please use supported accept types: {list(ACCEPTS)}."
        raise RefusedError(HTTPStatus.NOT_ACCEPTABLE, message)
    if wanted not in (CSV, JSON):
        message = f"Accept type {wanted} is not represented by this runner, only {CSV} and {JSON}."
        raise RefusedError(HTTPStatus.NOT_ACCEPTABLE, message)
    return wanted


def encode(predictions: Sequence[Sequence[float]], kind: str, *, batch: bool = False) -> bytes:
    """Write predictions: a line each, or JSON; in a transform job always a line each, as the container does."""
    if kind == JSON and not batch:
        scores = [row[0] if len(row) == 1 else list(row) for row in predictions]
        return json.dumps({"predictions": [{"score": score} for score in scores]}).encode()
    return "".join(",".join(map(str, row)) + "\n" for row in predictions).encode()
