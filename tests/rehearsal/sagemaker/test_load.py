"""A load on an endpoint of the emulated AWS."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from mlops.rehearsal.load import Load, LoadError
from mlops.rehearsal.load_report import traffic_of
from mlops.rehearsal.load_tally import Versions, tally
from mlops.rehearsal.server import EmulatedAws

SERVE = """
import http.server, os, pathlib
text = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"], "model/model.txt").read_text()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self, body):
        self.send_response(200); self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "text/csv"); self.end_headers(); self.wfile.write(body)
    def do_GET(self): self.answer(b"")
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"])); self.answer(text.encode())
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""
VERSIONS = Versions({"old": ["0.25", "0.25"], "new": ["0.75", "0.75"]})


@pytest.fixture
def endpoint(account: Any, image: Callable[..., str], waiting: Callable[..., Any]) -> Any:
    sagemaker, uri, name = account.sagemaker, image(serve=SERVE), account.name("loaded")

    def configuration(answer: str) -> str:
        made: str = account.name("loaded-configuration")
        data = account.put_archive(f"{made}.tar.gz", **{"model.txt": answer})
        container = {"Image": uri, "ModelDataUrl": data}
        sagemaker.create_model(ModelName=made, ExecutionRoleArn=account.role, PrimaryContainer=container)
        variant = {"VariantName": "live", "ModelName": made, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
        sagemaker.create_endpoint_config(EndpointConfigName=made, ProductionVariants=[variant])
        return made

    def settled() -> bool:
        return bool(sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService")

    def update(answer: str) -> None:
        sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=configuration(answer))
        waiting(settled)

    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=configuration("0.25"))
    waiting(settled)
    yield name, update
    waiting(settled)
    sagemaker.delete_endpoint(EndpointName=name)


def load(aws: EmulatedAws, name: str) -> Load:
    return Load(name, ["1,2", "3,4"], rate=50, account=aws.account, region=aws.region)


def test_an_update_under_load_loses_nothing_and_is_seen_from_both_ends(aws: EmulatedAws, endpoint: Any) -> None:
    name, update = endpoint
    with load(aws, name) as running:
        time.sleep(0.5)
        update("0.75")
        time.sleep(0.5)
    requests = running.requests()
    found, traffic = tally(requests, VERSIONS), traffic_of(name, requests, VERSIONS, rate=50)
    assert found.sent > 40
    assert (found.lost, found.wrong, found.failed_attempts) == (0, 0, 0)
    seen = [VERSIONS.who(one) for one in sorted(requests, key=lambda one: one.ended)]
    assert (seen[0], seen[-1], set(seen)) == ("old", "new", {"old", "new"})
    assert len(traffic.versions) == 2
    assert abs(sum(sum(one.requests) for one in traffic.versions) - found.sent) <= 2  # at the edges of the picture


def test_nothing_is_left_of_a_load(aws: EmulatedAws, endpoint: Any) -> None:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    with load(aws, endpoint[0]) as running:
        clients = {child.pid for child in psutil.Process().children(recursive=True)} - before
        assert len(clients) == 1
        assert running.requests()
    assert {child.pid for child in psutil.Process().children(recursive=True)} == before
    assert running.requests()


def test_a_client_that_cannot_run_says_why(aws: EmulatedAws, endpoint: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(LoadError, match=r"no request to .* was answered"), load(aws, endpoint[0]):
        pass
