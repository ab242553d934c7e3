from __future__ import annotations

import io
import itertools
import json
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlops.rehearsal import credentials, images
from mlops.rehearsal.faults import FAULTS
from mlops.rehearsal.server import EmulatedAws
from tests.rehearsal.endpoints_world import SERVE, Endpoints

IMAGE = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/tiny:1"
_numbers = itertools.count(1)


@dataclass
class Account:
    """An execution role, a bucket, and the operator's clients."""

    role: str
    bucket: str

    def client(self, service: str) -> Any:
        return credentials.client(service)

    @property
    def sagemaker(self) -> Any:
        return self.client("sagemaker")

    def put(self, key: str, text: str | bytes) -> str:
        body = text.encode() if isinstance(text, str) else text
        self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)
        return f"s3://{self.bucket}/{key}"

    def get(self, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        answer: bytes = self.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        return answer

    def archive(self, uri: str) -> dict[str, bytes]:
        with tarfile.open(fileobj=io.BytesIO(self.get(uri))) as archive:
            files = {member.name: archive.extractfile(member) for member in archive.getmembers() if member.isfile()}
            return {name: file.read() for name, file in files.items() if file}

    def put_archive(self, key: str, **files: str) -> str:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for name, text in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(text.encode())
                archive.addfile(info, io.BytesIO(text.encode()))
        return self.put(key, buffer.getvalue())

    def name(self, stem: str) -> str:
        return f"{stem}-{next(_numbers)}"

    def training_request(self, **changes: Any) -> dict[str, Any]:
        self.put("train/a.csv", "1,2\n0,3\n")
        return {
            "TrainingJobName": self.name("train"),
            "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            "RoleArn": self.role,
            "InputDataConfig": [
                {
                    "ChannelName": "train",
                    "ContentType": "text/csv",
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{self.bucket}/train/"}},
                }
            ],
            "OutputDataConfig": {"S3OutputPath": f"s3://{self.bucket}/models"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            **changes,
        }

    def train(self, **changes: Any) -> dict[str, Any]:
        request = self.training_request(**changes)
        self.sagemaker.create_training_job(**request)
        return self.ended_training(request["TrainingJobName"])

    def ended_training(self, name: str) -> dict[str, Any]:
        def ended() -> Any:
            job = self.sagemaker.describe_training_job(TrainingJobName=name)
            return job if job["TrainingJobStatus"] not in {"InProgress", "Stopping"} else None

        job: dict[str, Any] = wait_for(ended)
        return job


def wait_for(probe: Callable[[], Any], *, seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = probe()
        if found:
            return found
        time.sleep(0.05)
    msg = f"nothing came of {probe} in {seconds} s"
    raise AssertionError(msg)


@pytest.fixture(scope="session")
def waiting() -> Callable[..., Any]:
    return wait_for


@pytest.fixture(scope="session")
def account(aws: EmulatedAws) -> Account:
    del aws
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": ["sagemaker.amazonaws.com", "states.amazonaws.com", "lambda.amazonaws.com"]},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    iam = credentials.client("iam")
    role = iam.create_role(RoleName="SageMakerTests", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName="SageMakerTests", PolicyName="all", PolicyDocument=json.dumps(policy))
    bucket = "sagemaker-tests"
    region = {"LocationConstraint": "eu-west-1"}
    credentials.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration=region)
    return Account(role=role, bucket=bucket)


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Register small programs of a test as an image; returns its URI."""
    made: list[images.Image] = []

    def register(*, train: str = "", serve: str = "", built_in: bool = False, metrics: tuple[Any, ...] = ()) -> str:
        commands = {}
        for name, text in (("train", train), ("serve", serve)):
            if text:
                path = tmp_path / f"{name}{len(made)}.py"
                path.write_text(text)
                commands[name] = (sys.executable, str(path))
        made.append(images.Image(name="tiny", built_in=built_in, metrics=metrics, **commands))  # type: ignore[arg-type]
        images.register(IMAGE.replace(".", r"\."), made[-1])
        return IMAGE

    yield register
    for known in made:
        images.unregister(known)


@pytest.fixture
def endpoints(account: Account, image: Callable[..., str], waiting: Callable[..., Any]) -> Iterator[Endpoints]:
    """Endpoints with tiny models; they are deleted afterwards."""
    made = Endpoints(account, image(serve=SERVE), waiting)
    yield made
    made.delete_all()


@pytest.fixture(autouse=True)
def no_fault() -> Iterator[None]:
    yield
    FAULTS.activate(None)
