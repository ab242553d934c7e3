"""An image from the project's own store, as `mlops build-image` keeps it: trained and asked through SageMaker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlops.container import dockerfile, engines, store
from mlops.container.context import Context
from mlops.rehearsal import images

DOCKERFILE = """
FROM python:3.13-slim
LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true
COPY --chmod=0755 {programs} /usr/local/bin/
"""
TRAIN = """#!/usr/bin/env python3
import pathlib
base = pathlib.Path("/opt/ml")
rows = (base / "input/data/train/a.csv").read_text().splitlines()
(base / "model/rows").write_text(str(len(rows)))
"""
SERVE = """#!/usr/bin/env python3
import http.server, os, pathlib
rows = pathlib.Path("/opt/ml/model/rows").read_text()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def do_POST(self):
        count = len(self.rfile.read(int(self.headers["Content-Length"])).splitlines())
        self.send_response(200); self.end_headers(); self.wfile.write((rows + chr(10)).encode() * count)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""
Build = Callable[..., str]


@pytest.fixture
def build(account: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Build, keep and push an image with these programs on a rung; return its URI."""
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "store"))

    def run(rung: str, **programs: str) -> str:
        folder = tmp_path / "context"
        folder.mkdir()
        for name, text in programs.items():
            (folder / name).write_text(text)
        text = DOCKERFILE.format(programs=" ".join(programs))
        (folder / "Dockerfile").write_text(text)
        engine = engines.engine(rung)
        reason = engine.unavailable(dockerfile.parse(text))
        if reason is not None:
            pytest.skip(f"there is no rung {rung} here: {reason}")
        image = engine.build(Context.at(folder), dockerfile.parse(text))
        repository = account.name("mlops-stored")
        store.tag(repository, image)
        ecr = account.client("ecr")
        ecr.create_repository(repositoryName=repository)
        manifest = (image.folder / "manifest.json").read_text()
        pushed = ecr.put_image(repositoryName=repository, imageManifest=manifest, imageTag=image.context)
        assert pushed["image"]["imageId"]["imageDigest"] == image.digest
        return f"111122223333.dkr.ecr.eu-west-1.amazonaws.com/{repository}@{image.digest}"

    return run


@pytest.mark.parametrize("rung", ["bubblewrap", "prefix"])
@pytest.mark.parametrize("isolated", [True, False])
def test_an_image_of_the_store_trains_and_answers(
    account: Any, build: Build, waiting: Callable[..., Any], rung: str, *, isolated: bool
) -> None:
    uri = build(rung, train=TRAIN, serve=SERVE)
    algorithm = {"TrainingImage": uri, "TrainingInputMode": "File"}
    job = account.train(AlgorithmSpecification=algorithm, EnableNetworkIsolation=isolated)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    name, sagemaker = account.name("stored"), account.sagemaker
    sagemaker.create_model(
        ModelName=name,
        ExecutionRoleArn=account.role,
        EnableNetworkIsolation=isolated,
        PrimaryContainer={"Image": uri, "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"]},
    )
    account.put(f"{name}/in/test.csv", "1\n2\n3\n")
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{account.bucket}/{name}/in"}}
    sagemaker.create_transform_job(
        TransformJobName=name,
        ModelName=name,
        TransformInput={"DataSource": source, "SplitType": "Line"},
        TransformOutput={"S3OutputPath": f"s3://{account.bucket}/{name}/out", "AssembleWith": "Line"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )

    def ended() -> Any:
        described = sagemaker.describe_transform_job(TransformJobName=name)
        return described if described["TransformJobStatus"] != "InProgress" else None

    described = waiting(ended)
    assert described["TransformJobStatus"] == "Completed", described
    assert account.get(f"s3://{account.bucket}/{name}/out/test.csv.out") == b"2\n2\n2\n"


def test_an_image_without_the_program_fails_the_job_and_names_it(account: Any, build: Build) -> None:
    uri = build("prefix", serve=SERVE)
    job = account.train(AlgorithmSpecification={"TrainingImage": uri, "TrainingInputMode": "File"})
    assert job["TrainingJobStatus"] == "Failed"
    assert "has no program 'train'" in job["FailureReason"]


def test_a_digest_that_is_not_in_the_store_is_not_represented(build: Build) -> None:
    uri = build("prefix", train=TRAIN)
    assert images.find(uri).stored is not None
    with pytest.raises(images.ImageNotRepresentedError):
        images.find(f"{uri[:-4]}0000")
