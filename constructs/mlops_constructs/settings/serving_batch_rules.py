"""What a model that answers files must satisfy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlops_constructs.settings.model import Stage
from mlops_constructs.settings.problems import Finding
from mlops_constructs.settings.schedule import misfit
from mlops_constructs.settings.serving_batch import Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlops_constructs.settings.environments import Environments
    from mlops_constructs.settings.model import ModelSettings

_LARGEST_XGBOOST_PAYLOAD: Final = 20
"""The XGBoost image takes no larger body, whatever it is told (`MAX_CONTENT_LENGTH`)."""


def check_batch_schedule(model: ModelSettings) -> Iterator[Finding]:
    """Require a schedule that EventBridge knows."""
    wrong = misfit(model.serving.schedule) if isinstance(model.serving, Batch) else None
    if wrong is not None:
        path = ("serving", "schedule")
        yield Finding(path=path, message=wrong.message, allowed=wrong.allowed, remedy=wrong.remedy)


def check_batch_folders(model: ModelSettings) -> Iterator[Finding]:
    """Keep answers from being asked as questions, and questions from starting the pipeline."""
    serving = model.serving
    if not isinstance(serving, Batch):
        return
    given, answered = f"{serving.input}/", f"{serving.output}/"
    if given.startswith(answered) or answered.startswith(given):
        yield Finding(
            path=("serving", "output"),
            message="lies in the folder of the input, or the other way round",
            allowed="two folders of which none contains the other",
            remedy=f"write 'output: {model.name}/answers'",
        )
    if model.data.key.startswith(given):
        yield Finding(
            path=("serving", "input"),
            message=f"contains {model.data.key}, what the model learns from",
            allowed="a folder without the training data",
            remedy=f"write 'input: {model.name}/questions'",
        )


def check_batch_payload(model: ModelSettings) -> Iterator[Finding]:
    """Refuse requests that the XGBoost image would refuse."""
    serving = model.serving
    if isinstance(serving, Batch) and model.container is None and serving.max_payload_mb > _LARGEST_XGBOOST_PAYLOAD:
        yield Finding(
            path=("serving", "max_payload_mb"),
            message="is more than the XGBoost image takes",
            allowed=f"1 to {_LARGEST_XGBOOST_PAYLOAD}",
            remedy=f"write {_LARGEST_XGBOOST_PAYLOAD} or less; a file is sent in as many requests as it needs",
        )


def check_batch_stage(model: ModelSettings) -> Iterator[Finding]:
    """Require the pipeline, which deploys and verifies."""
    if isinstance(model.serving, Batch) and model.stage == Stage.REPEATABLE:
        yield Finding(
            path=("serving", "type"),
            message="is batch at stage repeatable",
            allowed="batch at stage reliable",
            remedy="move to stage reliable, or write another type",
        )


def check_batch_place(model: ModelSettings, environments: Environments) -> Iterator[Finding]:
    """Require environments where the tools are: the data bucket with the files is there."""
    if not isinstance(model.serving, Batch):
        return
    for index, target in enumerate(model.deployed_environments):
        if environments.is_remote(target):
            yield Finding(
                path=("deploy", "environments", index),
                message="is in another account or region than the tools, where the files of a batch are",
                allowed="environments in the account and region of the tools with serving type batch",
                remedy="write another serving type, or leave the environment out",
            )


SERVING_BATCH_RULES: Final[tuple[Callable[[ModelSettings], Iterator[Finding]], ...]] = (
    check_batch_schedule,
    check_batch_folders,
    check_batch_payload,
    check_batch_stage,
)
