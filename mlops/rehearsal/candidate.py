"""A candidate as a data scientist makes one: prepared, trained, scored and measured, on one machine, without AWS.

The programs are those of the pipeline, so that what is measured here is what the pipeline will measure: the same
division of the rows, the built-in algorithm's own `train` and `serve`, the same evaluation.
"""

from __future__ import annotations

import gzip
import http.client
import itertools
import json
import os
import sys
import tarfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from mlops.rehearsal import processes, sagemaker_training_input
from mlops.rehearsal.project import ROOT
from mlops_constructs.settings import ModelSettings

_PACKAGE = "mlops.rehearsal.xgboost_algorithm"
_PROGRAMS = ROOT / "containers" / "processing"
_ROWS_AT_ONCE = 1000
_LISTENING = "Listening on http://127.0.0.1:"
_ANSWER_SECONDS = 60.0
_POLL_SECONDS = 0.02


class CandidateError(RuntimeError):
    """A candidate cannot be made; the text is what the program said that could not go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateFiles:
    """What is handed over."""

    model: Path
    """model.tar.gz, as a training job packs it."""
    data: Path
    """The raw data, a CSV with a header."""
    metrics: Path
    """evaluation.json, measured on the test rows of that data."""


def make_candidate(model: ModelSettings, data: str, folder: Path) -> CandidateFiles:
    """Train `model` on the CSV `data` and measure it; everything is left in `folder`.

    Equal data gives equal files.

    Raises:
        CandidateError: the data breaks a rule of the settings, or a program fails.

    """
    if model.algorithm is None:
        msg = f"{model.name} has a container of its own; candidates are made here with the built-in algorithm alone"
        raise CandidateError(msg)
    raw = _written(folder / "data.csv", data)
    prepared = _prepared(model, raw, folder)
    trained = _trained(model, prepared, folder / "training")
    answers = _answered(trained, prepared / "score" / "test.csv", folder / "serving.log")
    evaluation = _evaluated(prepared, answers, folder)
    archive = _packed(trained / "model", folder / "model.tar.gz")
    metrics = _written(folder / "evaluation.json", evaluation.read_text(encoding="utf-8"))
    return CandidateFiles(model=archive, data=raw, metrics=metrics)


def _prepared(model: ModelSettings, raw: Path, folder: Path) -> Path:
    """Check and divide the data; return the folder of the results."""
    settings = folder / "settings.json"
    _written(settings, json.dumps(model.model_dump(mode="json")))
    base = folder / "prepare"
    _linked(base / "input" / "raw" / raw.name, raw)
    _run([str(_PROGRAMS), "prepare", "--settings", str(settings), "--base", str(base)], folder)
    report = json.loads((base / "output" / "report" / "validation.json").read_text(encoding="utf-8"))
    if not report["passed"]:
        faults = "; ".join(str(violation["message"]) for violation in report["violations"])
        msg = f"the data of {model.name} breaks the rules of its settings: {faults}"
        raise CandidateError(msg)
    return base / "output"


def _trained(model: ModelSettings, prepared: Path, base: Path) -> Path:
    """Train in `base`, the /opt/ml of the training program, and return it."""
    channels = ("train", "validation")
    request = {
        "AlgorithmSpecification": {"TrainingInputMode": "File"},
        "HyperParameters": model.hyperparameters,
        "InputDataConfig": [
            {"ChannelName": name, "ContentType": "text/csv", "DataSource": {"S3DataSource": {}}} for name in channels
        ],
    }
    sagemaker_training_input.write(base, request, instance_type=model.training.instance_types[0])
    for name in channels:
        _linked(base / "input" / "data" / name / f"{name}.csv", prepared / name / f"{name}.csv")
    _run(["-m", f"{_PACKAGE}.train"], base, SAGEMAKER_BASE_DIR=str(base))
    return base


def _answered(base: Path, rows: Path, log: Path) -> Path:
    """Let the trained model answer the rows in its own serving program; return the file of the answers."""
    answers = base / "test.csv.out"
    with (
        _serving(base, log) as port,
        closing(http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_SECONDS)) as connection,
        rows.open("rb") as asked,
        answers.open("wb") as answered,
    ):
        while block := b"".join(itertools.islice(asked, _ROWS_AT_ONCE)):
            connection.request("POST", "/invocations", block, {"Content-Type": "text/csv", "Accept": "text/csv"})
            response = connection.getresponse()
            body = response.read()
            if response.status != HTTPStatus.OK:
                msg = f"the model answers {response.status}: {body.decode(errors='replace')[:500]}"
                raise CandidateError(msg)
            answered.write(body)
    return answers


@contextmanager
def _serving(base: Path, log: Path) -> Iterator[int]:
    """Run the serving program on a port that it chooses, and end it."""
    with log.open("wb") as output:
        child = processes.spawn(
            [sys.executable, "-m", f"{_PACKAGE}.serve"],
            env=_environment(SAGEMAKER_BASE_DIR=str(base), SAGEMAKER_BIND_TO_PORT="0", SAGEMAKER_BATCH="true"),
            cwd=base,
            stdout=output,
        )
    try:
        limit = time.monotonic() + _ANSWER_SECONDS
        while True:
            running, said = child.poll() is None, log.read_text(encoding="utf-8", errors="replace")
            first, ended, _ = said.partition("\n")
            if ended and first.startswith(_LISTENING):
                break
            if not running or time.monotonic() > limit:
                msg = f"the model does not serve: {_last(said)}"
                raise CandidateError(msg)
            time.sleep(_POLL_SECONDS)
        yield int(first.removeprefix(_LISTENING))
    finally:
        processes.end(child)


def _evaluated(prepared: Path, answers: Path, folder: Path) -> Path:
    """Measure the answers to the test rows; return the report."""
    base = folder / "evaluate"
    _linked(base / "input" / "test" / "test.csv", prepared / "test" / "test.csv")
    _linked(base / "input" / "challenger" / "test.csv.out", answers)
    settings = folder / "settings.json"
    _run([str(_PROGRAMS), "evaluate", "--settings", str(settings), "--base", str(base)], folder)
    return base / "output" / "evaluation" / "evaluation.json"


def _packed(folder: Path, archive: Path) -> Path:
    """Pack the files of `folder` as SageMaker does, but without the time, so that equal models are equal archives."""
    with (
        archive.open("wb") as target,
        gzip.GzipFile(filename="", fileobj=target, mode="wb", mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w") as packed,
    ):
        for path in sorted(folder.iterdir()):
            packed.add(path, arcname=path.name, filter=_timeless)
    return archive


def _timeless(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mtime = member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _run(words: Sequence[str], folder: Path, **variables: str) -> None:
    """Run a program of Python to its end."""
    child = processes.spawn([sys.executable, *words], env=_environment(**variables), cwd=folder)
    try:
        said, _ = child.communicate()
    finally:
        processes.end(child)
    if child.returncode:
        msg = f"{' '.join(words[:2])} ended with {child.returncode}: {_last(said.decode(errors='replace'))}"
        raise CandidateError(msg)


def _environment(**variables: str) -> dict[str, str]:
    return processes.clean_environment(PYTHONPATH=os.pathsep.join([str(ROOT), str(ROOT / "constructs")]), **variables)


def _last(said: str) -> str:
    return " ".join(said.split())[-500:] or "it said nothing"


def _written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def _linked(path: Path, source: Path) -> None:
    """Put `source` at `path` without copying it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.hardlink_to(source)
