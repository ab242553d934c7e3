"""The evaluation: measure the new model (the challenger) and the one in service (the champion) on held-out rows."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from bootstrap import THRESHOLD, Metric, resample, spread
from job import JobError, read_json, write_json
from model_archive import load_model, predict

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from job_settings import Comparison, JobSettings

    Vector = npt.NDArray[np.float64]
    Labels = npt.NDArray[np.int64]

log = logging.getLogger(__name__)

CONFIDENCE = 0.95
"""Of the interval around each metric."""
CURVE_POINTS = 101
CHANGES_SHOWN = 6


def run(settings: JobSettings, base: Path) -> None:
    """Evaluate the models in `base`/input; the results go to `base`/output/evaluation."""
    labels, features = read_test_rows(base / "input" / "test" / "test.csv")
    challenger = predict(load_model(_archive(base, "challenger"), role="challenger"), features, role="challenger")
    champion = None
    if (base / "input" / "champion").is_dir():
        champion = _champion_scores(base, features)
    document = evaluation(labels, challenger, champion, settings.comparison)
    folder = base / "output" / "evaluation"
    write_json(folder / "evaluation.json", document)
    _write_predictions(folder / "predictions.csv", labels, challenger)
    for name, metric in document["binary_classification_metrics"].items():
        log.info("challenger %s %.5f (%.5f to %.5f)", name, metric["value"], metric["low"], metric["high"])
    if document["champion"]:
        compared = document["champion"]["comparison"]
        difference = "difference to the champion in %s %+.5f (%+.5f to %+.5f)"
        log.info(difference, compared["metric"], compared["difference"], compared["low"], compared["high"])


def read_test_rows(path: Path) -> tuple[Labels, npt.NDArray[np.float32]]:
    """Read labels and features of the encoded rows; an empty cell is NaN."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
        rows = [[float(cell) if cell else np.nan for cell in line.split(",")] for line in lines]
        # XGBoost computes in 32 bits; the endpoint sees the same numbers.
        values = np.array(rows, dtype=np.float32)
    except OSError as error:
        msg = f"cannot read the test rows: {path}: {error.strerror}"
        raise JobError(msg) from error
    except ValueError as error:
        msg = f"{path.name} is not a file of encoded rows, as prepare writes them: {error}"
        raise JobError(msg) from error
    if values.ndim != 2 or values.shape[1] < 2:  # noqa: PLR2004 - a label and at least one feature
        msg = f"{path.name} has no rows with a label and features"
        raise JobError(msg)
    if set(values[:, 0].tolist()) != {0.0, 1.0}:
        msg = f"the labels in {path.name} must be 0 and 1, with at least one row of each"
        raise JobError(msg)
    return values[:, 0].astype(np.int64), values[:, 1:]


def evaluation(labels: Labels, challenger: Vector, champion: Vector | None, settings: Comparison) -> dict[str, Any]:
    """Return the document evaluation.json for the probabilities that the models give to the rows."""
    models = [challenger] if champion is None else [challenger, champion]
    draws = resample(labels, models, resamples=settings.resamples, seed=settings.seed)
    metrics = [_metrics(labels, scores, drawn) for scores, drawn in zip(models, draws, strict=True)]
    opponent = None
    if champion is not None:
        metric = Metric(settings.metric)
        sign = -1 if metric.lower_is_better else 1
        differences = spread(sign * (draws[0][metric] - draws[1][metric]), confidence=settings.confidence)
        opponent = {
            "binary_classification_metrics": metrics[1],
            "comparison": {
                "metric": metric,
                "difference": sign * (metrics[0][metric]["value"] - metrics[1][metric]["value"]),
                "low": differences.low,
                "high": differences.high,
                "confidence": settings.confidence,
                "resamples": settings.resamples,
            },
        }
    return {
        "version": 1,
        "rows": len(labels),
        "binary_classification_metrics": metrics[0],
        "champion": opponent,
        "confusion_matrix": _confusion_matrix(labels, challenger),
        "roc": curve(labels, challenger),
    }


def _archive(base: Path, role: str) -> Path:
    return base / "input" / role / "model.tar.gz"


def _champion_scores(base: Path, features: npt.NDArray[np.float32]) -> Vector:
    try:
        _compare_features(base)
        return predict(load_model(_archive(base, "champion"), role="champion"), features, role="champion")
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


def _metrics(labels: Labels, scores: Vector, draws: dict[Metric, Vector]) -> dict[Metric, dict[str, float]]:
    from sklearn import metrics  # noqa: PLC0415 - takes long, and the checks of the inputs come first

    answers = (scores > THRESHOLD).astype(np.int64)
    values = {
        Metric.AUC: metrics.roc_auc_score(labels, scores),
        Metric.F1: metrics.f1_score(labels, answers, zero_division=0),
        Metric.ACCURACY: metrics.accuracy_score(labels, answers),
        Metric.LOG_LOSS: metrics.log_loss(labels, scores, labels=[0, 1]),
    }
    return {
        metric: {"value": float(value), **asdict(spread(draws[metric], confidence=CONFIDENCE))}
        for metric, value in values.items()
    }


def _confusion_matrix(labels: Labels, scores: Vector) -> dict[str, float | int]:
    answers = scores > THRESHOLD
    return {
        "threshold": THRESHOLD,
        "true_negative": int(np.sum(~answers & (labels == 0))),
        "false_positive": int(np.sum(answers & (labels == 0))),
        "false_negative": int(np.sum(~answers & (labels == 1))),
        "true_positive": int(np.sum(answers & (labels == 1))),
    }


def curve(labels: Labels, scores: Vector) -> dict[str, list[float]]:
    """Return the ROC curve, thinned to points that are evenly spread along it; both ends are kept."""
    from sklearn import metrics  # noqa: PLC0415 - see above

    false, true, _ = metrics.roc_curve(labels, scores)
    if len(false) > CURVE_POINTS:
        along = np.concatenate([[0.0], np.cumsum(np.diff(false) + np.diff(true))])
        places = np.searchsorted(along, np.linspace(0.0, along[-1], CURVE_POINTS))
        kept = np.unique(np.clip(places, 0, len(along) - 1))
        false, true = false[kept], true[kept]
    return {"false_positive_rate": false.tolist(), "true_positive_rate": true.tolist()}


def _write_predictions(path: Path, labels: Labels, scores: Vector) -> None:
    """Write one line for each test row; `row` is its line in test.csv, counted from 1."""
    rows = zip(labels.tolist(), scores.tolist(), strict=True)
    lines = [f"{row},{label},{score:.9g}\n" for row, (label, score) in enumerate(rows, start=1)]
    path.write_text("row,label,probability\n" + "".join(lines), encoding="ascii")
