"""The verification of one variant, of one model of a multi-model endpoint, and of an asynchronous endpoint."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from lambdas.shared.errors import EventError
from lambdas.verify_endpoint import asynchronous
from tests.lambdas.conftest import BUCKET
from tests.lambdas.endpoint_program import NAME, deployed

if TYPE_CHECKING:
    from tests.lambdas.conftest import Aws, Bucket, Json
    from tests.lambdas.endpoint_program import Serving

EventOf = Callable[..., "Json"]
Verify = Callable[..., "Json"]


def test_a_variant_beside_another_model_is_tried_by_itself(
    aws: Aws, event_of: EventOf, verify: Verify, serving: Serving
) -> None:
    deployed(aws, event_of("verify_endpoint"), variants=("live", "challenger"))
    answer = verify(target={"variant": "challenger"})
    assert answer["passed"] is True
    assert set(serving.targets) == {("challenger", None)}


def test_without_a_target_every_variant_has_to_serve_what_was_asked_for(
    aws: Aws, event_of: EventOf, verify: Verify, serving: Serving
) -> None:
    deployed(aws, event_of("verify_endpoint"), variants=("live", "challenger"))
    answer = verify()
    assert answer["passed"] is False
    assert "variant live serves the model data" in answer["summary"]
    assert serving.requests == []


def test_a_variant_that_is_not_there_fails(aws: Aws, event_of: EventOf, verify: Verify, serving: Serving) -> None:
    deployed(aws, event_of("verify_endpoint"), variants=("live",))
    answer = verify(target={"variant": "challenger"})
    assert answer["passed"] is False
    assert "the endpoint has no variant challenger, only live" in answer["summary"]
    assert serving.requests == []


def test_a_model_of_many_is_named_by_its_place_below_the_endpoints_data(
    aws: Aws, event_of: EventOf, verify: Verify, serving: Serving
) -> None:
    event = event_of("verify_endpoint")
    folder, _, key = event["expected"]["modelDataUrl"].partition("/runs/")
    deployed(aws, event, model_data=f"{folder}/runs/")
    assert verify(target={"model": key})["passed"] is True
    assert set(serving.targets) == {(None, key)}


def test_another_model_of_many_fails(aws: Aws, event_of: EventOf, verify: Verify) -> None:
    deployed(aws, event_of("verify_endpoint"), model_data="s3://mlops-artifacts/churn/runs/")
    answer = verify(target={"model": "run-0/model.tar.gz"})
    assert answer["passed"] is False
    assert "run-0/model.tar.gz" in answer["summary"]


@pytest.mark.usefixtures("serving", "bucket")
@pytest.mark.parametrize(
    ("target", "field"),
    [
        ({"variant": "a b"}, "target.variant"),
        ({"model": "/model.tar.gz"}, "target.model"),
        ({"asynchronous": {}}, "target.asynchronous.inputUri"),
        ({"asynchronous": {"inputUri": "bucket/key"}}, "target.asynchronous.inputUri"),
    ],
)
def test_a_wrong_target_is_named(verify: Verify, target: Json, field: str) -> None:
    with pytest.raises(EventError, match=field):
        verify(target=target)


class Queue:
    """An asynchronous endpoint as a program on loopback, with the answers of the real-time one."""

    def __init__(self, serving: Serving, bucket: Bucket) -> None:
        self.serving, self.bucket = serving, bucket
        self.answers = True
        self.inputs: list[str] = []

    def accept(self, location: str) -> tuple[str, str]:
        bucket, _, key = location.removeprefix("s3://").partition("/")
        body = self.bucket.s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
        self.inputs.append(location)
        name, number = ("out", len(self.inputs)) if self.answers else ("fail", len(self.inputs))
        content = self.serving.respond(body) if self.answers else b"the model is broken"
        self.bucket.put(f"churn/{name}/{number}", content)
        return f"s3://{BUCKET}/churn/out/{number}", f"s3://{BUCKET}/churn/fail/{number}"


@pytest.fixture
def queue(aws: Aws, serving: Serving, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    queue = Queue(serving, bucket)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            assert self.path == f"/endpoints/{NAME}/async-invocations"
            output, failure = queue.accept(self.headers["X-Amzn-SageMaker-InputLocation"])
            self.send_response(202)
            self.send_header("X-Amzn-SageMaker-OutputLocation", output)
            self.send_header("X-Amzn-SageMaker-FailureLocation", failure)
            content = b'{"InferenceId": "1"}'
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    aws.served_here.add("sagemaker-runtime")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(asynchronous, "POLL_SECONDS", 0.01)
    yield queue
    server.shutdown()
    server.server_close()


TARGET = {"asynchronous": {"inputUri": f"s3://{BUCKET}/churn/input/verification"}}


@pytest.mark.usefixtures("good")
def test_an_asynchronous_endpoint_answers_to_its_bucket(verify: Verify, queue: Queue) -> None:
    answer = verify(target=TARGET)
    assert answer["passed"] is True, answer["summary"]
    assert len(queue.inputs) == 6
    assert all(one.startswith(f"s3://{BUCKET}/churn/input/verification/run-1/") for one in queue.inputs)


@pytest.mark.usefixtures("good")
def test_a_failure_of_an_asynchronous_endpoint_says_why(verify: Verify, queue: Queue) -> None:
    queue.answers = False
    answer = verify(target=TARGET)
    assert answer["passed"] is False
    assert "the model failed: the model is broken" in answer["summary"]


@pytest.mark.usefixtures("good")
def test_an_asynchronous_endpoint_that_never_answers_fails(
    verify: Verify, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asynchronous, "WAIT_SECONDS", 0.05)
    nowhere = f"s3://{BUCKET}/churn/nowhere"
    monkeypatch.setattr(queue, "accept", lambda _: (nowhere, nowhere))
    answer = verify(target=TARGET)
    assert answer["passed"] is False
    assert "neither an answer at" in answer["summary"]
