from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil
import pytest

from benchmarks.serving.plan import Format
from benchmarks.serving.run import rotated
from benchmarks.serving.servers import Launch, classes, free_port, running

WITH_A_CHILD = """
import subprocess, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("x-child", str(child.pid))
        self.end_headers()
        self.wfile.write(str(child.pid).encode())
HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def launch(folder: Path, program: str, port: int) -> Launch:
    command = [sys.executable, "-c", program, str(port)]
    return Launch(commands=[command], environment={"PATH": os.environ["PATH"]}, folder=folder)


def test_a_server_is_started_asked_and_weighed(tmp_path: Path) -> None:
    port = free_port()
    with running("one", launch(tmp_path, WITH_A_CHILD, port), port) as server:
        server.weigh()
        alone = psutil.Process(int(server.ask("GET", "/ping")[1])).memory_info().rss / 2**20
        assert 0 < server.seconds_to_healthy < 30
        assert server.peak_mib > alone


@pytest.mark.parametrize("reason", [KeyboardInterrupt, RuntimeError])
def test_a_server_ends_with_its_children_whatever_ends_the_run(tmp_path: Path, reason: type[BaseException]) -> None:
    port = free_port()
    children: list[psutil.Process] = []
    with pytest.raises(reason), running("one", launch(tmp_path, WITH_A_CHILD, port), port) as server:  # noqa: PT012
        children.append(psutil.Process(int(server.ask("GET", "/ping")[1])))
        raise reason
    _, alive = psutil.wait_procs(children, timeout=5)  # killed, and soon gone: nobody waits for it but init
    assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []


def test_a_server_that_breaks_down_is_an_error_with_its_log(tmp_path: Path) -> None:
    program = "raise SystemExit('there is no model')"
    port = free_port()
    with pytest.raises(RuntimeError, match="there is no model"), running("one", launch(tmp_path, program, port), port):
        pass


@pytest.mark.parametrize(
    ("form", "answer"),
    [
        (Format.CSV, b"2\n0\n"),
        (Format.CSV, b"2.0\n0.0\n"),
        (Format.CSV, b"0.1,0.2,0.7\n1.0,0.0,0.0\n"),
        (Format.JSON, b'{"predictions": [2, 0]}'),
        (Format.JSON, b'{"predictions": [[0.1, 0.2, 0.7], [0.5, 0.3, 0.2]]}'),
    ],
)
def test_classes_and_probabilities_say_the_same(form: Format, answer: bytes) -> None:
    assert classes(form, answer) == [2, 0]


def test_each_server_is_the_first_in_its_turn() -> None:
    names = ["a", "b", "c"]
    orders = [rotated(names, number) for number in range(4)]
    assert [order[0] for order in orders] == ["a", "b", "c", "a"]
    assert all(sorted(order) == names for order in orders)
