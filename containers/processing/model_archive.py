"""Loading of a trained model from the archive that the training job leaves."""

from __future__ import annotations

import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from job import JobError

if TYPE_CHECKING:
    import numpy.typing as npt
    import xgboost

MODEL_FILE = "xgboost-model"
"""The name that the built-in algorithm gives its model."""


def load_model(archive: Path, *, role: str) -> xgboost.Booster:
    """Load the booster in `archive`; `role` names the model in messages."""
    if not archive.is_file():
        msg = f"the {role} has no model archive: {archive} does not exist"
        raise JobError(msg)
    with tempfile.TemporaryDirectory() as folder:
        return _load(_extract(archive, Path(folder), role), role)


def _extract(archive: Path, folder: Path, role: str) -> Path:
    try:
        with tarfile.open(archive) as tar:
            members = [each for each in tar if each.isreg() and Path(each.name) == Path(MODEL_FILE)]
            if not members:
                msg = f"the archive of the {role} holds no file '{MODEL_FILE}'"
                raise JobError(msg)
            tar.extract(members[-1], folder, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        msg = f"the archive of the {role} cannot be unpacked: {error}"
        raise JobError(msg) from error
    return folder / MODEL_FILE


def _load(path: Path, role: str) -> xgboost.Booster:
    import xgboost  # noqa: PLC0415 - more than a second, and needed only for a file that is there

    booster = xgboost.Booster()
    try:
        booster.load_model(path)
    except xgboost.core.XGBoostError as error:
        msg = f"the model of the {role} is not one that XGBoost {xgboost.__version__} can read: {_first_line(error)}"
        raise JobError(msg) from error
    return booster


def predict(booster: xgboost.Booster, features: npt.NDArray[np.float32], *, role: str) -> npt.NDArray[np.float64]:
    """Return the probability of the positive class for each row, as the endpoint would answer it.

    Only the rounds up to the best one are used, as the built-in algorithm does after early stopping.
    """
    import xgboost  # noqa: PLC0415 - imported already by whoever loaded the model

    expected, offered = booster.num_features(), features.shape[1]
    if expected != offered:
        raise JobError(_mismatch(role, expected, offered))
    rounds = booster.num_boosted_rounds()
    if best := booster.attr("best_iteration"):
        rounds = min(rounds, int(best) + 1)
    probabilities = np.asarray(booster.predict(xgboost.DMatrix(features), iteration_range=(0, rounds)), np.float64)
    if probabilities.shape != (len(features),) or not np.all((probabilities >= 0) & (probabilities <= 1)):
        msg = f"the {role} does not answer one probability a row: was it trained with objective binary:logistic?"
        raise JobError(msg)
    return probabilities


def _mismatch(role: str, expected: int, offered: int) -> str:
    return f"the {role} was trained on {expected} features, but the test rows have {offered}"


def _first_line(error: Exception) -> str:
    # XGBoost's messages begin with time and source line, and end with a native stack trace.
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
