"""Which program on this machine stands for a container image.

Only images that are represented faithfully are listed; every other one is refused, never replaced by something similar.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

NOT_REHEARSED: tuple[tuple[str, str], ...] = (
    (
        "container images",
        "each is represented by a program of this machine; operating system and libraries are its own",
    ),
    ("pulling from Amazon ECR", "no registry is asked, so a wrong account in an image URI is not noticed"),
)


class ImageNotRepresentedError(LookupError):
    """There is no program for an image."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric that SageMaker finds in a training log: the first group of the regular expression is its value."""

    name: str
    regex: str

    def definition(self) -> dict[str, str]:
        """Return it as the API writes it."""
        return {"Name": self.name, "Regex": self.regex}


@dataclass(frozen=True, slots=True)
class Image:
    """The programs that stand for one image. A program finds its /opt/ml in the variable SAGEMAKER_BASE_DIR."""

    name: str
    train: tuple[str, ...] = ()
    serve: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[Metric, ...] = ()
    built_in: bool = False
    """Whether it is an algorithm of SageMaker: its metrics cannot be overridden."""


_registered: list[tuple[re.Pattern[str], Image]] = []


def register(pattern: str, image: Image) -> None:
    """Let `image` stand for every URI that `pattern` matches as a whole; later registrations win."""
    _registered.insert(0, (re.compile(pattern), image))


def unregister(image: Image) -> None:
    """Take an image away again."""
    _registered[:] = [(pattern, known) for pattern, known in _registered if known is not image]


def find(uri: str) -> Image:
    """Return the programs that stand for the image `uri`.

    Raises:
        ImageNotRepresentedError: none do.

    """
    for pattern, image in _registered:
        if pattern.fullmatch(uri):
            return image
    known = ", ".join(image.name for _, image in _registered) or "none"
    msg = f"the rehearsal has no program that represents the image {uri} faithfully; represented: {known}"
    raise ImageNotRepresentedError(msg)


_XGBOOST_METRICS = (
    "accuracy", "auc", "aucpr", "balanced_accuracy", "cox-nloglik", "error", "f1", "f1_binary", "f1_macro",
    "gamma-deviance", "gamma-nloglik", "logloss", "mae", "map", "mape", "merror", "mlogloss", "mphe", "mse", "ndcg",
    "poisson-nloglik", "precision", "precision_macro", "precision_micro", "r2", "recall", "recall_macro",
    "recall_micro", "rmse", "rmsle", "tweedie-nloglik",
)  # fmt: skip


def xgboost_metrics() -> tuple[Metric, ...]:
    """Return the metrics of SageMaker's XGBoost image; #011 is how a tab appears in CloudWatch Logs."""
    number = r"([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)"
    return tuple(
        Metric(f"{data}:{name}", rf".*\[[0-9]+\].*#011{data}-{name}:{number}.*")
        for data in ("train", "validation")
        for name in _XGBOOST_METRICS
    )


def _register_xgboost() -> None:
    package = "mlops.rehearsal.xgboost_algorithm"
    image = Image(
        name="sagemaker-xgboost:3.0-5",
        train=(sys.executable, "-m", f"{package}.train"),
        serve=(sys.executable, "-m", f"{package}.serve"),
        environment={"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        metrics=xgboost_metrics(),
        built_in=True,
    )
    register(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/sagemaker-xgboost:3\.0-5(-cpu-py3)?", image)


_register_xgboost()
