"""What the section `gates` must satisfy: metrics that fit the task, with bounds that a model can miss."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from mlops_constructs.settings.algorithm_rules import OBJECTIVES
from mlops_constructs.settings.data import Task, task_of
from mlops_constructs.settings.findings import known
from mlops_constructs.settings.gates import METRICS, SMALLER_IS_BETTER, UNBOUNDED, Metric
from mlops_constructs.settings.problems import Finding, Path
from mlops_constructs.settings.section import UnknownSettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlops_constructs.settings.gates import MetricGate
    from mlops_constructs.settings.model import ModelSettings

_METRICS: Final[Path] = ("gates", "metrics")
_WIDEST_MARGIN: Final = 0.5
_EVEN_ODDS: Final = 0.5


def _task(model: ModelSettings) -> Task:
    """Tell what the model predicts, unless that is in question: the algorithm cannot learn it, or learns another."""
    task = task_of(model.data)
    if model.algorithm is not None:
        objective = getattr(model.algorithm, "hyperparameters", {}).get("objective")
        learned = {each for each, objectives in OBJECTIVES.items() if objective in objectives}
        if task not in (learned or OBJECTIVES):
            raise UnknownSettingError(task)
    return task


def check_metrics(model: ModelSettings) -> Iterator[Finding]:
    """Require metrics that measure what the model predicts."""
    task = _task(model)
    for metric in model.gates.metrics:
        if metric in set(Metric) and metric not in METRICS[task]:
            message = f"does not measure {_named(task)}"
            allowed = f"one of {', '.join(METRICS[task])}"
            remedy = "remove it, or measure something else; the label decides what is measured"
            yield Finding(path=(*_METRICS, str(metric)), message=message, allowed=allowed, remedy=remedy)


def check_bounds(model: ModelSettings) -> Iterator[Finding]:
    """Require of every metric the bound that fits it."""
    for metric, gate in model.gates.metrics.items():
        if metric in set(Metric):
            yield from known(_check_bound(Metric(metric), gate))


def _check_bound(metric: Metric, gate: MetricGate) -> Iterator[Finding]:
    wanted, other = ("ceiling", "floor") if metric in SMALLER_IS_BETTER else ("floor", "ceiling")
    values = {"floor": gate.floor, "ceiling": gate.ceiling}
    if values[other] is not None:
        message = f"does not fit {metric}: {'smaller' if metric in SMALLER_IS_BETTER else 'larger'} is better"
        remedy = f"write '{wanted}' instead"
        yield Finding(path=(*_METRICS, metric.value, other), message=message, allowed=wanted, remedy=remedy)
    elif values[wanted] is None:
        remedy = f"add '{wanted}: ...', or remove the metric"
        path = (*_METRICS, metric.value, wanted)
        yield Finding(path=path, message="is missing", allowed=f"a {wanted}", remedy=remedy)


def check_guessing(model: ModelSettings) -> Iterator[Finding]:
    """Require bounds that a model misses which has learned nothing."""
    task = _task(model)
    classes = len(model.data.columns[model.data.label].categories)
    for metric, gate in model.gates.metrics.items():
        if metric in METRICS[task]:
            yield from known(_check_guessing(Metric(metric), gate, _guessing(Metric(metric), task, classes)))


def _guessing(metric: Metric, task: Task, classes: int) -> float | None:
    """Say what guessing every class with the same probability reaches, where that is known."""
    if task is Task.REGRESSION or (task is Task.BINARY and metric is Metric.F1):
        return None
    if metric is Metric.AUC:
        return _EVEN_ODDS
    return round(math.log(classes) if metric is Metric.LOG_LOSS else 1 / classes, 4)


def _check_guessing(metric: Metric, gate: MetricGate, guessing: float | None) -> Iterator[Finding]:
    smaller = metric in SMALLER_IS_BETTER
    bound = "ceiling" if smaller else "floor"
    value = gate.ceiling if smaller else gate.floor
    if guessing is not None and value is not None and (value >= guessing if smaller else value <= guessing):
        yield Finding(
            path=(*_METRICS, metric.value, bound),
            message=f"lets guessing pass, which reaches {guessing}",
            allowed=f"{'less' if smaller else 'more'} than {guessing}",
            remedy=f"write a {bound} that a poor model misses",
        )


def check_champion(model: ModelSettings) -> Iterator[Finding]:
    """Require the comparison with the model in service to use a metric of the task."""
    task, champion = _task(model), model.gates.champion
    if champion.metric not in METRICS[task]:
        given = "metric" in champion.model_fields_set
        message = (
            f"{'' if given else f'is {champion.metric} where nothing is set, which '}does not measure {_named(task)}"
        )
        allowed = f"one of {', '.join(METRICS[task])}"
        named = next((each for each in METRICS[task] if each in model.gates.metrics), METRICS[task][0])
        remedy = f"{'write' if given else 'add the line'} 'metric: {named}'"
        yield Finding(path=("gates", "champion", "metric"), message=message, allowed=allowed, remedy=remedy)


def check_margin(model: ModelSettings) -> Iterator[Finding]:
    """Require a margin that the metric can have."""
    champion, measured = model.gates.champion, METRICS[_task(model)]
    if (
        champion.metric in measured
        and champion.metric not in UNBOUNDED
        and not -_WIDEST_MARGIN < champion.margin < _WIDEST_MARGIN
    ):
        message = f"is more than two models can differ in {champion.metric}"
        allowed = f"greater than -{_WIDEST_MARGIN} and less than {_WIDEST_MARGIN}"
        remedy = "write 0.0 (better), or such as -0.01 (worse by less than a hundredth)"
        yield Finding(path=("gates", "champion", "margin"), message=message, allowed=allowed, remedy=remedy)


def check_class_share(model: ModelSettings) -> Iterator[Finding]:
    """Require a smallest share of a class that all classes can have, where there are classes."""
    task, gate = _task(model), model.gates.data
    path = ("gates", "data", "minimum_class_share")
    if task is Task.REGRESSION:
        if "minimum_class_share" in gate.model_fields_set:
            message, allowed = "has no meaning for a label that is a number", "only with a label of type category"
            yield Finding(path=path, message=message, allowed=allowed, remedy="remove it")
        return
    classes = len(model.data.columns[model.data.label].categories)
    if gate.minimum_class_share > 1 / classes:
        given = "minimum_class_share" in gate.model_fields_set
        message = f"{'' if given else f'is {gate.minimum_class_share} where nothing is set, which '}cannot be the share"
        yield Finding(
            path=path,
            message=f"{message} of each of {classes} classes",
            allowed=f"at most {math.floor(10_000 / classes) / 10_000}",
            remedy="write a smaller share",
        )


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


def _named(task: Task) -> str:
    words = {Task.BINARY: "two classes", Task.MULTICLASS: "several classes", Task.REGRESSION: "a number"}
    return f"a model that predicts {words[task]} ({task})"


GATE_RULES: Final[tuple[Callable[[ModelSettings], Iterator[Finding]], ...]] = (
    check_metrics,
    check_bounds,
    check_guessing,
    check_champion,
    check_margin,
    check_class_share,
    check_verification_rows,
)
