"""The run report: one HTML page that needs nothing else, made from a run record."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mlops.report import charts, diagram, traffic_charts
from mlops.report.documents import ClassMatrix, Metric
from mlops.report.record import RunRecord, State
from mlops.report.svg import short
from mlops.report.traffic import Traffic

_NAMES = {
    "auc": "AUC",
    "f1": "F1",
    "accuracy": "Accuracy",
    "log_loss": "Log loss",
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R²",
}


def render(record: RunRecord) -> str:
    """Return the report of a run."""
    environment = _environment()
    page: str = environment.get_template("report.html.j2").render(
        record=record,
        css=Markup(_css(environment)),  # noqa: S704 - a file of this package
        figures=list(key_figures(record)),
        metrics=list(metric_rows(record)),
        waterfall=list(waterfall(record)),
        traffic_figures=list(traffic_figures(record.traffic)) if record.traffic else [],
    )
    return page


class Figure(NamedTuple):
    """A number that a manager wants to see."""

    name: str
    value: str
    note: str
    bad: bool = False


class MetricRow(NamedTuple):
    """A metric against its limit and the champion."""

    name: str
    metric: Metric
    champion: Metric | None
    limit: str
    passed: bool | None
    chart: Markup
    low: str
    high: str


class Bar(NamedTuple):
    """A line of the waterfall."""

    name: str
    seconds: str
    state: State
    chart: Markup


class Group(NamedTuple):
    """Lines of the waterfall that belong together."""

    name: str
    bars: list[Bar]


def key_figures(record: RunRecord) -> Iterator[Figure]:
    """Choose what stands at the top; what a run never reached is left out."""
    yield Figure("Time", diagram.duration(record.elapsed), "from command to end")
    evaluation = record.evaluation
    if evaluation is not None:
        for name, metric in list(evaluation.metrics.items())[:1]:
            yield Figure(
                metric_name(name), short(metric.value), _range(metric) or f"on {evaluation.rows:,} held-out rows"
            )
        comparison = evaluation.champion.comparison if evaluation.champion else None
        if comparison is not None:
            note = f"{metric_name(comparison.metric)}, at least {comparison.low:+.3f}"
            yield Figure("Against champion", f"{comparison.difference:+.3f}", note, bad=comparison.low <= record.margin)
    if record.verifications:
        good = [one.environment for one in record.verifications if one.passed]
        count = f"{len(good)} of {len(record.verifications)}"
        yield Figure("Verified", count, ", ".join(good) or "none", bad=len(good) < len(record.verifications))
    if record.data is not None:
        problems = len(record.data.violations)
        note = f"{problems} rule{'s' if problems > 1 else ''} broken" if problems else "no rule broken"
        yield Figure("Rows of data", f"{record.data.rows:,}", note, bad=bool(problems))
    if record.traffic is not None:
        lost = record.traffic.requests_lost
        yield Figure("Requests lost", f"{lost:,}", f"of {record.traffic.sent:,} sent", bad=lost > 0)
    if record.roles:
        yield Figure("Calls under IAM", f"{record.calls:,}", f"{record.denied} denied", bad=record.denied > 0)


def traffic_figures(traffic: Traffic) -> Iterator[Figure]:
    """Choose what a client of the endpoint felt of the rollout."""
    yield Figure("Requests", f"{traffic.sent:,}", f"{traffic.requests_retried:,} needed another try")
    tries = f"{traffic.attempts_failed:,} tries failed"
    yield Figure("Lost", f"{traffic.requests_lost:,}", tries, bad=traffic.requests_lost > 0)
    wrong = traffic.requests_wrong
    yield Figure("Wrong answers", f"{wrong:,}", "none" if not wrong else "answers that no version gives", bad=wrong > 0)
    if traffic.overall_p50_ms is not None and traffic.overall_p99_ms is not None:
        yield Figure("Waited", f"{short(traffic.overall_p50_ms)} ms", f"p99 {short(traffic.overall_p99_ms)} ms")
    if traffic.detection_minutes is not None:
        yield Figure(
            "Bad version out after", f"{short(traffic.detection_minutes)} min", "emulated, from its first request"
        )


def metric_rows(record: RunRecord) -> Iterator[MetricRow]:
    """Set each metric against its floor or ceiling and the champion."""
    if record.evaluation is None:
        return
    champion = record.evaluation.champion
    for name, metric in record.evaluation.metrics.items():
        before = champion.metrics.get(name) if champion else None
        floor, ceiling = record.floors.get(name), record.ceilings.get(name)
        limit, word = (floor, "floor") if floor is not None else (ceiling, "ceiling")
        passed = None
        if limit is not None:
            passed = metric.value >= limit if floor is not None else metric.value <= limit
        chart, low, high = charts.interval(metric_name(name), metric, champion=before, limit=limit, limit_name=word)
        text = f"{word} {short(limit)}" if limit is not None else "no limit"
        yield MetricRow(metric_name(name), metric, before, text, passed, chart, low, high)


def waterfall(record: RunRecord) -> Iterator[Group]:
    """Lay steps, actions and states of workflows on one time line."""
    groups = [
        ("The rehearsal", [(step.name, step.started, step.seconds, step.state) for step in record.steps]),
        (
            "The pipeline",
            [
                (f"{stage.name} / {one.name}", one.started, one.seconds or 0.0, one.state)
                for stage in record.stages
                for one in stage.actions
                if one.started is not None
            ],
        ),
        *(
            (f"Workflow {flow.name}", [(step.name, step.started, step.seconds, step.state) for step in flow.states])
            for flow in record.workflows
        ),
    ]
    total = max(
        [record.elapsed, *(started + seconds for _, rows in groups for _, started, seconds, _ in rows)], default=1.0
    )
    for name, rows in groups:
        if rows:
            yield Group(
                name,
                [
                    Bar(label, diagram.duration(seconds), state, charts.span(started, seconds, total, state))
                    for label, started, seconds, state in rows
                ],
            )


def metric_name(name: str) -> str:
    """Return a metric's name as people write it."""
    return _NAMES.get(name, name)


def _range(metric: Metric) -> str:
    if metric.low is None or metric.high is None:
        return ""
    return f"{short(metric.low)} to {short(metric.high)}"


def _value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return short(float(value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("mlops.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "short": short,
        "duration": diagram.duration,
        "css": diagram.css,
        "sign": lambda state: diagram.SIGNS[state],
        "range": _range,
        "value": _value,
        "metric_name": metric_name,
    }
    environment.globals |= {
        "diagram_wide": diagram.wide,
        "diagram_narrow": diagram.narrow,
        "learning_curve": charts.learning_curve,
        "roc_curve": charts.roc_curve,
        "histogram": charts.histogram,
        "rollout_wide": traffic_charts.wide,
        "rollout_narrow": traffic_charts.narrow,
        "State": State,
        "is_class_matrix": lambda matrix: isinstance(matrix, ClassMatrix),
    }
    return environment


def _css(environment: Environment) -> str:
    assert environment.loader is not None  # noqa: S101 - set when it was made
    return environment.loader.get_source(environment, "report.css")[0]
