"""What the section `algorithm` must satisfy, and the data that the algorithm learns from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlops_constructs.settings import xgboost_hyperparameters, xgboost_images
from mlops_constructs.settings.data import Task, task_of
from mlops_constructs.settings.instances import has_gpu
from mlops_constructs.settings.problems import Finding
from mlops_constructs.settings.section import UnknownSettingError
from mlops_constructs.settings.xgboost_hyperparameters import HYPERPARAMETERS, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlops_constructs.settings.model import Algorithm, ModelSettings

OBJECTIVE: Final = "binary:logistic"
_OTHER_OBJECTIVES: Final = tuple(each for each in xgboost_hyperparameters.OBJECTIVES if each != OBJECTIVE)


def _algorithm(model: ModelSettings) -> Algorithm:
    if model.algorithm is None:
        raise UnknownSettingError(model.name)
    return model.algorithm


def check_version(model: ModelSettings) -> Iterator[Finding]:
    """Refuse image versions that are not offered, above all 'latest'."""
    reason = xgboost_images.refusal(_algorithm(model).version)
    if reason is not None:
        reason = reason if reason.startswith("is ") else f"is refused: {reason}"
        versions = xgboost_images.VERSIONS
        allowed = f"one of {', '.join(versions)}"
        yield Finding(path=("algorithm", "version"), message=reason, allowed=allowed, remedy=f"write {versions[-1]}")


def check_hyperparameters(model: ModelSettings) -> Iterator[Finding]:
    """Require what the algorithm itself accepts."""
    hyperparameters = _algorithm(model).hyperparameters
    if hyperparameters.get("objective") in (None, *_OTHER_OBJECTIVES):  # which check_objective reports
        hyperparameters = {**hyperparameters, "objective": OBJECTIVE}
    for problem in xgboost_hyperparameters.problems(hyperparameters):
        yield Finding(
            path=("algorithm", "hyperparameters", problem.name),
            message=problem.message,
            allowed=problem.allowed,
            remedy=problem.remedy,
        )


def check_objective(model: ModelSettings) -> Iterator[Finding]:
    """Require the objective whose answers the gates can measure: a probability of the positive class."""
    hyperparameters = _algorithm(model).hyperparameters
    objective = hyperparameters.get("objective")
    misspelt = any(nearest(name, HYPERPARAMETERS) == "objective" for name in hyperparameters.keys() - HYPERPARAMETERS)
    if (objective is None and not misspelt) or objective in _OTHER_OBJECTIVES:
        message = "is required" if objective is None else "is not available: the gates measure probabilities"
        path = ("algorithm", "hyperparameters", "objective")
        yield Finding(path=path, message=message, allowed=OBJECTIVE, remedy=f"write 'objective: {OBJECTIVE}'")
    for name, reason in (("num_class", "a binary model has no classes"), ("csv_weights", "the data has no weights")):
        if name in hyperparameters and str(hyperparameters[name]) != "0":
            message = f"cannot be used: {reason}"
            path = ("algorithm", "hyperparameters", name)
            yield Finding(path=path, message=message, allowed="no such line", remedy="remove the line")


def check_gpu(model: ModelSettings) -> Iterator[Finding]:
    """Require a GPU where the algorithm is told to use one."""
    if _algorithm(model).hyperparameters.get("tree_method") == "gpu_hist":
        for index, instance_type in enumerate(model.training.instance_types):
            if not has_gpu(instance_type):
                remedy = "choose a type such as ml.g4dn.xlarge, or 'tree_method: hist'"
                yield Finding(
                    path=("training", "instance_types", index),
                    message="has no GPU, which tree_method gpu_hist needs",
                    allowed="a type of the families g and p",
                    remedy=remedy,
                )


def check_classes(model: ModelSettings) -> Iterator[Finding]:
    """Require a label with two classes, which is what the built-in algorithm is set up for."""
    if model.algorithm is None or model.container is not None:  # having both is reported by another rule
        return
    task, path = task_of(model.data), ("data", "columns", model.data.label)
    allowed = "two categories, the negative word first"
    other = "or bring a container of your own instead of the algorithm"
    if task is Task.REGRESSION:
        message = "is the label, which must be a category for the built-in algorithm"
        remedy = f"write 'type: category' and its categories, {other}"
        yield Finding(path=(*path, "type"), message=message, allowed=f"type category with {allowed}", remedy=remedy)
    elif task is Task.MULTICLASS:
        message = f"has {len(model.data.columns[model.data.label].categories)} categories, and is the label"
        remedy = f"list two words, such as categories: [no, yes], {other}"
        yield Finding(path=(*path, "categories"), message=message, allowed=allowed, remedy=remedy)


ALGORITHM_RULES: Final[tuple[Callable[[ModelSettings], Iterator[Finding]], ...]] = (
    check_version,
    check_hyperparameters,
    check_objective,
    check_gpu,
    check_classes,
)
