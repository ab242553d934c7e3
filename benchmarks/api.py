"""The function of the API: what it adds to the endpoint's time, its cold start, and what schemathesis finds.

What it calls answers at once, from another process on this machine. On Lambda each prediction also waits for DynamoDB,
a few milliseconds, and a cold start takes longer than here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from benchmarks.figures import Figure
from mlops_constructs.api_catalogue import catalogue
from mlops_constructs.settings import EnvironmentName, load_settings

ROOT = Path(__file__).resolve().parents[1]
REQUESTS = 3_000
COLD_STARTS = 10
EXAMPLES = 400
"""Of schemathesis for each operation and phase."""
SEED = 7
_TOTAL = re.compile(r"Test cases:\s*\n?\s*([\d,]+) generated")


def measure() -> list[Figure]:
    """Return the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_asset(folder)
        with _stub() as url:
            return [*_cold(folder, url), *_overhead(folder, url), *_schemathesis(folder, url)]


def write_asset(folder: Path) -> None:
    """Write what the function consists of, with the project's own models."""
    shutil.copytree(ROOT / "lambdas", folder / "lambdas", ignore=shutil.ignore_patterns("__pycache__"))
    models = load_settings(ROOT / "config").models.values()
    document = catalogue(models, project="mlops", environment=EnvironmentName.PROD)
    (folder / "models.json").write_text(json.dumps(document))


def _cold(folder: Path, url: str) -> Iterator[Figure]:
    _run(folder, url, "cold")  # compiles the modules, as a layer and a warm file system have them
    runs = [_run(folder, url, "cold") for _ in range(COLD_STARTS)]
    for name, what, note in (
        ("import", "cold import of the handler", "of a fresh process, Python itself aside"),
        ("first", "first request after it", "makes the clients of SageMaker and DynamoDB"),
    ):
        values = tuple(round(run[name], 1) for run in runs)
        yield Figure(name=what, value=statistics.median(values), unit="ms", runs=values, note=note)


def _overhead(folder: Path, url: str) -> Iterator[Figure]:
    found = _run(folder, url, "requests", str(REQUESTS))
    bare = statistics.median(found["bare"])
    over = sorted(value - bare for value in found["handler"])
    note = f"{REQUESTS:,} requests of one row, less the median of a bare call of the endpoint ({bare:.2f} ms)"
    for share in (50, 99):
        value = round(over[len(over) * share // 100], 2)
        yield Figure(name=f"overhead of the handler, p{share}", value=value, unit="ms", note=note)
    processor = round(found["processor"][0], 2)
    yield Figure(name="processor time of a request", value=processor, unit="ms", note="the mean; all of the function")


def _schemathesis(folder: Path, url: str) -> list[Figure]:
    document = folder / "openapi.json"
    document.write_text(json.dumps(enriched(json.loads((folder / "models.json").read_text()))))
    with _process(folder, url, "serve") as (process, output):
        port = output.readline().strip()
        command = [
            *(str(Path(sys.executable).with_name("schemathesis")), "run", str(document)),
            *("--url", f"http://127.0.0.1:{port}", "--max-examples", str(EXAMPLES), "--seed", str(SEED)),
            *("--phases", "examples,coverage,fuzzing", "--checks", "all", "--continue-on-failure", "--no-color"),
            # The function stands behind the authorizer; tests/rehearsal checks that.
            *("--exclude-checks", "ignored_auth", "--warnings", "off", "--suppress-health-check", "all"),
        ]
        answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        process.send_signal(signal.SIGINT)
        statuses = {int(status): count for status, count in json.loads(output.readline()).items()}
    total = _TOTAL.search(answer.stdout)
    if total is None:
        msg = f"schemathesis said something else than expected: {answer.stdout[-3000:]}{answer.stderr[-500:]}"
        raise RuntimeError(msg)
    failures = _failures(answer.stdout) if answer.returncode else 0
    note = ", ".join(f"{count:,} x {status}" for status, count in sorted(statuses.items()))
    return [
        Figure(name="schemathesis, test cases", value=int(total[1].replace(",", "")), unit="", note=note),
        Figure(name="schemathesis, failures", value=failures, unit="", note=_told(answer.stdout)),
        Figure(
            name="answers with 5xx",
            value=sum(count for status, count in statuses.items() if status >= 500),  # noqa: PLR2004 - HTTP
            unit="",
            note="the model never failed",
        ),
    ]


def enriched(models: dict[str, Any]) -> dict[str, Any]:
    """Return the kept OpenAPI document with the models in it, so that what is generated gets past the first check."""
    document: dict[str, Any] = json.loads((ROOT / "docs" / "openapi.json").read_text())
    general = document["paths"].pop("/models/{model}/predictions")
    for model in models["models"]:
        operation = json.loads(json.dumps(general))
        operation["post"]["operationId"] = f"predict_{model['name']}"
        del operation["post"]["parameters"]
        request = json.loads(json.dumps(document["components"]["schemas"]["PredictionRequest"]))
        request["properties"]["instances"]["items"] = _row(model["columns"])
        request["properties"]["instances"]["maxItems"] = 20
        operation["post"]["requestBody"]["content"]["application/json"]["schema"] = request
        document["paths"][f"/models/{model['name']}/predictions"] = operation
    return document


def _row(columns: list[dict[str, Any]]) -> dict[str, Any]:
    learned = [column for column in columns if column["type"] != "ignore"]
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {column["name"]: _value(column) for column in learned},
        "required": [column["name"] for column in learned if not column["missing"]],
    }


def _value(column: dict[str, Any]) -> dict[str, Any]:
    if column["type"] == "category":
        found: dict[str, Any] = {"enum": column["categories"]}
    else:
        # Not more than the 32-bit numbers of models, whole ones not more than what a 64-bit number has exactly.
        largest = 2**53 if column["type"] == "integer" else 3e38
        low, high = column.get("minimum"), column.get("maximum")
        found = {
            "type": column["type"],
            "minimum": -largest if low is None else low,
            "maximum": largest if high is None else high,
        }
    return {"anyOf": [found, {"type": "null"}]} if column["missing"] else found


def _failures(text: str) -> int:
    return len(re.findall(r"^_+ .* _+$", text, re.MULTILINE)) or 1


def _told(text: str) -> str:
    return "; ".join(dict.fromkeys(re.findall(r"^- (.+)$", text, re.MULTILINE)))


def _run(folder: Path, url: str, *arguments: str) -> dict[str, Any]:
    with _process(folder, url, *arguments) as (process, output):
        text = output.read()
        if process.wait():
            msg = f"the function's process ended with {process.returncode}"
            raise RuntimeError(msg)
    found: dict[str, Any] = json.loads(text)
    return found


@contextmanager
def _process(folder: Path, url: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "constructs")]),
        "AWS_ENDPOINT_URL": url,
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "example",
        "AWS_SECRET_ACCESS_KEY": "example",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
        "POWERTOOLS_SERVICE_NAME": "api",
        "TABLE": "inferences",
    }
    command = [sys.executable, "-m", "benchmarks.api_function", str(folder), *arguments]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout is None:
            raise RuntimeError
        yield process, process.stdout
    finally:
        process.kill()
        process.wait()


@contextmanager
def _stub() -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.api_stub"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout is None:
            raise RuntimeError
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.wait()
