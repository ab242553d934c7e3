from __future__ import annotations

import json
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from benchmarks.serving import load
from tests.benchmarks.serving_samples import CASE

SAID = {
    "requests": 2000,
    "microseconds": 500_000,
    "p50": 250.0,
    "p99": 1500.0,
    "connect": 0,
    "read": 0,
    "write": 0,
    "status": 0,
    "timeout": 0,
}
NOISE = "Running 1s test @ http://127.0.0.1:1/\n  Latency  {strange}\n"
needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed: apt-get install wrk")


@contextmanager
def answering(*statuses: int) -> Iterator[int]:
    """A server that answers with these statuses in turn; yields its port."""
    count = iter(range(10**9))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status = statuses[next(count) % len(statuses)] if body == b"1,2,3,4\n" else 400
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def pressed(port: int, folder: Path) -> load.Sample:
    body = folder / "1.csv"
    body.write_text("1,2,3,4\n")
    return load.press(port, CASE, body=body, seconds=1, python=Path(sys.executable))


def test_the_result_is_the_last_line_and_in_milliseconds() -> None:
    sample = load.parse(f"{NOISE}{json.dumps(SAID)}\n")
    assert (sample.requests, sample.per_second, sample.p50_ms, sample.p99_ms) == (2000, 4000.0, 0.25, 1.5)
    assert sample.valid


@pytest.mark.parametrize("kind", load.ERRORS)
def test_every_kind_of_error_invalidates_the_measurement(kind: str) -> None:
    sample = load.parse(json.dumps(SAID | {kind: 3}))
    assert sample.errors == 3
    assert not sample.valid


def test_a_load_generator_without_a_result_is_an_error_that_shows_what_it_said() -> None:
    with pytest.raises(RuntimeError, match="unable to connect"):
        load.parse("unable to connect to 127.0.0.1:1\n")


@needs_wrk
def test_wrk_sends_the_body_and_its_line_is_read(tmp_path: Path) -> None:
    with answering(200) as port:
        sample = pressed(port, tmp_path)
    assert sample.valid
    assert sample.requests == pytest.approx(sample.per_second, rel=0.5)
    assert 0 < sample.p50_ms <= sample.p99_ms


@needs_wrk
def test_wrk_counts_answers_that_are_errors(tmp_path: Path) -> None:
    with answering(200, 503) as port:
        sample = pressed(port, tmp_path)
    assert sample.errors > 0
    assert not sample.valid


@needs_wrk
def test_nobody_listening_is_an_error(tmp_path: Path) -> None:
    with answering(200) as port:
        pass
    with pytest.raises(RuntimeError, match="ended with 1"):
        pressed(port, tmp_path)
