"""The built-in XGBoost algorithm of SageMaker, kept to its contract, on the xgboost of the package index.

`python -m mlops.rehearsal.xgboost_algorithm.train` and `... .serve` stand in for the container's `train` and `serve`.
Both reach the real library through its C interface (`native`): importing the Python package takes seconds on a small
machine, which every job and every endpoint of a rehearsal would pay.

Where the container would go on with damaged data, this runner stops and names the place; see `NOT_REHEARSED`.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

REPRESENTS: Mapping[str, str] = {"3.0-5": "3.0.5"}
"""The versions of the image that this runner represents, and the version of xgboost inside each."""

NOT_REHEARSED: tuple[tuple[str, str], ...] = (
    ("XGBoost training on several hosts or on a GPU", "one process stands in for the training cluster"),
    ("XGBoost channels in Parquet or RecordIO, and Pipe mode", "the runner reads CSV and LibSVM files"),
    ("XGBoost with k-fold models or selectable inference output", "one model is trained, and its scores are answered"),
    (
        "XGBoost in script mode with scripts in S3 or further requirements",
        "the rehearsal imports the script from the model's own archive, and installs nothing",
    ),
    (
        "XGBoost with blank labels, words or rows of uneven length in its CSV",
        "the container trains on zeros and gaps without a word; the runner stops and names the row",
    ),
    (
        "XGBoost answers to rows with too few features",
        "the container takes the absent ones for missing; the runner answers 400, as for too many",
    ),
)
"""What of the algorithm a rehearsal cannot show, and why."""


def package_folder() -> Path | None:
    """Find the folder of the installed xgboost package without importing it."""
    spec = importlib.util.find_spec("xgboost")
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


def installed_version() -> str | None:
    """Read the version of the installed xgboost; None where there is none."""
    folder = package_folder()
    return (folder / "VERSION").read_text(encoding="ascii").strip() if folder is not None else None


def refusal(image_version: str) -> str | None:
    """Say why this runner cannot stand in for `image_version` of the image; None means that it can."""
    needed = REPRESENTS.get(image_version)
    if needed is None:
        return f"XGBoost image version {image_version!r} is not represented here, only {', '.join(REPRESENTS)}"
    installed = installed_version()
    if installed != needed:
        return (
            f"XGBoost image version {image_version} holds xgboost {needed}, but {installed or 'none'} is installed; "
            f"install xgboost-cpu=={needed}"
        )
    return None
