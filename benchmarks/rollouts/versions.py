"""Two versions of the model, trained on this machine by the programs of the pipeline, kept as its runs keep theirs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rollouts.project import ENVIRONMENT
from mlops.rehearsal import credentials
from mlops.rehearsal.candidate import make_candidate
from mlops.rehearsal.rehearsal import Rehearsal
from mlops.rehearsal.sample_data import extract
from mlops_constructs.settings import ModelSettings
from mlops_constructs.settings.xgboost_images import image_uri


@dataclass(frozen=True, kw_only=True)
class Version:
    """A trained model with what the bake and the verification read of its run.

    Attributes:
        run: as which it is kept.
        archive: model.tar.gz.
        test: the held-out rows, label first.
        predictions: what it was evaluated to answer to them.

    """

    run: str
    archive: Path
    test: Path
    predictions: Path


@dataclass(frozen=True, kw_only=True)
class Registered:
    """A version in the registry of an emulated account, as parameters of the serving stack."""

    version: Version
    package_arn: str
    data_url: str
    image_uri: str

    def parameters(self, prefix: str = "", *, release: str) -> dict[str, str]:
        """Return the parameters by which the serving stack serves it, or tries it as `prefix`."""
        return {
            f"{prefix}ModelPackageArn": self.package_arn,
            f"{prefix}ModelDataUrl": self.data_url,
            f"{prefix}ImageUri": self.image_uri,
            f"{prefix}Release": release,
        }


def train(model: ModelSettings, folder: Path) -> list[Version]:
    """Train on an early extract of the data and on all of it."""
    versions = []
    for number in (1, 2):
        place = folder / f"run-{number}"
        place.mkdir(parents=True)
        files = make_candidate(model, extract(model, version=number), place)
        versions.append(
            Version(
                run=f"benchmark-{number}",
                archive=files.model,
                test=place / "prepare" / "output" / "test" / "test.csv",
                predictions=place / "evaluate" / "output" / "evaluation" / "predictions.csv",
            )
        )
    return versions


def register(rehearsal: Rehearsal, version: Version) -> Registered:
    """Keep a version in the bucket of the artifacts as its run would have, and register it as an approved package."""
    s3, bucket = credentials.client("s3"), rehearsal.artifact_bucket
    folder = f"{rehearsal.model.name}/runs/{version.run}"
    for key, path in (
        ("model.tar.gz", version.archive),
        ("prepared/test/test.csv", version.test),
        ("evaluation/predictions.csv", version.predictions),
    ):
        s3.put_object(Bucket=bucket, Key=f"{folder}/{key}", Body=path.read_bytes())
    if rehearsal.model.algorithm is None:
        msg = f"{rehearsal.model.name} has a container of its own; the benchmark serves the built-in algorithm"
        raise ValueError(msg)
    image = image_uri(rehearsal.model.algorithm.version, rehearsal.place(ENVIRONMENT).region)
    data_url = f"s3://{bucket}/{folder}/model.tar.gz"
    answer = credentials.client("sagemaker").create_model_package(
        ModelPackageGroupName=rehearsal.route.name,
        ModelPackageDescription=json.dumps({"run": version.run}),
        ModelApprovalStatus="Approved",
        InferenceSpecification={
            "Containers": [{"Image": image, "ModelDataUrl": data_url}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )
    return Registered(version=version, package_arn=answer["ModelPackageArn"], data_url=data_url, image_uri=image)
