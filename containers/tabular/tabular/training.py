"""The training: read, fit in rounds, measure, write the model."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from sklearn import metrics

from tabular import channels, estimators, export, hyperparameters
from tabular.channels import Channel
from tabular.checkpoints import Checkpoints
from tabular.contract import Stopped, TrainingError, base
from tabular.hyperparameters import Hyperparameters, Task


def run(stop: threading.Event) -> None:
    """Train, measure and write the model; end early and without a model when `stop` is set.

    Raises:
        TrainingError: the job cannot be done; the message says what to do.
        Stopped: `stop` was set.

    """
    configuration = base() / "input" / "config"
    parameters = hyperparameters.read(configuration / "hyperparameters.json")
    channels.check_job(configuration)
    train, validation = _channels(parameters.task)
    print(f"{len(train.labels)} rows, {train.features.shape[1]} features, {parameters}")  # noqa: T201
    estimator = _fit(parameters, train, stop)
    export.write(estimator, base() / "model")
    for channel in (train, validation):
        if channel is not None:
            for name, value in _measures(estimator, parameters.task, channel):
                print(f"{channel.name}:{name}={value:.6f}")  # noqa: T201


def _channels(task: Task) -> tuple[Channel, Channel | None]:
    """Read the channel train, and validation where there is one; tell what is wrong with both."""
    folder = base() / "input" / "data"
    read: dict[str, Channel] = {}
    mistakes = []
    for name in ("train", "validation"):
        if name == "validation" and not (folder / name).is_dir():
            continue
        try:
            read[name] = channels.read(folder / name, task)
        except TrainingError as error:
            mistakes.append(str(error))
    if mistakes:
        raise TrainingError("; ".join(mistakes))
    channels.check_labels(read["train"], task)
    if "validation" in read:
        channels.check_together(read["train"], read["validation"], task)
    return read["train"], read.get("validation")


def _fit(parameters: Hyperparameters, train: Channel, stop: threading.Event) -> Any:
    """Fit in rounds, so that SIGTERM is heard and little is lost."""
    checkpoints = Checkpoints(base() / "checkpoints", parameters, train)
    estimator, fitted = checkpoints.resume() or (estimators.build(parameters), 0)
    labels = train.labels.astype(int) if parameters.task is Task.CLASSIFICATION else train.labels
    for wanted in estimators.rounds(parameters, fitted):
        _check(stop, checkpoints, estimator, fitted)
        if "n_estimators" in estimator.get_params():
            estimator.set_params(n_estimators=wanted)
        estimator.fit(train.features, labels)
        fitted = wanted
        print(f"trees={fitted}")  # noqa: T201
        checkpoints.keep(estimator, fitted)
    _check(stop, checkpoints, estimator, fitted)
    return estimator


def _check(stop: threading.Event, checkpoints: Checkpoints, estimator: Any, fitted: int) -> None:
    """End the training when SageMaker told it to: with a checkpoint, without a model, which would look complete."""
    if not stop.is_set():
        return
    if fitted and checkpoints.wanted:
        checkpoints.keep(estimator, fitted, now=True)
        msg = f"SIGTERM; the checkpoint has {fitted} trees"
    else:
        msg = "SIGTERM; no checkpoint was kept"
    raise Stopped(msg)


def _measures(estimator: Any, task: Task, channel: Channel) -> Iterator[tuple[str, float]]:
    """Yield the metrics of the log, in which SageMaker's metric definitions find them."""
    if task is Task.REGRESSION:
        predicted = estimator.predict(channel.features)
        yield "rmse", metrics.root_mean_squared_error(channel.labels, predicted)
        yield "mae", metrics.mean_absolute_error(channel.labels, predicted)
        return
    probabilities = estimator.predict_proba(channel.features)
    predicted = estimator.classes_[probabilities.argmax(axis=1)]
    yield "accuracy", metrics.accuracy_score(channel.labels, predicted)
    yield "f1", metrics.f1_score(channel.labels, predicted, average="macro")
    yield "log_loss", metrics.log_loss(channel.labels, probabilities, labels=estimator.classes_)
