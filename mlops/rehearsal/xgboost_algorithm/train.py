"""`train` of the container: one training job under the base folder, from its configuration to its model or failure."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops.rehearsal.xgboost_algorithm import channels
from mlops.rehearsal.xgboost_algorithm.boosting import Plan, Stop, boost
from mlops.rehearsal.xgboost_algorithm.content import content_of
from mlops.rehearsal.xgboost_algorithm.errors import AlgorithmError, AlgorithmFailure, PlatformError, UserError
from mlops_constructs.settings import xgboost_hyperparameters

CONTAINER_BASE = Path("/opt/ml")
MODEL = "xgboost-model"


@dataclass(frozen=True)
class Layout:
    """Where a job finds and leaves its files."""

    base: Path

    @property
    def model(self) -> Path:
        """What becomes `model.tar.gz`."""
        return self.base / "model"

    @property
    def failure(self) -> Path:
        """The file whose first 1024 characters become the failure reason."""
        return self.base / "output" / "failure"

    def channel(self, name: str) -> Path:
        """Give the folder with the files of a channel."""
        return self.base / "input" / "data" / name

    def config(self, name: str, *, required: bool) -> dict[str, Any]:
        """Read one configuration file."""
        file = self.base / "input" / "config" / f"{name}.json"
        if not required and not file.exists():
            return {}
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            msg = f"cannot read {file}: {error}"
            raise PlatformError(msg) from error
        if not isinstance(content, dict):
            msg = f"cannot read {file}: it does not hold an object"
            raise PlatformError(msg)
        return content

    def local(self, path: str) -> Path:
        """Place a path of the container under the base folder."""
        absolute = Path(path)
        inside = absolute.is_relative_to(CONTAINER_BASE)
        return self.base / absolute.relative_to(CONTAINER_BASE) if inside else absolute


def main() -> int:
    """Run the job; give the exit code."""
    layout = Layout(Path(os.environ.get("SAGEMAKER_BASE_DIR") or CONTAINER_BASE))
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # idle threads leave the cores to the rest of the rehearsal
    stop = Stop()
    signal.signal(signal.SIGTERM, lambda *_: setattr(stop, "requested", True))
    try:
        run(layout, stop)
    except Exception as error:  # noqa: BLE001 - whatever it is becomes the failure of the job
        if not isinstance(error, AlgorithmFailure):
            traceback.print_exc()
        failure = error if isinstance(error, AlgorithmFailure) else AlgorithmError(f"{type(error).__name__}: {error}")
        log(f"Reporting training FAILURE\n{failure}", level="ERROR")
        layout.failure.parent.mkdir(parents=True, exist_ok=True)
        layout.failure.write_text(str(failure), encoding="utf-8")
        return 1
    return 0


def run(layout: Layout, stop: Stop) -> None:
    """Train and save the model.

    Raises:
        AlgorithmFailure: why the job fails.

    """
    log("Running XGBoost Sagemaker in algorithm mode")
    hyperparameters = {name: str(value) for name, value in layout.config("hyperparameters", required=True).items()}
    inputs = layout.config("inputdataconfig", required=True)
    hosts = layout.config("resourceconfig", required=False).get("hosts") or ["algo-1"]
    _check(hyperparameters, inputs, hosts)
    log("Determined 0 GPU(s) available on the instance.")
    data = _read(layout, hyperparameters, inputs)
    if stop.requested:
        log("Stopped before the first round.")
        return
    path = layout.config("checkpointconfig", required=False).get("LocalPath")
    booster = boost(
        Plan.of(hyperparameters),
        data,
        checkpoints=layout.local(path) if path else None,
        stop=stop,
        log=log,
        log_metrics=_print,
    )
    if stop.requested and hyperparameters.get("save_model_on_termination") != "true":
        log("Stopped on request; the model is not saved because save_model_on_termination is not true.")
        return
    layout.model.mkdir(parents=True, exist_ok=True)
    (layout.model / MODEL).write_bytes(booster.save())
    log(f"Stored trained model of {booster.rounds} rounds at {layout.model / MODEL}")


def _check(hyperparameters: dict[str, str], inputs: dict[str, Any], hosts: list[str]) -> None:
    found: list[AlgorithmFailure] = []
    found += [UserError(_sentence(problem)) for problem in xgboost_hyperparameters.problems(hyperparameters)]
    found += channels.problems(inputs)
    if len(found) == 1:
        raise found[0]
    if found:
        lines = [str(each.args[0] if isinstance(each, UserError) else each) for each in found]
        raise UserError("\n".join([f"{len(found)} problems", *lines]))
    if len(hosts) > 1:
        msg = f"this runner trains on one host, but the job has {len(hosts)}: {', '.join(hosts)}; use InstanceCount 1"
        raise PlatformError(msg)


def _sentence(problem: xgboost_hyperparameters.HyperparameterProblem) -> str:
    if problem.missing:
        return f"Missing required hyperparameter: {problem.name}"
    if problem.name not in xgboost_hyperparameters.HYPERPARAMETERS:
        return f"Extraneous hyperparameter found: {problem.name} ({problem.remedy})"
    return f"Hyperparameter {problem.name}: {problem.value} {problem.message}; allowed: {problem.allowed}"


def _read(layout: Layout, hyperparameters: dict[str, str], inputs: dict[str, Any]) -> dict[str, channels.Data]:
    # As in the container, the content type of the train channel holds for both.
    kind = content_of(inputs[channels.TRAIN].get("ContentType"))
    weights = hyperparameters.get("csv_weights") == "1"
    data = {
        name: channels.read(layout.channel(name), kind, channel=name, weights=weights, log=log)
        for name in (channels.TRAIN, channels.VALIDATION)
        if name in inputs
    }
    train = data[channels.TRAIN].matrix
    log("Single node training.")
    log(f"Train matrix has {train.rows} rows and {train.columns} columns")
    if channels.VALIDATION in data:
        validation = data[channels.VALIDATION].matrix
        log(f"Validation matrix has {validation.rows} rows")
        if validation.columns > train.columns or (kind == "csv" and validation.columns != train.columns):
            msg = f"the validation data has {validation.columns} features, the training data {train.columns}"
            raise UserError(msg)
    return data


def log(message: str, *, level: str = "INFO") -> None:
    """Write a line the way the container does."""
    _print(f"[{time.strftime('%Y-%m-%d:%H:%M:%S', time.gmtime())}:{level}] {message}")


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the log of the job


if __name__ == "__main__":
    sys.exit(main())
