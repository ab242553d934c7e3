"""What SageMaker fixes: the folders below /opt/ml, and how a program tells that it failed."""

from __future__ import annotations

import os
from pathlib import Path

FAILURE_LIMIT = 1024
"""SageMaker shows so many bytes of the failure file."""


class TrainingError(Exception):
    """What is wrong with the hyperparameters, the settings of the job or the data; the message says what to do."""


class Stopped(Exception):  # noqa: N818 - it is no error
    """SageMaker told the job to end; the message says what was kept."""


def base() -> Path:
    """Return the folder that SageMaker fills; SAGEMAKER_BASE_DIR moves it, as in SageMaker's own toolkits."""
    return Path(os.environ.get("SAGEMAKER_BASE_DIR") or "/opt/ml")


def write_failure(reason: str) -> None:
    """Leave the reason where SageMaker reads it, cut at a whole character."""
    path = base() / "output" / "failure"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(reason.encode()[:FAILURE_LIMIT].decode(errors="ignore").encode())
