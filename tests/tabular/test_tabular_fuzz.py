"""Malformed input of every kind: 10,000 requests to the application, some of them over HTTP, and jobs for `train`.

Nothing malformed makes a 5xx, or a job that fails without a reason. The generator is seeded.
"""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from pathlib import Path

import pytest

from tabular import training
from tabular.contract import TrainingError
from tabular.server import Application
from tabular.settings import read
from tests.tabular.tabular_world import Job, Request, application, ask_all

REQUESTS = 10_000
OVER_HTTP = 1_000
JOBS = 400
PIECES = [
    *(
        b"1",
        b"2.5",
        b"-3",
        b"1e5",
        b"1e39",
        b"1e999",
        b"nan",
        b"inf",
        b"-",
        b"+",
        b".",
        b"e",
        b"_",
        b"0x1",
        b"null",
        b"true",
    ),
    *(
        b",",
        b",",
        b",",
        b"\n",
        b"\n",
        b"\r\n",
        b"\r",
        b" ",
        b"\t",
        b'"',
        b"'",
        b"\\",
        b";",
        b"\x00",
        b"\xff",
        b"\xc3",
        b"\xed\xa0\x80",
    ),
    *(
        b"[",
        b"]",
        b"{",
        b"}",
        b":",
        b'"instances"',
        b'{"instances":[[',
        b"]]}",
        "\u0664".encode(),
        "\U0001f600".encode(),
        b"9" * 50,
    ),
    b"[" * 300,
]
GOOD = [b"5.1,3.5,1.4,0.2\n", b"5.1,3.5,1.4,0.2\n6,3,5,2", b'{"instances": [[5.1, 3.5, 1.4, 0.2], [1, 2, 3, 4]]}']
TYPES = [
    *("text/csv", "application/json", "text/csv", "application/json", "text/csv; charset=utf-8", "text/csv;;="),
    *("image/png", "", "\xff", 'text/csv; charset="', "application/json, text/csv", "x" * 300),
]
ACCEPTS = [
    "",
    "*/*",
    "text/csv",
    "application/json",
    "text/*;q=0.5",
    "q=;;,,",
    "text/csv;q=x",
    "a/b",
    "*/*;q=-1",
    "\xfe",
    "," * 500,
]
PATHS = [
    *["/invocations"] * 12,
    *("/ping", "/models", "/models/x/invoke", "/models/\x00", "/", "//", "/execution-parameters"),
    *("/models/%2e%2e/invoke", f"/models/{'x' * 5000}", "/models?limit=-1", "/models?limit=9&limit"),
]
METHODS = ["POST"] * 12 + ["GET", "DELETE", "PUT", "HEAD", "OPTIONS", "PATCH", "BREW"]


def body(chance: random.Random) -> bytes:
    """A body out of pieces, or a good one with some damage."""
    if chance.random() < 0.4:
        return b"".join(chance.choices(PIECES, k=chance.randrange(0, 25)))
    found = bytearray(chance.choice(GOOD))
    for _ in range(chance.randrange(0, 4)):
        at = chance.randrange(0, len(found) + 1)
        match chance.randrange(4):
            case 0:
                found[at:at] = chance.choice(PIECES)
            case 1:
                del found[at : at + chance.randrange(1, 5)]
            case 2:
                found[at:at] = bytes([chance.randrange(256)])
            case _:
                found += found[: chance.randrange(0, len(found) + 1)]
    return bytes(found)


def request(chance: random.Random) -> Request:
    """One request, most of them malformed."""
    content = body(chance)
    headers = {"content-type": chance.choice(TYPES), "accept": chance.choice(ACCEPTS)}
    if chance.random() < 0.05:
        headers["content-length"] = str(chance.choice([0, 5, 10**7, 10**12]))
    if chance.random() < 0.05:
        headers["content-encoding"] = chance.choice(["gzip", "identity", "\xff"])
    at = chance.randrange(0, len(content) + 1)
    parts = (content[:at], content[at:]) if chance.random() < 0.2 else ()
    return Request(chance.choice(METHODS), chance.choice(PATHS), content, headers, parts)


@pytest.mark.parametrize("kind", ["tree", "forest", "many models"])
def test_nothing_malformed_makes_a_server_error(
    kind: str, iris_model: Path, number_model: Path, tmp_path: Path
) -> None:
    many = Application(read({"SAGEMAKER_MULTI_MODEL": "1"}), tmp_path)
    served = {"tree": application(iris_model), "forest": application(number_model), "many models": many}[kind]
    chance = random.Random(f"{kind} 1")  # noqa: S311 - not a secret
    requests = [request(chance) for _ in range(REQUESTS // 3 + 1)]
    answers = ask_all(served, requests)
    assert [(number, requests[number]) for number, found in enumerate(answers) if found.status >= 500] == []
    seen = Counter(found.status for found in answers)
    wanted = {400, 404, 405} if kind == "many models" else {200, 204, 400, 404, 405, 406, 413, 415}
    assert wanted <= seen.keys(), seen
    for one, found in zip(requests, answers, strict=True):
        if found.status == 400 and one.path == "/invocations":
            assert "row " in found.error or "JSON" in found.error or "instances" in found.error, (one, found)


def test_nothing_malformed_makes_a_server_error_over_http(iris_model: Path, job: Job) -> None:
    (job.base / "model").rmdir()
    (job.base / "model").symlink_to(iris_model)
    chance = random.Random("http 1")  # noqa: S311 - not a secret
    sent = [over_http(chance, request(chance)) for _ in range(OVER_HTTP)]
    with job.serving(workers=1) as server:
        found = [answer for at in range(0, OVER_HTTP, 100) for answer in server.raw(*sent[at : at + 100], seconds=0.25)]
        assert server.ask("GET", "/ping").status == 200
        assert "Traceback" not in server.log.read_text()
    assert [(number, sent[number]) for number, answer in enumerate(found) if b"HTTP/1.1 5" in answer] == []
    seen = Counter(answer[9:12] for answer in found)
    assert {b"200", b"400", b"404", b"405", b"415"} <= seen.keys(), seen


def over_http(chance: random.Random, one: Request) -> bytes:
    """The request as bytes, some of them wrong."""
    head = f"{one.method} {one.path} HTTP/1.{chance.choice('1110129')}\r\nhost: x\r\n"
    headers = dict(one.headers) | {"content-length": str(chance.choice([len(one.body)] * 8 + [0, -1, "x"]))}
    if chance.random() < 0.1:
        headers |= {"transfer-encoding": chance.choice(["chunked", "gzip, chunked", "x"])}
    if chance.random() < 0.1:
        headers |= {"connection": chance.choice(["upgrade", "close", "keep-alive, Upgrade"]), "upgrade": "websocket"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    sent = f"{head}{lines}\r\n".encode("latin-1") + one.body
    for _ in range(chance.choice([0, 0, 0, 1, 3])):
        at = chance.randrange(0, len(sent))
        sent = sent[:at] + bytes([chance.randrange(256)]) + sent[at + 1 :]
    return sent


NAMES = [
    "task",
    "estimator",
    "n_estimators",
    "max_depth",
    "seed",
    "max_features",
    "learning_rate",
    "zzz",
    "",
    "sagemaker_x",
]
VALUES: list[object] = [
    *(
        "classification",
        "regression",
        "decision_tree",
        "gradient_boosting",
        "1",
        "3",
        "-1",
        "1e400",
        "",
        "\x00",
        "none",
    ),
    *("x" * 500, 5, None, [], {}, True, "\ud800"),
]


def test_no_job_breaks_down_on_malformed_input(
    job: Job, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is refused with a reason, or was good enough to train."""
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(job.base))
    chance = random.Random("jobs 1")  # noqa: S311 - not a secret
    outcomes = Counter[str]()
    good = b"".join(b"%d,%d.5,2\n" % (number % 2, number) for number in range(8))
    for _ in range(JOBS):
        given: dict[str, object] = {
            "task": chance.choice(["classification", "regression"]),
            "estimator": "decision_tree",
        }
        for _ in range(chance.choice([0, 0, 1, 3])):
            given[chance.choice(NAMES)] = chance.choice(VALUES)
        path = job.base / "input/config/hyperparameters.json"
        path.write_bytes(body(chance) if chance.random() < 0.1 else json.dumps(given).encode())
        for name in ("train", "validation"):
            content = good if chance.random() < 0.5 else body(chance)
            (job.base / "input/data" / name / "part.csv").write_bytes(content)
        configuration = job.base / "input/config/inputdataconfig.json"
        configuration.write_bytes(body(chance) if chance.random() < 0.1 else b'{"train": {}}')
        try:
            training.run(threading.Event())
        except TrainingError as error:
            outcomes["refused" if str(error) else "refused without a reason"] += 1
        else:
            outcomes["trained"] += 1
    assert outcomes.keys() == {"refused", "trained"}
    assert outcomes["refused"] > JOBS // 2
    assert outcomes["trained"] > JOBS // 50
    capsys.readouterr()
