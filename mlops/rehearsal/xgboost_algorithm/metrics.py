"""The metrics that the container adds to XGBoost's own; they compare labels with margins, before the link function."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mlops.rehearsal.xgboost_algorithm.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Counts = Counter[tuple[int, int]]
"""(true class, predicted class) → rows."""

MAXIMIZED = frozenset(
    {
        *("accuracy", "auc", "aucpr", "balanced_accuracy", "f1", "f1_binary", "f1_macro", "map", "ndcg", "r2"),
        *("precision", "precision_macro", "precision_micro", "recall", "recall_macro", "recall_micro"),
    }
)
"""The metrics of which more is better; early stopping asks."""


def confusion(labels: Sequence[float], margins: Sequence[float]) -> Counts:
    """Count the rows by true and predicted class: above zero, or the greatest margin where there are several."""
    groups = len(margins) // len(labels)
    if groups == 1:
        predicted = [int(margin > 0) for margin in margins]
    else:
        rows = (margins[start : start + groups] for start in range(0, len(margins), groups))
        predicted = [max(range(groups), key=row.__getitem__) for row in rows]
    return Counter(zip(map(int, labels), predicted, strict=True))


def _classes(counts: Counts) -> list[int]:
    return sorted({each for pair in counts for each in pair})


def _rates(counts: Counts, each: int) -> tuple[float, float, float]:
    """Give precision, recall and F1 of one class."""
    hits = counts[each, each]
    predicted = sum(number for (_, guess), number in counts.items() if guess == each)
    actual = sum(number for (truth, _), number in counts.items() if truth == each)
    return (
        hits / predicted if predicted else 0.0,
        hits / actual if actual else 0.0,
        2 * hits / (predicted + actual) if predicted + actual else 0.0,
    )


def _accuracy(counts: Counts) -> float:
    return sum(number for (truth, guess), number in counts.items() if truth == guess) / counts.total()


def _balanced_accuracy(counts: Counts) -> float:
    present = sorted({truth for truth, _ in counts})
    return sum(_rates(counts, each)[1] for each in present) / len(present)


def _binary(rate: int) -> Callable[[Counts], float]:
    def measure(counts: Counts) -> float:
        if not set(_classes(counts)) <= {0, 1}:
            msg = "Target is multiclass but average='binary'. Please choose another average setting"
            raise UserError(msg)
        return _rates(counts, 1)[rate]

    return measure


def _macro(rate: int) -> Callable[[Counts], float]:
    def measure(counts: Counts) -> float:
        classes = _classes(counts)
        return sum(_rates(counts, each)[rate] for each in classes) / len(classes)

    return measure


_PRECISION, _RECALL, _F1 = range(3)
_OF_CLASSES: dict[str, Callable[[Counts], float]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1": _macro(_F1),
    "f1_binary": _binary(_F1),
    "f1_macro": _macro(_F1),
    "precision": _binary(_PRECISION),
    "precision_macro": _macro(_PRECISION),
    "precision_micro": _accuracy,
    "recall": _binary(_RECALL),
    "recall_macro": _macro(_RECALL),
    "recall_micro": _accuracy,
}


def _mean_squared_error(labels: Sequence[float], margins: Sequence[float]) -> float:
    return sum((label - margin) ** 2 for label, margin in zip(labels, margins, strict=True)) / len(labels)


def _determination(labels: Sequence[float], margins: Sequence[float]) -> float:
    mean = sum(labels) / len(labels)
    spread = sum((label - mean) ** 2 for label in labels) / len(labels)
    error = _mean_squared_error(labels, margins)
    return 1 - error / spread if spread else float(error == 0)


_OF_VALUES: dict[str, Callable[[Sequence[float], Sequence[float]], float]] = {
    "mse": _mean_squared_error,
    "r2": _determination,
}

CUSTOM = frozenset(_OF_CLASSES) | frozenset(_OF_VALUES)
"""The names of the container's own metrics."""


def measure(names: Sequence[str], labels: Sequence[float], margins: Sequence[float]) -> dict[str, float]:
    """Measure the custom metrics `names`, in that order."""
    counts = confusion(labels, margins) if any(name in _OF_CLASSES for name in names) else Counts()
    return {
        name: _OF_CLASSES[name](counts) if name in _OF_CLASSES else _OF_VALUES[name](labels, margins) for name in names
    }
