"""The program that sends requests, against a server of the test."""

from __future__ import annotations

import http.server
import itertools
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from mlops.rehearsal import load_client

KEYS = {"accessKeyId": "AKIA", "secretAccessKey": "secret", "sessionToken": "token"}
Behaviour = Callable[[int], tuple[int, float]]
"""From the number of a request to the status of its answer and the seconds until it."""


class Server(http.server.ThreadingHTTPServer):
    """Answers as it is told and remembers what it was asked."""

    request_queue_size = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behaviour: Behaviour = lambda _: (200, 0.0)
        self.asked: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self._numbers = itertools.count()
        self.lock = threading.Lock()

    def number(self) -> int:
        return next(self._numbers)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        super().setup()
        with self.server.lock:
            self.server.connections += 1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            number = self.server.number()
            self.server.asked.append({**self.headers, "path": self.path})
            self.server.bodies.append(body)
        status, seconds = self.server.behaviour(number)
        time.sleep(seconds)
        if status == 0:
            self.close_connection = True
            return
        answer = b"0.5"
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("x-Amzn-Invoked-Production-Variant", "live")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def send(server: Server, tmp_path: Path) -> Callable[..., list[Any]]:
    """Let the program send requests for a while and return its lines."""

    def sent(*, seconds: float = 0.5, **changes: Any) -> list[Any]:
        plan, results = tmp_path / "plan.json", tmp_path / "results.jsonl"
        given = {"host": "127.0.0.1", "port": server.server_port, "region": "eu-west-1", **KEYS, "endpoint": "e"}
        given |= {"headers": {"Content-Type": "text/csv"}, "rows": ["1,2", "3,4"], "rate": 100.0, "retries": 2}
        plan.write_text(json.dumps(given | {"deadlineSeconds": 5.0} | changes))
        child = subprocess.Popen([sys.executable, "-P", load_client.__file__, str(plan), str(results)])
        limit = time.monotonic() + 20
        while not server.asked and time.monotonic() < limit:
            time.sleep(0.01)
        time.sleep(seconds)
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 0
        return [json.loads(line) for line in results.read_text().splitlines()]

    return sent


def test_every_request_that_was_begun_is_written_down_once(server: Server, send: Callable[..., list[Any]]) -> None:
    lines = send()
    assert len(lines) == len(server.asked)
    assert {json.dumps([attempts[0][0], attempts[0][2], answer]) for _, _, _, attempts, answer in lines} == {
        '[200, "live", "0.5"]'
    }
    assert [line[0] for line in sorted(lines, key=lambda line: line[1])][:4] == [0, 1, 0, 1]


def test_requests_are_due_at_a_constant_rate_whatever_becomes_of_them(
    server: Server, send: Callable[..., list[Any]]
) -> None:
    """A closed loop would wait for the slow answers and send a tenth."""
    server.behaviour = lambda _: (200, 0.3)
    due = sorted(line[1] for line in send(seconds=1.0))
    gaps = [later - earlier for earlier, later in itertools.pairwise(due)]
    assert len(due) > 80
    assert max(gaps) < 0.011
    assert min(gaps) > 0.009


def test_connections_are_used_again(server: Server, send: Callable[..., list[Any]]) -> None:
    lines = send()
    assert len(lines) > 40
    assert server.connections < len(lines) / 4


@pytest.mark.parametrize("status", [424, 500, 503, 429, 0])
def test_a_failed_try_is_followed_by_another(server: Server, send: Callable[..., list[Any]], status: int) -> None:
    server.behaviour = lambda number: (status if number == 0 else 200, 0.0)
    lines = send(seconds=0.3)
    tries = [[one[0] for one in attempts] for _, _, _, attempts, _ in lines]
    assert tries.count([status, 200]) == 1
    assert all(line[4] == "0.5" for line in lines)


def test_a_request_that_fails_three_times_is_lost(server: Server, send: Callable[..., list[Any]]) -> None:
    server.behaviour = lambda _: (500, 0.0)
    lines = send(seconds=0.2)
    assert lines
    assert {tuple(one[0] for one in attempts) for _, _, _, attempts, _ in lines} == {(500, 500, 500)}
    assert all(line[4] is None for line in lines)


def test_a_mistake_of_the_client_is_not_tried_again(server: Server, send: Callable[..., list[Any]]) -> None:
    server.behaviour = lambda _: (400, 0.0)
    assert {len(line[3]) for line in send(seconds=0.2)} == {1}


def test_a_request_without_an_answer_is_given_up_at_its_deadline(
    server: Server, send: Callable[..., list[Any]]
) -> None:
    server.behaviour = lambda _: (200, 3.0)
    lines = send(seconds=0.1, deadlineSeconds=0.5)
    assert all(line[4] is None and [one[0] for one in line[3]] == [0] for line in lines)
    assert all(0.45 < line[2] - line[1] < 1.5 for line in lines)


def test_requests_are_signed_as_the_sdk_signs_them(server: Server, send: Callable[..., list[Any]]) -> None:
    send(seconds=0.1)
    asked, body = server.asked[0], server.bodies[0]
    assert asked["path"] == "/endpoints/e/invocations"
    assert asked["X-Amz-Security-Token"] == "token"
    request = AWSRequest("POST", f"http://{asked['Host']}{asked['path']}", data=body)
    for name in ("Content-Type", "Host", "X-Amz-Date", "X-Amz-Security-Token"):
        request.headers[name] = asked[name]
    request.context["timestamp"] = asked["X-Amz-Date"]
    signer = SigV4Auth(Credentials("AKIA", "secret", "token"), "sagemaker", "eu-west-1")
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    assert asked["Authorization"].endswith(f"Signature={signature}")
