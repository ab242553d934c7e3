"""What the section `algorithm` must satisfy, and the data that the algorithm learns from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlops_constructs.settings import xgboost_hyperparameters, xgboost_images
from mlops_constructs.settings.data import Task, task_of
from mlops_constructs.settings.instances import has_gpu
from mlops_constructs.settings.problems import Finding
from mlops_constructs.settings.section import UnknownSettingError
from mlops_constructs.settings.xgboost_hyperparameters import HYPERPARAMETERS, Interval, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mlops_constructs.settings.model import Algorithm, ModelSettings

OBJECTIVES: Final[Mapping[Task, tuple[str, ...]]] = {
    Task.BINARY: ("binary:logistic",),
    Task.REGRESSION: (
        *("reg:squarederror", "reg:pseudohubererror", "reg:squaredlogerror"),
        *("reg:gamma", "reg:tweedie", "count:poisson"),
    ),
}
"""The objectives whose answers the gates can measure: the probability of the positive class, or the number itself."""

_AVAILABLE: Final = tuple(objective for objectives in OBJECTIVES.values() for objective in objectives)
_LABELS: Final[Mapping[str, Interval]] = {
    "reg:squaredlogerror": Interval(minimum=-1, above=True),
    "reg:gamma": Interval(minimum=0, above=True),
    "reg:tweedie": Interval(minimum=0),
    "count:poisson": Interval(minimum=0),
}
"""The labels that an objective can learn, where these are not all numbers."""


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
    if _has_foreign_objective(model):  # which check_objective reports; what goes with it does not count
        hyperparameters = {**hyperparameters, "objective": _AVAILABLE[0]}
    for problem in xgboost_hyperparameters.problems(hyperparameters):
        yield Finding(
            path=("algorithm", "hyperparameters", problem.name),
            message=problem.message,
            allowed=problem.allowed,
            remedy=problem.remedy,
        )


def check_objective(model: ModelSettings) -> Iterator[Finding]:
    """Require an objective whose answers the gates can measure."""
    hyperparameters = _algorithm(model).hyperparameters
    objective = hyperparameters.get("objective")
    misspelt = any(nearest(name, HYPERPARAMETERS) == "objective" for name in hyperparameters.keys() - HYPERPARAMETERS)
    if _has_foreign_objective(model) and (objective is not None or not misspelt):
        fitting = _objectives(model)
        message, remedy = "is required", f"write 'objective: {fitting[0]}'"
        if objective in _AVAILABLE:
            kind = "a number" if task_of(model.data) is Task.REGRESSION else "one of two categories"
            message = f"does not fit the label: {model.data.label} is {kind}"
            remedy += f", or change the type of {model.data.label}"
        elif objective is not None:
            message = "is not available: the gates measure probabilities, and answers that are the number itself"
        path = ("algorithm", "hyperparameters", "objective")
        yield Finding(path=path, message=message, allowed=f"one of {', '.join(fitting)}", remedy=remedy)
    for name, reason in (("num_class", "there are no classes to count"), ("csv_weights", "the data has no weights")):
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
    """Require a label with two classes or with numbers, which is what the built-in algorithm is set up for."""
    if model.algorithm is None or model.container is not None:  # having both is reported by another rule
        return
    if task_of(model.data) is Task.MULTICLASS:
        yield Finding(
            path=("data", "columns", model.data.label, "categories"),
            message=f"has {len(model.data.columns[model.data.label].categories)} categories, and is the label",
            allowed="two categories, the negative word first",
            remedy="list two words, such as categories: [no, yes], or bring a container of your own instead of the "
            "algorithm",
        )


def check_label_range(model: ModelSettings) -> Iterator[Finding]:
    """Require a smallest label that the objective can learn: with any other, the paid training job fails."""
    objective = str(_algorithm(model).hyperparameters.get("objective"))
    learnable, label = _LABELS.get(objective), model.data.label
    if learnable is None or task_of(model.data) is not Task.REGRESSION:
        return
    minimum = model.data.columns[label].minimum
    if minimum is None or minimum not in learnable:
        message = f"{'is not set' if minimum is None else 'is too small'}, and {objective} fails with labels below it"
        example = 1 if learnable.above and learnable.minimum == 0 else 0
        yield Finding(
            path=("data", "columns", label, "minimum"),
            message=message,
            allowed=f"{learnable}",
            remedy=f"write such as 'minimum: {example}' where the data keeps to it, or 'objective: reg:squarederror'",
        )


def _objectives(model: ModelSettings) -> tuple[str, ...]:
    """List the objectives that fit the label; all of them where the label, or the algorithm, is in question itself."""
    try:
        return OBJECTIVES.get(task_of(model.data), _AVAILABLE) if model.container is None else _AVAILABLE
    except UnknownSettingError:
        return _AVAILABLE


def _has_foreign_objective(model: ModelSettings) -> bool:
    """Tell whether the objective is missing, or one that this label, or this application, cannot have."""
    objective = _algorithm(model).hyperparameters.get("objective")
    known = objective is None or objective in xgboost_hyperparameters.OBJECTIVES  # no other: a mistake of its own
    return known and objective not in _objectives(model)


ALGORITHM_RULES: Final[tuple[Callable[[ModelSettings], Iterator[Finding]], ...]] = (
    check_version,
    check_hyperparameters,
    check_objective,
    check_gpu,
    check_classes,
    check_label_range,
)
