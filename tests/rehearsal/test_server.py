from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import ClientError

from mlops.rehearsal import credentials, iam

if TYPE_CHECKING:
    from mlops.rehearsal.server import EmulatedAws

PROJECT = Path(__file__).resolve().parents[2]
LIFE = """
import json, socket, sys, threading
from mlops.rehearsal import credentials
from mlops.rehearsal.server import EmulatedAws
report = []
for account in ("111122223333", "444455556666"):
    aws = EmulatedAws(account=account, region="eu-central-1")
    with aws:
        s3 = credentials.client("s3")
        before = len(s3.list_buckets()["Buckets"])
        s3.create_bucket(Bucket="some-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        who = credentials.client("sts").get_caller_identity()["Account"]
        idle = socket.create_connection(("127.0.0.1", aws.port))
    try:
        socket.create_connection(("127.0.0.1", aws.port), timeout=1).close()
        closed = False
    except OSError:
        closed = True
    try:
        credentials.client("s3")
        dead = False
    except RuntimeError:
        dead = True
    report.append([before, who, closed, dead])
print(json.dumps(report))
"""


def test_two_starts_in_one_process_are_fresh_quiet_and_leave_no_port() -> None:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT), "MOTO_ACCOUNT_ID": "999999999999"}
    done = subprocess.run([sys.executable, "-c", LIFE], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[0, "111122223333", True, True], [0, "444455556666", True, True]]
    assert done.stderr == ""


def test_it_listens_on_loopback_only(aws: EmulatedAws) -> None:
    assert aws._server.server_address == ("127.0.0.1", aws.port)  # noqa: SLF001 - the address is the point


def test_starting_twice_is_refused(aws: EmulatedAws) -> None:
    with pytest.raises(RuntimeError, match="already running"):
        aws.start()


def test_an_api_that_is_not_emulated_is_refused_at_once_by_name(aws: EmulatedAws) -> None:
    assert aws.running
    with pytest.raises(ClientError, match="provision_product") as caught:
        credentials.client("servicecatalog").provision_product(ProductName="a", ProvisionedProductName="b")
    response = caught.value.response
    assert response["Error"]["Code"] == "NotEmulated"
    assert response["ResponseMetadata"]["RetryAttempts"] == 0


def test_keys_of_somebody_else_are_refused(aws: EmulatedAws) -> None:
    client = boto3.client(
        "sts", endpoint_url=aws.url, aws_access_key_id="AKIAREALREALREALREAL", aws_secret_access_key="real"
    )
    with pytest.raises(ClientError, match="not one of this emulated AWS"):
        client.get_caller_identity()


def test_an_unsigned_request_is_refused(aws: EmulatedAws) -> None:
    with socket.create_connection(("127.0.0.1", aws.port)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 403")


def test_thirty_two_clients_at_once_get_their_own_answers(aws: EmulatedAws) -> None:
    s3 = credentials.client("s3")
    s3.create_bucket(Bucket="concurrent-clients", CreateBucketConfiguration={"LocationConstraint": aws.region})

    def round_trip(number: int) -> bool:
        body = str(number).encode() * 1000
        s3.put_object(Bucket="concurrent-clients", Key=str(number), Body=body)
        return bool(s3.get_object(Bucket="concurrent-clients", Key=str(number))["Body"].read() == body)

    with ThreadPoolExecutor(32) as threads:
        assert all(threads.map(round_trip, range(64)))


def test_the_operators_calls_are_not_in_the_trace(aws: EmulatedAws) -> None:
    assert aws.running
    before = len(iam.trace())
    credentials.client("s3").list_buckets()
    assert len(iam.trace()) == before
