"""The contract between SageMaker and a container, rule by rule, with what to do when one is broken."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

PREFIX = "mlops.capabilities."
"""Labels of the image that say what it offers beyond what SageMaker asks of every image."""


class Part(StrEnum):
    """What a rule is about."""

    DOCKERFILE = "Dockerfile"
    TRAIN = "train"
    SERVE = "serve"


class Status(StrEnum):
    """What became of a rule."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_OFFERED = "not offered"
    """The rule is for a capability that the image does not claim."""
    NOT_CHECKED = "not checked"
    """This machine, or the sample, cannot show it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule."""

    part: Part
    name: str
    text: str
    fix: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found about a rule."""

    rule: Rule
    status: Status
    detail: str = ""


def _rules(part: Part, *rules: tuple[str, str, str]) -> dict[str, Rule]:
    return {name: Rule(part, name, text, fix) for name, text, fix in rules}


DOCKERFILE = _rules(
    Part.DOCKERFILE,
    (
        "base-pinned",
        "every base image is pinned by digest, in a build argument before the first FROM",
        (
            "write ARG BASE=name:version@sha256:... before the first FROM, and FROM ${BASE}; "
            "`docker buildx imagetools inspect name:version` tells the digest"
        ),
    ),
    ("no-latest", "no image is called by the tag latest, or by no tag at all", "name a version: python:3.12-slim"),
    ("non-root-user", "the last USER is not root", "end the Dockerfile with USER 1000:1000"),
    (
        "health-check",
        "there is a HEALTHCHECK",
        "add HEALTHCHECK CMD with a program that asks http://localhost:8080/ping",
    ),
)
TRAIN = _rules(
    Part.TRAIN,
    (
        "exit-zero",
        "`train` exits with 0 on the sample",
        "run the program with the sample and read its output above; it must end with status 0 when all went well",
    ),
    ("model-file", "a successful `train` leaves its model in /opt/ml/model", "write the model to /opt/ml/model"),
    (
        "string-hyperparameters",
        "hyperparameters are strings, all of them, in /opt/ml/input/config/hyperparameters.json",
        'convert each value: int(hyperparameters["depth"]); SageMaker passes "5", never 5',
    ),
    (
        "train-unprivileged",
        "`train` needs not be root",
        "let the program read and write nothing that only root may; its data is in /opt/ml",
    ),
    (
        "train-read-only-root",
        "`train` writes nothing outside of /opt/ml and /tmp",
        "write the model to /opt/ml/model, other results to /opt/ml/output/data, what is temporary to /tmp",
    ),
    (
        "train-offline",
        "`train` needs no network",
        "put what it downloads into the image or a channel; jobs run without a network",
    ),
    (
        "bad-hyperparameters",
        (
            "hyperparameters that are nonsense (sample/bad-hyperparameters.json, otherwise nonsense for each) "
            "ends with a status other than 0 and the reason in /opt/ml/output/failure"
        ),
        "check the hyperparameters first; write all that is wrong to /opt/ml/output/failure and exit with 1",
    ),
    (
        "missing-data",
        "an empty channel ends with a status other than 0 and the reason in /opt/ml/output/failure",
        "write which channel has no file to /opt/ml/output/failure and exit with 1",
    ),
    (
        "channels",
        "data is read from /opt/ml/input/data/<channel>: nonsense there does not end with 0",
        "read every file in /opt/ml/input/data/<channel>, and exit with 1 when it is not what you expect",
    ),
    (
        "train-stops",
        ("SIGTERM in the middle ends `train` within 120 s (sample/long-hyperparameters.json makes one that lasts)"),
        (
            "handle SIGTERM: finish the step, save, exit; the first process of a container ignores it otherwise. A "
            "shell script must start the program with exec"
        ),
    ),
    (
        "checkpoint",
        (
            "stopped by SIGTERM, it leaves a checkpoint in /opt/ml/checkpoints when that folder is there; it must with "
            f"the label {PREFIX}checkpoint=true"
        ),
        "on SIGTERM, write what is needed to go on to /opt/ml/checkpoints, or take the label away",
    ),
)
SERVE = _rules(
    Part.SERVE,
    (
        "ping",
        "GET /ping on port 8080 answers 200 once the model is loaded",
        "start the server on 0.0.0.0:8080 and answer /ping with 200 when the model is in memory; its output is above",
    ),
    (
        "ping-without-model",
        "GET /ping does not answer 200 while there is no model",
        "load the model before the first 200 to /ping; without one, answer 503 or exit",
    ),
    ("serve-unprivileged", "`serve` needs not be root", "listen on 8080, read and write nothing that only root may"),
    (
        "serve-read-only-root",
        "`serve` writes nothing outside of /opt/ml and /tmp",
        "write temporary files to /tmp; let the server's own files (pid, cache, logs) go there or away",
    ),
    ("serve-offline", "`serve` starts without a network", "put what it downloads into the image or the model"),
    (
        "csv",
        "POST /invocations with text/csv (sample/request.csv) answers 200, text/csv",
        "accept Content-Type text/csv, rows of features without header, and answer Content-Type text/csv",
    ),
    (
        "one-line-per-row",
        "the answer in text/csv has one line per row, in the order of the rows, with a newline at its end or not",
        "answer one line for each row; batch transform joins the lines of many requests",
    ),
    (
        "json",
        (
            'POST /invocations with application/json answers 200 and one prediction a row: {"instances": [[...]]} '
            'or sample/request.json in, a list or {"predictions": [...]} out; not offered with 415, unless the '
            f"image has the label {PREFIX}json=true"
        ),
        'read {"instances": [[1, 2]]} and answer {"predictions": [0.5]}, or take the label away',
    ),
    (
        "batch-equals-single",
        "a row alone gets the answer that it gets among others",
        "let no row's answer depend on other rows: no scaling by the request, no state",
    ),
    ("content-type-415", "an unknown Content-Type is answered with 415", "check Content-Type before the body"),
    ("accept-406", "an Accept that cannot be given is answered with 406", "check Accept before the model is asked"),
    ("empty-204", "an empty body is answered with 204", "answer 204 No Content when the body has no bytes"),
    (
        "malformed-400",
        "a value that is no number is answered with 400 and a text that names row and column, counted from 1",
        "answer 400 with a text such as \"row 2, column 3: 'spam' is not a number\"",
    ),
    (
        "wrong-columns-400",
        "a row with a column too few is answered with 400 and a text that names the row",
        'answer 400 with a text such as "row 2: 3 columns, 4 are expected"',
    ),
    (
        "oversized-413",
        "a body larger than 100 MB, the most that SageMaker ever sends, is answered with 413",
        "answer 413 by Content-Length, before the body is read",
    ),
    (
        "bind-port",
        (
            "with the label com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true it listens on "
            "SAGEMAKER_BIND_TO_PORT"
        ),
        "read the port from SAGEMAKER_BIND_TO_PORT (8080 without it), or take the label away",
    ),
    (
        "execution-parameters",
        (
            "GET /execution-parameters answers MaxConcurrentTransforms, BatchStrategy and MaxPayloadInMB in JSON; not "
            f"offered when it answers 404, unless the image has the label {PREFIX}execution-parameters=true"
        ),
        'answer {"MaxConcurrentTransforms": 4, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 6}, or 404',
    ),
    (
        "multi-model",
        (
            "with the label com.amazonaws.sagemaker.capabilities.multi-models=true it is healthy without a model and "
            "keeps the routes /models: load (again: 409), list, describe, invoke, unload (then: 404)"
        ),
        "follow docs/bring-your-own.md for the routes, or take the label away",
    ),
    (
        "serve-stops",
        "SIGTERM ends `serve` within 30 s",
        (
            "handle SIGTERM; the first process of a container ignores it otherwise. A shell script must start the "
            "server with exec"
        ),
    ),
)
