"""The evaluation: measure the answers of the new model (the challenger) and of the one in service (the champion).

Both models have answered the held-out rows in their own serving containers; what serves is what is measured.
"""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from answers import read_answers
from binary_measures import BinaryMeasures
from bootstrap import resample, spread
from job import JobError, read_json, write_json
from job_settings import Task
from measures import Metric
from multiclass_measures import MulticlassMeasures
from regression_measures import RegressionMeasures

if TYPE_CHECKING:
    from pathlib import Path

    from job_settings import JobSettings
    from measures import Answers, Measures, Vector

log = logging.getLogger(__name__)

CONFIDENCE = 0.95
"""Of the interval around each metric."""
CHANGES_SHOWN = 6


def run(settings: JobSettings, base: Path) -> None:
    """Evaluate the answers in `base`/input; the results go to `base`/output/evaluation."""
    measures = measures_of(settings)
    labels = read_labels(base / "input" / "test" / "test.csv", measures)
    challenger = _answers(base, "challenger", settings, labels)
    champion = None
    if (base / "input" / "champion").is_dir():
        champion = _champion_answers(base, settings, labels)
    document = evaluation(labels, challenger, champion, settings)
    folder = base / "output" / "evaluation"
    write_json(folder / "evaluation.json", document)
    _write_predictions(folder / "predictions.csv", labels, challenger, settings)
    for name, metric in document[measures.group].items():
        log.info("challenger %s %.5f (%.5f to %.5f)", name, metric["value"], metric["low"], metric["high"])
    if document["champion"]:
        compared = document["champion"]["comparison"]
        difference = "difference to the champion in %s %+.5f (%+.5f to %+.5f)"
        log.info(difference, compared["metric"], compared["difference"], compared["low"], compared["high"])


def measures_of(settings: JobSettings) -> Measures:
    """Return the measures of the model's task."""
    if settings.task is Task.REGRESSION:
        return RegressionMeasures()
    if settings.task is Task.MULTICLASS:
        return MulticlassMeasures(settings.label.categories)
    return BinaryMeasures()


def read_labels(path: Path, measures: Measures) -> Vector:
    """Read the labels of the encoded rows: the first cell of each."""
    try:
        with path.open(encoding="ascii") as handle:
            cells = [line.partition(",") for line in handle]
        labels = np.array([float(label) for label, _, _ in cells], dtype=np.float64)
    except OSError as error:
        msg = f"cannot read the test rows: {path}: {error.strerror}"
        raise JobError(msg) from error
    except ValueError as error:
        msg = f"{path.name} is not a file of encoded rows, as prepare writes them: {error}"
        raise JobError(msg) from error
    if not all(comma for _, comma, _ in cells) or not cells:
        msg = f"{path.name} has no rows with a label and features"
        raise JobError(msg)
    if fault := measures.check_labels(labels):
        msg = f"the labels in {path.name} {fault}"
        raise JobError(msg)
    return labels


def evaluation(labels: Vector, challenger: Answers, champion: Answers | None, settings: JobSettings) -> dict[str, Any]:
    """Return the document evaluation.json for the answers that the models give to the rows."""
    measures, asked = measures_of(settings), settings.comparison
    models = [challenger] if champion is None else [challenger, champion]
    drawn = resample(measures, labels, models, resamples=asked.resamples, seed=asked.seed)
    metrics = [_metrics(measures, labels, answers, each) for answers, each in zip(models, drawn, strict=True)]
    opponent = None
    if champion is not None:
        metric = _compared(asked.metric, metrics[0])
        sign = -1 if metric.lower_is_better else 1
        differences = spread(sign * (drawn[0][metric] - drawn[1][metric]), confidence=asked.confidence)
        opponent = {
            measures.group: metrics[1],
            "comparison": {
                "metric": metric,
                "difference": sign * (metrics[0][metric]["value"] - metrics[1][metric]["value"]),
                "low": differences.low,
                "high": differences.high,
                "confidence": asked.confidence,
                "resamples": asked.resamples,
            },
        }
    return {
        "version": 1,
        "task": settings.task,
        "rows": len(labels),
        measures.group: metrics[0],
        "champion": opponent,
        **measures.charts(labels, challenger),
    }


def _answers(base: Path, role: str, settings: JobSettings, labels: Vector) -> Answers:
    return read_answers(
        base / "input" / role / "test.csv.out",
        role=role,
        task=settings.task,
        classes=len(settings.label.categories),
        rows=len(labels),
    )


def _champion_answers(base: Path, settings: JobSettings, labels: Vector) -> Answers:
    try:
        _compare_features(base)
        return _answers(base, "champion", settings, labels)
    except JobError as error:
        remedy = (
            "the model in service cannot be compared on these rows; give a model with other columns a name of its own,"
            " or take the endpoint out of service, so that the metric floors decide alone"
        )
        msg = f"{error}; {remedy}"
        raise JobError(msg) from error


def _compare_features(base: Path) -> None:
    """Refuse a champion whose features differ in name or order; their number alone would not show it.

    Both lists are optional inputs: what prepare wrote to output/report, of the champion's run and of this one.
    """
    paths = [base / "input" / folder / "features.json" for folder in ("champion-report", "report")]
    if not all(path.is_file() for path in paths):
        return
    old, new = ([str(each["name"]) for each in read_json(path)["features"]] for path in paths)
    if old == new:
        return
    changes = [f"without {name}" for name in old if name not in new] + [
        f"with {name}" for name in new if name not in old
    ]
    shown = ", ".join(changes[:CHANGES_SHOWN]) + (", ..." if len(changes) > CHANGES_SHOWN else "")
    msg = f"the test rows have other features than the champion: {shown or 'the same ones in another order'}"
    raise JobError(msg)


def _compared(name: str, metrics: dict[Metric, dict[str, float]]) -> Metric:
    if name not in metrics:
        msg = f"gates.champion.metric is {name!r}, which this task does not have; it has {', '.join(metrics)}"
        raise JobError(msg)
    return Metric(name)


def _metrics(
    measures: Measures, labels: Vector, answers: Answers, drawn: dict[Metric, Vector]
) -> dict[Metric, dict[str, float]]:
    return {
        metric: {"value": float(value), **asdict(spread(drawn[metric], confidence=CONFIDENCE))}
        for metric, value in measures.values(labels, answers).items()
    }


def _write_predictions(path: Path, labels: Vector, answers: Answers, settings: JobSettings) -> None:
    """Write one line for each test row; `row` is its line in test.csv, counted from 1."""
    shown = repr if settings.task is Task.REGRESSION else "{:.0f}".format
    with path.open("w", encoding="ascii", newline="\n") as handle:
        handle.write(measures_of(settings).header + "\n")
        rows = zip(labels.tolist(), answers.reshape(len(labels), -1).tolist(), strict=True)
        for row, (label, values) in enumerate(rows, start=1):
            handle.write(f"{row},{shown(label)},{','.join(f'{value:.9g}' for value in values)}\n")
