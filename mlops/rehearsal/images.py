"""Which program on this machine stands for a container image.

Images that are represented faithfully are listed, and images that `mlops build-image` made are run as it stored them;
every other one is refused, never replaced by something similar.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from mlops.container import store
from mlops.container.errors import ContainerError
from mlops.rehearsal.sagemaker_programs import Workspace

Program = Literal["train", "serve"]

NOT_REHEARSED: tuple[tuple[str, str], ...] = (
    (
        "container images of AWS",
        "each is represented by a program of this machine; operating system and libraries are its own",
    ),
    ("pulling from registries of AWS", "only the emulated accounts have one, so none of them is asked"),
)
_STORED = re.compile(
    r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/(?P<repository>[^@:]+)@(?P<digest>sha256:[0-9a-f]{64})"
)
_OF_THE_MACHINE = frozenset(
    {"PATH", "HOME", "TMPDIR", "LANG", "PYTHONDONTWRITEBYTECODE", "JSII_RUNTIME_PACKAGE_CACHE_ROOT"}
)
"""Variables of the rehearsal's own programs: a container has its own."""


class ImageNotRepresentedError(LookupError):
    """There is no program for an image."""


class ImageProgramError(Exception):
    """An image has no such program, or it cannot be started; the text says why."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric that SageMaker finds in a training log: the first group of the regular expression is its value."""

    name: str
    regex: str

    def definition(self) -> dict[str, str]:
        """Return it as the API writes it."""
        return {"Name": self.name, "Regex": self.regex}


class StoredImage(Protocol):
    """An image that the project built, as mlops.container keeps it."""

    def command(
        self, program: Program, *, workspace: Path, environment: Mapping[str, str], network: bool
    ) -> tuple[list[str], dict[str, str]]:
        """Return how a program of the image is run with `workspace`/opt/ml at /opt/ml."""

    def socket(self, workspace: Path) -> Path | None:
        """Return the socket that leads to port 8080 of the container; None if it listens on the port it was given."""


@dataclass(frozen=True, slots=True)
class Image:
    """The programs that stand for one image.

    A program of this machine finds its /opt/ml in the variable SAGEMAKER_BASE_DIR, one of a stored image finds it where
    SageMaker has it.
    """

    name: str
    train: tuple[str, ...] = ()
    serve: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[Metric, ...] = ()
    built_in: bool = False
    """Whether it is an algorithm of SageMaker: its metrics cannot be overridden."""
    stored: StoredImage | None = None
    """The image that runs as the project built it."""

    def represents(self, program: Program) -> bool:
        """Whether it has the program."""
        return self.stored is not None or bool(self.train if program == "train" else self.serve)

    def command(
        self,
        program: Program,
        *,
        workspace: Workspace,
        platform: Mapping[str, str],
        requested: Mapping[str, str],
        network: bool,
    ) -> tuple[list[str], dict[str, str]]:
        """Return how its program is run in a workspace, with the variables of SageMaker and those of the request.

        Raises:
            ImageProgramError: it has no such program.

        """
        if self.stored is not None:
            inside = {name: value for name, value in platform.items() if name not in _OF_THE_MACHINE}
            try:
                return self.stored.command(
                    program, workspace=workspace.root, environment={**inside, **requested}, network=network
                )
            except ContainerError as error:
                raise ImageProgramError(str(error)) from error
        words = self.train if program == "train" else self.serve
        return list(words), {**platform, **workspace.environment(), **self.environment, **requested}

    def socket(self, workspace: Workspace) -> Path | None:
        """Return the socket by which a serving program is reached; None if it listens on the port it was given."""
        return self.stored.socket(workspace.root) if self.stored is not None else None


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
    stored = _stored(uri)
    if stored is not None:
        return Image(name=uri.partition("/")[2], stored=stored)
    known = ", ".join(image.name for _, image in _registered) or "none"
    msg = f"the rehearsal has no program that represents the image {uri} faithfully; represented: {known}"
    raise ImageNotRepresentedError(msg)


def _stored(uri: str) -> StoredImage | None:
    own = _STORED.fullmatch(uri)
    if own is None:
        return None
    return store.find(own["repository"], own["digest"])


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
