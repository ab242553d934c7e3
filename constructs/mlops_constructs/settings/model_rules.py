"""What the settings of one model must satisfy beyond the type of each value.

Every rule is small and stands alone: it sees settings of which parts may be unknown, because they are missing or wrong,
and ends when it needs such a part. All other rules still speak.
"""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Final

from mlops_constructs.settings import xgboost_hyperparameters, xgboost_images
from mlops_constructs.settings.data import ColumnType
from mlops_constructs.settings.environments import EnvironmentName
from mlops_constructs.settings.gates import Metric
from mlops_constructs.settings.instances import has_gpu
from mlops_constructs.settings.model import AVAILABLE_STAGES, STAGES
from mlops_constructs.settings.problems import Finding, Path, listed
from mlops_constructs.settings.section import UnknownSettingError
from mlops_constructs.settings.xgboost_hyperparameters import HYPERPARAMETERS, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Set as AbstractSet

    from mlops_constructs.settings.data import Column
    from mlops_constructs.settings.gates import MetricGate
    from mlops_constructs.settings.model import ModelSettings

OBJECTIVE: Final = "binary:logistic"
_OTHER_OBJECTIVES: Final = tuple(each for each in xgboost_hyperparameters.OBJECTIVES if each != OBJECTIVE)
_CLASSES: Final = 2
_GUESSING: Final = {Metric.AUC: 0.5, Metric.LOG_LOSS: round(math.log(2), 4)}
_RESERVED: Final = ("foundation",)
_ENDINGS: Final = tuple(f"-{name}" for name in EnvironmentName)
_ARTIFACT_FOLDER: Final = 20
"""CodePipeline cuts the name of a pipeline to this length for the folder of its artifacts."""
_DIFFERENT: Final = "each value once"


def check_name(model: ModelSettings) -> Iterator[Finding]:
    """Keep the names of stacks apart: the stack of model churn in dev is mlops-churn-dev."""
    if model.name in _RESERVED or model.name.endswith(_ENDINGS):
        allowed = f"a name other than {', '.join(_RESERVED)} that does not end with {', '.join(_ENDINGS)}"
        remedy = "rename the model and its file: another stack has this name"
        yield Finding(path=("name",), message="is reserved", allowed=allowed, remedy=remedy)


def check_neighbours(name: str, *, project: str, others: AbstractSet[str]) -> Iterator[Finding]:
    """Keep the resources of two models apart where AWS, or a policy, sees only the beginning of a name."""
    allowed, remedy = "a name that no other model begins with", "rename one of the two models and its file"
    for other in sorted(others):
        shortened = [f"{project}-{each}"[:_ARTIFACT_FOLDER] for each in (name, other)]
        if shortened[0] == shortened[1]:
            message = f"shares the folder {shortened[0]} of the pipelines' artifacts with the model {other}"
            allowed = (
                f"a name that differs from the others in the first {_ARTIFACT_FOLDER} characters of {project}-NAME"
            )
            yield Finding(path=("name",), message=message, allowed=allowed, remedy=remedy)
        elif name.startswith(tuple(f"{other}{ending}-" for ending in _ENDINGS)):
            message = f"has resources whose names begin like those of the endpoints of the model {other}"
            yield Finding(path=("name",), message=message, allowed=allowed, remedy=remedy)


def check_stage(model: ModelSettings) -> Iterator[Finding]:
    """Refuse stages that do not exist, and those that are not built yet."""
    if model.stage not in AVAILABLE_STAGES:
        message = "is not available yet" if model.stage in STAGES else "is not an adoption stage"
        allowed = f"one of {', '.join(AVAILABLE_STAGES)}"
        yield Finding(path=("stage",), message=message, allowed=allowed, remedy=f"write {AVAILABLE_STAGES[0]}")


def check_branch(model: ModelSettings) -> Iterator[Finding]:
    """Refuse what git refuses as the name of a branch."""
    branch = getattr(model.source, "branch", "main")
    if ".." in branch or branch.endswith((".", "/", ".lock")):
        allowed = "a name without '..' that does not end with '.', '/' or '.lock'"
        remedy = "write the name that 'git branch' shows"
        yield Finding(path=("source", "branch"), message="is not a branch name", allowed=allowed, remedy=remedy)


def check_label(model: ModelSettings) -> Iterator[Finding]:
    """Require a label among the columns that is never blank and has two classes."""
    label, columns = model.data.label, model.data.columns
    if label not in columns:
        near = nearest(label, columns)
        remedy = f"did you mean {near}?" if near else "name one of the columns, or add this one"
        allowed = f"one of {listed(list(columns))}"
        yield Finding(path=("data", "label"), message="is not a column", allowed=allowed, remedy=remedy)
        return
    path: Path = ("data", "columns", label)
    if columns[label].type != ColumnType.CATEGORY:
        message = "is the label, which must be a category"
        allowed = "type category with two categories, the negative word first"
        yield Finding(path=(*path, "type"), message=message, allowed=allowed, remedy="write 'type: category'")
        return
    if columns[label].missing:
        message, remedy = "is set for the label, which may not be blank", "remove it"
        yield Finding(path=(*path, "missing"), message=message, allowed="false", remedy=remedy)
    if len(columns[label].categories) not in (0, _CLASSES):  # none at all is reported by another rule
        message = f"has {len(columns[label].categories)} categories, and is the label"
        allowed = "two categories, the negative word first"
        remedy = "list two words, such as categories: [no, yes]"
        yield Finding(path=(*path, "categories"), message=message, allowed=allowed, remedy=remedy)


def check_features(model: ModelSettings) -> Iterator[Finding]:
    """Require a column to learn from."""
    label = model.data.label
    if not any(name != label and column.type != ColumnType.IGNORE for name, column in model.data.columns.items()):
        message = "has nothing to learn from: every column is ignored or the label"
        allowed = "at least one column of type number, integer or category besides the label"
        yield Finding(path=("data", "columns"), message=message, allowed=allowed, remedy="add a column")


def check_columns(model: ModelSettings) -> Iterator[Finding]:
    """Require each column to say what its type needs, and nothing else."""
    for name, column in model.data.columns.items():
        for rule in (_check_categories, _check_bounds, _check_foreign):
            yield from known(rule(column, ("data", "columns", name)))


def _check_categories(column: Column, path: Path) -> Iterator[Finding]:
    if column.type != ColumnType.CATEGORY:
        return
    path = (*path, "categories")
    if len(column.categories) < _CLASSES:
        remedy = "list the words, such as categories: [basic, plus]"
        yield Finding(path=path, message="lists fewer than two words", allowed="two or more words", remedy=remedy)
    yield from _repeated(column.categories, path)


def _check_bounds(column: Column, path: Path) -> Iterator[Finding]:
    if column.type not in (ColumnType.NUMBER, ColumnType.INTEGER):
        return
    low, high = column.minimum, column.maximum
    if column.type == ColumnType.INTEGER:
        for key, bound in (("minimum", low), ("maximum", high)):
            if bound is not None and not float(bound).is_integer():
                remedy = "write a whole number, or 'type: number'"
                yield Finding(
                    path=(*path, key), message="belongs to an integer", allowed="a whole number", remedy=remedy
                )
    if low is not None and high is not None and low >= high:
        allowed = f"more than the minimum, {low:.10g}"
        yield Finding(path=(*path, "maximum"), message="is not above the minimum", allowed=allowed, remedy="swap them")


def _check_foreign(column: Column, path: Path) -> Iterator[Finding]:
    numeric = column.type in (ColumnType.NUMBER, ColumnType.INTEGER)
    foreign = {
        "minimum": not numeric and column.minimum is not None,
        "maximum": not numeric and column.maximum is not None,
        "categories": column.type != ColumnType.CATEGORY and bool(column.categories),
        "missing": column.type == ColumnType.IGNORE and column.missing,
    }
    for key, wrong in foreign.items():
        if wrong:
            allowed = {"categories": "type category", "missing": "type number, integer or category"}.get(key)
            yield Finding(
                path=(*path, key),
                message=f"has no meaning for type {column.type}",
                allowed=allowed or "type number or integer",
                remedy=f"remove '{key}', or change the type",
            )


def check_split(model: ModelSettings) -> Iterator[Finding]:
    """Require the shares of the split to add up to one."""
    split = model.data.split
    total = split.train + split.validation + split.test
    if not math.isclose(total, 1, abs_tol=1e-6):
        message = f"adds up to {total:.6g}"
        allowed = "train, validation and test that add up to 1"
        remedy = "change one of the three shares, such as train: 0.7, validation: 0.15, test: 0.15"
        yield Finding(path=("data", "split"), message=message, allowed=allowed, remedy=remedy)


def check_version(model: ModelSettings) -> Iterator[Finding]:
    """Refuse image versions that are not offered, above all 'latest'."""
    reason = xgboost_images.refusal(model.algorithm.version)
    if reason is not None:
        reason = reason if reason.startswith("is ") else f"is refused: {reason}"
        versions = xgboost_images.VERSIONS
        allowed = f"one of {', '.join(versions)}"
        yield Finding(path=("algorithm", "version"), message=reason, allowed=allowed, remedy=f"write {versions[-1]}")


def check_hyperparameters(model: ModelSettings) -> Iterator[Finding]:
    """Require what the algorithm itself accepts."""
    hyperparameters = model.algorithm.hyperparameters
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
    hyperparameters = model.algorithm.hyperparameters
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
    if model.algorithm.hyperparameters.get("tree_method") == "gpu_hist":
        for index, instance_type in enumerate(model.training.instance_types):
            if not has_gpu(instance_type):
                remedy = "choose a type such as ml.g4dn.xlarge, or 'tree_method: hist'"
                yield Finding(
                    path=("training", "instance_types", index),
                    message="has no GPU, which tree_method gpu_hist needs",
                    allowed="a type of the families g and p",
                    remedy=remedy,
                )


def check_instance_types(model: ModelSettings) -> Iterator[Finding]:
    """Refuse the same instance type twice: the second try would meet the same lack of capacity."""
    yield from _repeated(model.training.instance_types, ("training", "instance_types"))


def check_spot(model: ModelSettings) -> Iterator[Finding]:
    """Require a waiting time for spot training, and only for it."""
    training = model.training
    wait, runtime = training.max_wait_minutes, training.max_runtime_minutes
    path = ("training", "max_wait_minutes")
    at_least = f"at least max_runtime_minutes, {runtime}"
    if training.spot and wait is None:
        message, remedy = "is required with spot", f"add 'max_wait_minutes: {2 * runtime}'"
        yield Finding(path=path, message=message, allowed=at_least, remedy=remedy)
    elif training.spot and wait is not None and wait < runtime:
        message, remedy = "is less than max_runtime_minutes", f"write {2 * runtime}, or shorten max_runtime_minutes"
        yield Finding(path=path, message=message, allowed=at_least, remedy=remedy)
    elif not training.spot and wait is not None:
        message, remedy = "has no meaning without spot", "remove the line, or add 'spot: true'"
        yield Finding(path=path, message=message, allowed="only together with 'spot: true'", remedy=remedy)


def check_metrics(model: ModelSettings) -> Iterator[Finding]:
    """Require of every metric a bound that a model can miss."""
    for metric, gate in model.gates.metrics.items():
        if metric in set(Metric):
            yield from known(_check_metric(Metric(metric), gate))


def _check_metric(metric: Metric, gate: MetricGate) -> Iterator[Finding]:
    wanted, other = ("ceiling", "floor") if metric is Metric.LOG_LOSS else ("floor", "ceiling")
    values = {"floor": gate.floor, "ceiling": gate.ceiling}
    better = "smaller" if metric is Metric.LOG_LOSS else "larger"
    path: Path = ("gates", "metrics", metric.value)
    if values[other] is not None:
        message = f"does not fit {metric}: {better} is better"
        remedy = f"write '{wanted}' instead"
        yield Finding(path=(*path, other), message=message, allowed=wanted, remedy=remedy)
        return
    value, guessing = values[wanted], _GUESSING.get(metric)
    if value is None:
        remedy = f"add '{wanted}: ...', or remove the metric"
        yield Finding(path=(*path, wanted), message="is missing", allowed=f"a {wanted}", remedy=remedy)
    elif guessing is not None and (value <= guessing if wanted == "floor" else value >= guessing):
        message = f"lets guessing pass, which reaches {guessing}"
        allowed = f"{'more' if wanted == 'floor' else 'less'} than {guessing}"
        remedy = f"write a {wanted} that a poor model misses"
        yield Finding(path=(*path, wanted), message=message, allowed=allowed, remedy=remedy)


def check_verification_rows(model: ModelSettings) -> Iterator[Finding]:
    """Require enough test rows for the verification of an endpoint."""
    expected = int(model.gates.data.minimum_rows * model.data.split.test)
    if model.gates.verify.rows > expected:
        yield Finding(
            path=("gates", "verify", "rows"),
            message="is more than the smallest accepted data set has test rows",
            allowed=f"at most {expected} (gates.data.minimum_rows times data.split.test)",
            remedy="write fewer rows, or raise gates.data.minimum_rows",
        )


def check_deployment(model: ModelSettings) -> Iterator[Finding]:
    """Require environments in the order of promotion, with the approval before one of them."""
    environments = model.deploy.environments
    order = [name for name in EnvironmentName if name in environments]
    path = ("deploy", "environments")
    repeated = list(_repeated(environments, path))
    yield from repeated
    if not repeated and list(environments) != order:
        allowed = f"the order {', '.join(EnvironmentName)}"
        remedy = f"write [{', '.join(order)}]"
        yield Finding(path=path, message="is not in the order of promotion", allowed=allowed, remedy=remedy)
    if model.deploy.approval_before not in environments:
        message = f"is {model.deploy.approval_before}, which is not deployed to"
        allowed = f"one of {', '.join(environments)}"
        remedy = f"write 'approval_before: {environments[-1]}', or add the environment"
        yield Finding(path=("deploy", "approval_before"), message=message, allowed=allowed, remedy=remedy)


def _repeated(values: tuple[str, ...], path: Path) -> Iterator[Finding]:
    for index, value in enumerate(values):
        if value in values[:index]:
            remedy = "remove one of the two"
            yield Finding(path=(*path, index), message="is listed twice", allowed=_DIFFERENT, remedy=remedy)


def known(findings: Iterator[Finding]) -> Iterator[Finding]:
    """Pass findings on until one needs a setting that is not known."""
    with contextlib.suppress(UnknownSettingError):
        yield from findings


MODEL_RULES: Final[tuple[Callable[[ModelSettings], Iterator[Finding]], ...]] = (
    check_name,
    check_stage,
    check_branch,
    check_label,
    check_features,
    check_columns,
    check_split,
    check_version,
    check_hyperparameters,
    check_objective,
    check_gpu,
    check_instance_types,
    check_spot,
    check_metrics,
    check_verification_rows,
    check_deployment,
)
