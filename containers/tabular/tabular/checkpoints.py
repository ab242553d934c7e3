"""What a training has done so far, kept where SageMaker carries it to S3 and back."""

from __future__ import annotations

import hashlib
import pickle
import time
from pathlib import Path
from typing import Any

import sklearn

from tabular.channels import Channel
from tabular.hyperparameters import Hyperparameters

_NAME = "tabular.checkpoint"
_SECONDS = 20.0
"""A checkpoint is written at most so often, and when the training is told to end."""


class Checkpoints:
    """The checkpoint of one training; does nothing where SageMaker made no folder for it."""

    def __init__(self, folder: Path, parameters: Hyperparameters, train: Channel) -> None:
        """Know for which hyperparameters, rows and version of scikit-learn a checkpoint is good."""
        self._path = folder / _NAME if folder.is_dir() else None
        what = f"{parameters!r} {train.digest} {sklearn.__version__}"
        self._fingerprint = hashlib.sha256(what.encode()).digest()
        self._written = time.monotonic()

    @property
    def wanted(self) -> bool:
        """Whether SageMaker keeps checkpoints of this job."""
        return self._path is not None

    def resume(self) -> tuple[Any, int] | None:
        """Return the estimator and its number of trees; None when there is nothing to go on from."""
        if self._path is None or not self._path.exists():
            return None
        content = self._path.read_bytes()
        head = len(self._fingerprint) + hashlib.sha256().digest_size
        fingerprint, digest, state = content[:32], content[32:head], content[head:]
        if hashlib.sha256(state).digest() != digest:
            print(f"{self._path} is damaged: the training starts anew")  # noqa: T201 - the job's log
            return None
        if fingerprint != self._fingerprint:
            print(f"{self._path} is of other hyperparameters, rows or versions: the training starts anew")  # noqa: T201
            return None
        # The folder is the job's own, and the fingerprint was checked.
        estimator, fitted = pickle.loads(state)  # noqa: S301
        print(f"goes on from {self._path}: {fitted} trees are there")  # noqa: T201
        return estimator, fitted

    def keep(self, estimator: Any, fitted: int, *, now: bool = False) -> None:
        """Write the checkpoint, when it is time or `now`: wholly or not at all."""
        if self._path is None or (not now and time.monotonic() - self._written < _SECONDS):
            return
        state = pickle.dumps((estimator, fitted))
        partial = self._path.with_suffix(".partial")
        partial.write_bytes(self._fingerprint + hashlib.sha256(state).digest() + state)
        partial.replace(self._path)
        self._written = time.monotonic()
