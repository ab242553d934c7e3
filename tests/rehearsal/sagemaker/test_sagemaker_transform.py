from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlops.rehearsal.faults import FAULTS, Fault
from mlops.rehearsal.sagemaker_batches import RecordTooLargeError, assembled, batches
from mlops.rehearsal.timeline import TIMELINE, Kind

SERVE = """
import http.server, json, os, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if "PARAMETERS" in os.environ or self.path == "/ping" else 404); self.end_headers()
        self.wfile.write(os.environ.get("PARAMETERS", "").encode())
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        said = " ".join(["asked", str(len(body.splitlines())), self.headers["Content-Type"], self.headers["Accept"]])
        print(said + "\\n", end="", flush=True)
        status = 200
        for word, code in (("bad", 400), ("broken", 500)):
            if word in body:
                status = code
        time.sleep(float(os.environ.get("SLOW", "0")))
        self.send_response(status); self.end_headers()
        rows = [str(2 * float(line.split(",")[0])) for line in body.splitlines()] if status == 200 else ["no: " + body]
        self.wfile.write(os.environ.get("BETWEEN", chr(10)).join(rows).encode())
    def log_message(self, *_): pass
names = ("BATCH", "MAX_PAYLOAD_IN_MB", "BATCH_STRATEGY", "MAX_CONCURRENT_TRANSFORMS")
print("batch", *(os.environ.get("SAGEMAKER_" + name) for name in names), flush=True)
print("role", "AWS_ACCESS_KEY_ID" in os.environ, flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""


class Transforms:
    """Models and transform jobs of a test."""

    def __init__(self, account: Any, image: Callable[..., str], waiting: Callable[..., Any]) -> None:
        self.account, self.image, self.waiting = account, image, waiting

    def request(self, *, serve: str = SERVE, isolated: bool = False, **changes: Any) -> dict[str, Any]:
        name = self.account.name("transform")
        data = self.account.put_archive(f"{name}.tar.gz", **{"model.txt": "m"})
        self.account.sagemaker.create_model(
            ModelName=name,
            ExecutionRoleArn=self.account.role,
            PrimaryContainer={"Image": self.image(serve=serve), "ModelDataUrl": data},
            EnableNetworkIsolation=isolated,
        )
        source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{self.account.bucket}/{name}/in"}}
        return {
            "TransformJobName": name,
            "ModelName": name,
            "BatchStrategy": "MultiRecord",
            "MaxPayloadInMB": 6,
            "TransformInput": {"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"},
            "TransformOutput": {
                "S3OutputPath": f"s3://{self.account.bucket}/{name}/out",
                "Accept": "text/csv",
                "AssembleWith": "Line",
            },
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
            **changes,
        }

    def begin(self, request: dict[str, Any], **objects: str) -> str:
        name: str = request["TransformJobName"]
        for key, text in objects.items():
            self.account.put(f"{name}/in/{key}.csv", text)
        self.account.sagemaker.create_transform_job(**request)
        return name

    def ended(self, name: str) -> dict[str, Any]:
        def probe() -> Any:
            job = self.account.sagemaker.describe_transform_job(TransformJobName=name)
            return job if job["TransformJobStatus"] not in {"InProgress", "Stopping"} else None

        job: dict[str, Any] = self.waiting(probe)
        return job

    def run(self, request: dict[str, Any], **objects: str) -> dict[str, Any]:
        return self.ended(self.begin(request, **objects))

    def output(self, name: str, key: str = "test") -> str:
        answer: bytes = self.account.get(f"s3://{self.account.bucket}/{name}/out/{key}.csv.out")
        return answer.decode()

    def log(self, name: str) -> list[str]:
        return [event.name for event in TIMELINE.events(Kind.LOG) if event.detail["source"] == name]


@pytest.fixture
def transforms(account: Any, image: Callable[..., str], waiting: Callable[..., Any]) -> Transforms:
    return Transforms(account, image, waiting)


def test_every_row_is_answered_in_its_order(transforms: Transforms) -> None:
    job = transforms.run(transforms.request(), test="1,5\n2,6\n3,7\n")
    assert job["TransformJobStatus"] == "Completed"
    assert transforms.output(job["TransformJobName"]) == "2.0\n4.0\n6.0\n"
    assert job["CreationTime"] <= job["TransformStartTime"] <= job["TransformEndTime"]


def test_the_container_knows_that_it_transforms_a_batch(transforms: Transforms) -> None:
    job = transforms.run(transforms.request(MaxConcurrentTransforms=2), test="1\n")
    log = transforms.log(job["TransformJobName"])
    assert "batch true 6 MULTI_RECORD 2" in log
    assert "asked 1 text/csv text/csv" in log
    assert "[sagemaker logs]: MaxConcurrentTransforms=2, MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD" in log


def test_the_container_says_how_it_wants_to_be_asked(transforms: Transforms) -> None:
    wanted = {"MaxConcurrentTransforms": 3, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 2}
    request = transforms.request(Environment={"PARAMETERS": json.dumps(wanted)})
    del request["BatchStrategy"], request["MaxPayloadInMB"]
    job = transforms.run(request, test="1\n2\n")
    log = transforms.log(job["TransformJobName"])
    assert "[sagemaker logs]: MaxConcurrentTransforms=3, MaxPayloadInMB=2, BatchStrategy=SINGLE_RECORD" in log
    assert log.count("asked 1 text/csv text/csv") == 2
    assert "batch true None None None" in log


def test_what_the_job_says_counts_more_than_what_the_container_wants(transforms: Transforms) -> None:
    wanted = {"MaxConcurrentTransforms": 3, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 2}
    job = transforms.run(transforms.request(Environment={"PARAMETERS": json.dumps(wanted)}), test="1\n2\n")
    assert (
        "[sagemaker logs]: MaxConcurrentTransforms=3, MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD"
        in transforms.log(job["TransformJobName"])
    )


def test_a_container_without_network_has_no_credentials(transforms: Transforms) -> None:
    job = transforms.run(transforms.request(isolated=True), test="1\n")
    assert "role False" in transforms.log(job["TransformJobName"])


def test_each_object_has_an_output_of_its_own(transforms: Transforms) -> None:
    name = transforms.run(transforms.request(), first="1\n", second="2\n")["TransformJobName"]
    assert (transforms.output(name, "first"), transforms.output(name, "second")) == ("2.0\n", "4.0\n")


def test_a_refused_row_fails_the_job_and_leaves_other_outputs(transforms: Transforms) -> None:
    job = transforms.run(transforms.request(), test="1\n", wrong="bad\n")
    name = job["TransformJobName"]
    assert (job["TransformJobStatus"], job["FailureReason"]) == (
        "Failed",
        "ClientError: See job logs for more information",
    )
    assert transforms.output(name) == "2.0\n"
    with pytest.raises(ClientError, match="NoSuchKey"):
        transforms.output(name, "wrong")
    assert f"[sagemaker logs]: {transforms.account.bucket}/{name}/in/wrong.csv: ClientError: 400" in transforms.log(
        name
    )


def test_a_broken_container_is_asked_again_and_then_named(transforms: Transforms) -> None:
    job = transforms.run(transforms.request(ModelClientConfig={"InvocationsMaxRetries": 2}), test="broken\n")
    assert job["FailureReason"] == "AlgorithmError: See job logs for more information"
    log = transforms.log(job["TransformJobName"])
    assert log.count("asked 1 text/csv text/csv") == 3
    assert any("Bad HTTP status received from algorithm: 500" in line for line in log)


def test_a_slow_container_is_not_waited_for_longer_than_the_job_says(transforms: Transforms) -> None:
    patience = {"InvocationsTimeoutInSeconds": 1, "InvocationsMaxRetries": 0}
    job = transforms.run(transforms.request(Environment={"SLOW": "5"}, ModelClientConfig=patience), test="1\n")
    assert job["FailureReason"] == "AlgorithmError: See job logs for more information"
    assert any("Unable to get response from algorithm" in line for line in transforms.log(job["TransformJobName"]))


def test_a_container_that_ends_at_once_does_not_answer_the_ping(transforms: Transforms) -> None:
    job = transforms.run(transforms.request(serve="raise SystemExit('no model')"), test="1\n")
    assert job["FailureReason"].startswith("AlgorithmError: Model container failed to respond to ping.")
    assert "no model" in transforms.log(job["TransformJobName"])


def test_an_empty_prefix_fails_the_job(transforms: Transforms) -> None:
    assert "No S3 objects found" in transforms.run(transforms.request())["FailureReason"]


def test_a_job_can_be_stopped(transforms: Transforms) -> None:
    name = transforms.begin(transforms.request(Environment={"SLOW": "60"}), test="1\n", other="2\n")
    transforms.waiting(lambda: "asked 1 text/csv text/csv" in transforms.log(name))
    began = time.monotonic()
    transforms.account.sagemaker.stop_transform_job(TransformJobName=name)
    assert transforms.ended(name)["TransformJobStatus"] == "Stopped"
    assert time.monotonic() - began < 10
    with pytest.raises(ClientError, match="in status Stopped"):
        transforms.account.sagemaker.stop_transform_job(TransformJobName=name)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ModelName": "nobody"}, "Could not find model"),
        ({"MaxPayloadInMB": 60, "MaxConcurrentTransforms": 2}, "must not exceed 100 MB"),
        ({"DataProcessing": {"JoinSource": "Input"}}, "DataProcessing of transform jobs is not rehearsed"),
        ({"TransformResources": {"InstanceType": "ml.none", "InstanceCount": 1}}, "enum value set"),
    ],
)
def test_a_wrong_request_is_refused(transforms: Transforms, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message):
        transforms.begin(transforms.request(**changes))


def test_a_name_is_used_once(transforms: Transforms) -> None:
    request = transforms.request()
    transforms.run(request, test="1\n")
    with pytest.raises(ClientError) as error:
        transforms.begin(request)
    assert error.value.response["Error"]["Code"] == "ResourceInUse"


def test_jobs_are_listed_and_tagged(transforms: Transforms) -> None:
    job = transforms.run(transforms.request(Tags=[{"Key": "k", "Value": "v"}]), test="1\n")
    name, sagemaker = job["TransformJobName"], transforms.account.sagemaker
    listed = sagemaker.list_transform_jobs(NameContains=name, StatusEquals="Completed")["TransformJobSummaries"]
    assert [item["TransformJobName"] for item in listed] == [name]
    assert sagemaker.list_tags(ResourceArn=job["TransformJobArn"])["Tags"] == [{"Key": "k", "Value": "v"}]


def test_the_fault_serve_unhealthy_fails_the_job_within_seconds(transforms: Transforms) -> None:
    FAULTS.activate(Fault.SERVE_UNHEALTHY)
    began = time.monotonic()
    job = transforms.run(transforms.request(), test="1\n")
    assert job["FailureReason"].startswith("AlgorithmError: Model container failed to respond to ping.")
    assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    ("strategy", "split", "megabytes", "expected"),
    [
        ("MultiRecord", "Line", 1, [b"a\nb\nc\n"]),
        ("SingleRecord", "Line", 1, [b"a\n", b"b\n", b"c\n"]),
        ("MultiRecord", "None", 1, [b"a\nb\nc\n"]),
    ],
)
def test_an_object_is_cut_into_requests(strategy: str, split: str, megabytes: int, expected: list[bytes]) -> None:
    assert list(batches(b"a\nb\nc\n", split=split, strategy=strategy, megabytes=megabytes)) == expected


def test_a_request_holds_as_many_lines_as_fit() -> None:
    line = b"x" * 299_999 + b"\n"
    sizes = [len(body) for body in batches(line * 8, split="Line", strategy="MultiRecord", megabytes=1)]
    assert sizes == [900_000, 900_000, 600_000]


def test_a_line_that_is_too_long_is_refused() -> None:
    with pytest.raises(RecordTooLargeError, match="record 2"):
        list(batches(b"1\n" + b"x" * 1_100_000, split="Line", strategy="MultiRecord", megabytes=1))


def test_answers_without_a_line_feed_are_not_run_together() -> None:
    assert assembled([b"1\n2", b"3\n"], assemble="Line") == b"1\n2\n3\n"
    assert assembled([b"1\n2", b"3\n"], assemble="None") == b"1\n23\n"


def listing(transforms: Transforms, body: Any) -> dict[str, Any]:
    """A job whose manifest has the given body."""
    request = transforms.request()
    name, account = request["TransformJobName"], transforms.account
    uri = account.put(f"{name}/requests/one.manifest", body if isinstance(body, str) else json.dumps(body))
    request["TransformInput"]["DataSource"]["S3DataSource"] = {"S3DataType": "ManifestFile", "S3Uri": uri}
    return request


def test_a_manifest_lists_what_is_transformed(transforms: Transforms) -> None:
    request = listing(transforms, [])
    name = request["TransformJobName"]
    prefix = f"s3://{transforms.account.bucket}/{name}/in/"
    transforms.account.put(
        f"{name}/requests/one.manifest", json.dumps([{"prefix": prefix}, "first.csv", "b/second.csv"])
    )
    transforms.account.put(f"{name}/in/b/second.csv", "2\n")
    job = transforms.run(request, first="1\n", third="3\n")
    assert job["TransformJobStatus"] == "Completed", job.get("FailureReason")
    assert (transforms.output(name, "first"), transforms.output(name, "b/second")) == ("2.0\n", "4.0\n")
    with pytest.raises(ClientError, match="NoSuchKey"):
        transforms.output(name, "third")


@pytest.mark.parametrize("body", ["no JSON", [], [{"prefix": "s3://a/b/"}], ["a.csv"], [{"prefix": "s3://a/"}, 5]])
def test_a_manifest_that_lists_nothing_fails_the_job(transforms: Transforms, body: Any) -> None:
    job = transforms.run(listing(transforms, body), first="1\n")
    assert job["TransformJobStatus"] == "Failed"
    assert "ClientError: the manifest" in job["FailureReason"]
