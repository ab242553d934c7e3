"""Images that the project built: pulled with the role's permissions, run where they say, reached by their socket."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from mlops.rehearsal import images
from mlops.rehearsal.faults import FAULTS, Fault
from mlops.rehearsal.timeline import TIMELINE, Kind

TRAIN = """
import json, os, pathlib, sys
base = pathlib.Path(os.environ["WHERE"])
print("variables", sorted(name for name in os.environ if name in ("PATH", "HOME", "TRAINING_JOB_NAME", "MINE")))
rows = (base / "input/data/train/a.csv").read_bytes().decode()
try:
    total = sum(float(cell) for line in rows.splitlines() for cell in line.split(","))
except ValueError as error:
    (base / "output").mkdir(exist_ok=True)
    (base / "output/failure").write_text(f"the data cannot be read: {error}")
    sys.exit(1)
(base / "model/total").write_text(str(total))
"""
SERVE = """
import http.server, os, pathlib, socketserver
total = (pathlib.Path(os.environ["WHERE"]) / "model/total").read_text()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def address_string(self): return "unix"
    def answer(self, body):
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.answer(b"")
    def do_POST(self):
        rows = self.rfile.read(int(self.headers["Content-Length"])).splitlines()
        self.answer((total + chr(10)).encode() * len(rows))
    def log_message(self, *_): pass
class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
Server(os.environ["SOCKET"], Handler).serve_forever()
"""


@dataclass
class OwnImage:
    """An image as a rung of the ladder runs it: a child process that listens on a Unix socket."""

    folder: Path
    networks: list[bool] = field(default_factory=list)

    def command(
        self,
        program: Literal["train", "serve"],
        *,
        workspace: Path,
        environment: Mapping[str, str],
        network: bool,
    ) -> tuple[list[str], dict[str, str]]:
        self.networks.append(network)
        path = self.folder / f"{program}.py"
        path.write_text(TRAIN if program == "train" else SERVE)
        inside = {"WHERE": str(workspace / "opt" / "ml"), "SOCKET": str(self.socket(workspace))}
        return [sys.executable, str(path)], {**environment, **inside}

    def socket(self, workspace: Path) -> Path:
        return workspace / "serve.sock"


class Own:
    """A repository with one image, and a role that may pull it."""

    def __init__(self, account: Any, image: OwnImage) -> None:
        self.account, self.image = account, image
        self.name = account.name("mlops-own")
        ecr = account.client("ecr")
        ecr.create_repository(repositoryName=self.name)
        manifest = json.dumps({"schemaVersion": 2, "mediaType": "m", "config": {}, "layers": [], "name": self.name})
        ecr.put_image(repositoryName=self.name, imageManifest=manifest, imageTag="a")
        self.uri = self.named(f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}")

    def named(self, digest: str) -> str:
        return f"111122223333.dkr.ecr.eu-west-1.amazonaws.com/{self.name}@{digest}"

    def train(self, uri: str | None = None, **changes: Any) -> dict[str, Any]:
        algorithm = {"TrainingImage": uri or self.uri, "TrainingInputMode": "File"}
        job: dict[str, Any] = self.account.train(AlgorithmSpecification=algorithm, **changes)
        return job

    def model(self, data: str) -> str:
        name: str = self.account.name("own")
        self.account.sagemaker.create_model(
            ModelName=name,
            ExecutionRoleArn=self.account.role,
            PrimaryContainer={"Image": self.uri, "ModelDataUrl": data},
            EnableNetworkIsolation=True,
        )
        return name


@pytest.fixture
def own(account: Any, tmp_path: Path) -> Iterator[Own]:
    stored = OwnImage(tmp_path)
    known = images.Image(name="own", stored=stored)
    images.register(r"111122223333\.dkr\.ecr\.eu-west-1\.amazonaws\.com/mlops-own.*", known)
    yield Own(account, stored)
    images.unregister(known)


def test_an_own_image_trains_and_answers_by_its_socket(own: Own, waiting: Callable[..., Any]) -> None:
    job = own.train(EnableNetworkIsolation=True)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    sagemaker, name = own.account.sagemaker, own.model(job["ModelArtifacts"]["S3ModelArtifacts"])
    own.account.put(f"{name}/in/test.csv", "1\n2\n")
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{own.account.bucket}/{name}/in"}}
    sagemaker.create_transform_job(
        TransformJobName=name,
        ModelName=name,
        TransformInput={"DataSource": source, "SplitType": "Line"},
        TransformOutput={"S3OutputPath": f"s3://{own.account.bucket}/{name}/out"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    ended = waiting(
        lambda: (
            (job := sagemaker.describe_transform_job(TransformJobName=name))["TransformJobStatus"] != "InProgress"
            and job
        )
    )
    assert ended["TransformJobStatus"] == "Completed", ended
    assert own.account.get(f"s3://{own.account.bucket}/{name}/out/test.csv.out") == b"6.0\n6.0\n"
    assert own.image.networks == [False, False]


def test_an_own_image_brings_its_own_path_and_home(own: Own) -> None:
    name = own.train(Environment={"MINE": "1"})["TrainingJobName"]
    log = [event.name for event in TIMELINE.events(Kind.LOG) if event.detail["source"] == name]
    assert "variables ['MINE', 'TRAINING_JOB_NAME']" in log


def test_the_fault_training_failure_makes_the_container_itself_fail(own: Own) -> None:
    FAULTS.activate(Fault.TRAINING_FAILURE)
    job = own.train()
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("AlgorithmError: the data cannot be read:")
    assert job["FailureReason"].endswith("exit code: 1")


def test_an_image_that_the_registry_does_not_have_is_not_run(own: Own) -> None:
    job = own.train(uri=own.named(f"sha256:{'0' * 64}"))
    assert "has no image with this digest" in job["FailureReason"]


@pytest.mark.parametrize(
    "missing",
    [
        "ecr:GetAuthorizationToken",
        "ecr:BatchGetImage",
        "ecr:GetDownloadUrlForLayer",
        "ecr:BatchCheckLayerAvailability",
    ],
)
def test_a_role_needs_every_permission_to_pull(own: Own, missing: str) -> None:
    iam, name = own.account.client("iam"), own.account.name("Puller")
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    allowed = {"Effect": "Allow", "NotAction": missing, "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [allowed]}
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
    job = own.train(RoleArn=role)
    assert job["TrainingJobStatus"] == "Failed"
    assert "Unable to pull the image" in job["FailureReason"]
    assert missing in job["FailureReason"]


def test_an_image_that_nobody_built_is_not_represented() -> None:
    with pytest.raises(images.ImageNotRepresentedError, match="no program that represents"):
        images.find("111122223333.dkr.ecr.eu-west-1.amazonaws.com/other:latest")
