"""The training loop of the algorithm: rounds, metric lines, early stopping, checkpoints, and the end on request."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlops.rehearsal.xgboost_algorithm import metrics
from mlops.rehearsal.xgboost_algorithm.errors import AlgorithmError, UserError
from mlops.rehearsal.xgboost_algorithm.native import Booster, Scores, XGBoostError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mlops.rehearsal.xgboost_algorithm.channels import Data

    Log = Callable[[str], None]

CHECKPOINT = "xgboost-checkpoint"
KEPT_CHECKPOINTS = 5

_NOT_FOR_XGBOOST = {
    "num_round",
    "csv_weights",
    "early_stopping_rounds",
    "eval_metric",
    "save_model_on_termination",
}
_FAULTS_OF_THE_CALLER = (
    "label must be in [0,1] for logistic regression",
    "label must be in [0, num_class)",
    "label must be in [0, 1]",
    "Target is multiclass but average='binary'",
    "feature_names mismatch",
    "Check failed: preds.size() == info.labels_.size()",
    "base_score must be in (0,1)",
    "label must be nonnegative",
    "Parameter reg_lambda should be greater equal to 0",
    "Invalid Input",
    "Invalid Parameter",
)


@dataclass
class Stop:
    """Whether somebody asked the training to end: set by the handler of SIGTERM, read between rounds."""

    requested: bool = False


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the hyperparameters ask for."""

    rounds: int
    parameters: list[tuple[str, str]]
    own_metrics: tuple[str, ...]
    """Metrics of the container, which XGBoost does not know."""
    patience: int | None
    stopping_metric: str | None

    @classmethod
    def of(cls, hyperparameters: Mapping[str, str]) -> Plan:
        """Read checked hyperparameters."""
        wanted = [name.strip() for name in hyperparameters.get("eval_metric", "").split(",") if name.strip()]
        parameters = [(name, value) for name, value in hyperparameters.items() if name not in _NOT_FOR_XGBOOST]
        parameters += [("eval_metric", name) for name in wanted if name not in metrics.CUSTOM]
        patience = hyperparameters.get("early_stopping_rounds")
        return cls(
            rounds=int(hyperparameters["num_round"]),
            parameters=[*parameters, ("validate_parameters", "1")],
            own_metrics=tuple(name for name in wanted if name in metrics.CUSTOM),
            patience=int(patience) if patience is not None else None,
            stopping_metric=wanted[-1] if wanted else None,
        )


@dataclass
class EarlyStopping:
    """Stops when the last named metric has not improved on the validation data for `patience` rounds."""

    metric: str
    patience: int
    best_round: int = -1
    best_score: float = 0.0
    waited: int = field(default=0)

    def observe(self, number: int, score: float) -> bool:
        """Take the score of a round; tell whether to stop."""
        better = score > self.best_score if self.metric in metrics.MAXIMIZED else score < self.best_score
        if self.best_round < 0 or better:
            self.best_round, self.best_score, self.waited = number, score, 0
        else:
            self.waited += 1
        return self.waited >= self.patience


def boost(
    plan: Plan, data: Mapping[str, Data], *, checkpoints: Path | None, stop: Stop, log: Log, log_metrics: Log
) -> Booster:
    """Train on `data["train"]`, measuring on everything in `data`.

    Raises:
        UserError: XGBoost refuses the labels or the parameters.
        AlgorithmError: XGBoost fails.

    """
    try:
        return _boost(plan, data, checkpoints=checkpoints, stop=stop, log=log, log_metrics=log_metrics)
    except XGBoostError as error:
        if any(text in str(error) for text in _FAULTS_OF_THE_CALLER):
            raise UserError(str(error)) from error
        msg = f"XGB train call failed with exception:\n {error}"
        raise AlgorithmError(msg) from error


def _boost(
    plan: Plan, data: Mapping[str, Data], *, checkpoints: Path | None, stop: Stop, log: Log, log_metrics: Log
) -> Booster:
    booster = Booster([each.matrix for each in data.values()])
    begin = _resume(booster, checkpoints, log)
    for name, value in plan.parameters:
        booster.configure(name, value)
    stopping = _early_stopping(plan, data, log)
    for number in range(begin, plan.rounds):
        booster.update(number, data["train"].matrix)
        scores = _measure(booster, number, plan, data)
        log_metrics(_metric_line(number, scores))
        enough = stopping is not None and stopping.observe(number, scores["validation"][stopping.metric])
        if stopping is not None and stopping.best_round == number:
            booster.annotate("best_iteration", str(number))
            booster.annotate("best_score", str(stopping.best_score))
        if checkpoints is not None:
            _save_checkpoint(booster, checkpoints, number)
        if enough or stop.requested:
            break
    if stopping is not None and 0 <= stopping.best_round < booster.rounds - 1:
        log(f"Keeping the first {stopping.best_round + 1} rounds, best {stopping.metric} {stopping.best_score:.5f}")
        return booster.first_rounds(stopping.best_round + 1)
    return booster


def _early_stopping(plan: Plan, data: Mapping[str, Data], log: Log) -> EarlyStopping | None:
    if plan.patience is None:
        return None
    if "validation" not in data or plan.stopping_metric is None:
        # As in the container: without both it trains every round.
        log("early_stopping_rounds has no effect without a validation channel and an eval_metric")
        return None
    if ("booster", "gblinear") in plan.parameters:
        msg = "`save_best` is not applicable to the current booster: early_stopping_rounds needs booster gbtree or dart"
        raise UserError(msg)
    return EarlyStopping(metric=plan.stopping_metric, patience=plan.patience)


def _measure(booster: Booster, number: int, plan: Plan, data: Mapping[str, Data]) -> Scores:
    scores = booster.evaluate(number, {name: each.matrix for name, each in data.items()})
    if plan.own_metrics:
        for name, each in data.items():
            margins = booster.predict(each.matrix, margin=True)
            scores[name].update(metrics.measure(plan.own_metrics, each.labels, margins))
    return scores


def _metric_line(number: int, scores: Scores) -> str:
    parts = [f"{name}-{metric}:{score:.5f}" for name, measured in scores.items() for metric, score in measured.items()]
    return "\t".join([f"[{number}]", *parts])


def _checkpoints(folder: Path) -> list[tuple[int, Path]]:
    pattern = re.compile(rf"{CHECKPOINT}\.(\d+)")
    found = ((pattern.fullmatch(file.name), file) for file in folder.iterdir())
    return sorted((int(match[1]), file) for match, file in found if match)


def _resume(booster: Booster, folder: Path | None, log: Log) -> int:
    """Load the newest checkpoint that can be read; give the number of the next round."""
    if folder is None:
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    for number, file in reversed(_checkpoints(folder)):
        try:
            booster.load(file.read_bytes())
        except XGBoostError:
            log(f"Wrong checkpoint model format {file.name}")
            continue
        log(f"Checkpoint loaded from {file}")
        log(f"Resuming from iteration {number + 1}")
        return number + 1
    return 0


def _save_checkpoint(booster: Booster, folder: Path, number: int) -> None:
    unfinished = folder / f"{CHECKPOINT}.{number}.sagemaker-ignore"
    unfinished.write_bytes(booster.save())
    unfinished.replace(folder / f"{CHECKPOINT}.{number}")
    for _, file in _checkpoints(folder)[:-KEPT_CHECKPOINTS]:
        file.unlink(missing_ok=True)
