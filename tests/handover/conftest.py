"""One candidate for all tests, and the emulated account that it is handed over in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlops.rehearsal import credentials, processes, sample_data
from mlops.rehearsal.candidate import CandidateFiles, make_candidate
from mlops.rehearsal.server import EmulatedAws
from mlops_constructs.settings import ModelSettings, load_settings
from tests.handover.handover_world import BUCKET, CONFIG, GROUP, Person


@pytest.fixture(autouse=True, scope="module")
def _processes() -> None:
    processes.reopen()  # an emulated AWS that another test stopped allows none


@pytest.fixture(scope="session")
def abalone() -> ModelSettings:
    return load_settings(CONFIG, models=["abalone"]).models["abalone"]


@pytest.fixture(scope="session")
def made(abalone: ModelSettings, tmp_path_factory: pytest.TempPathFactory) -> CandidateFiles:
    folder = tmp_path_factory.mktemp("candidate")
    return make_candidate(abalone, sample_data.extract(abalone, version=1), folder)


@pytest.fixture(scope="module")
def emulated() -> Iterator[EmulatedAws]:
    with EmulatedAws() as running:
        s3: Any = credentials.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield running


@pytest.fixture
def person(
    emulated: EmulatedAws, made: CandidateFiles, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Person]:
    """A data scientist with a candidate, in front of an empty group and an empty bucket."""
    s3: Any = credentials.client("s3")
    sagemaker: Any = credentials.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName=GROUP, ModelPackageGroupDescription="candidates")
    for name, value in credentials.OPERATOR.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulated.url)
    yield Person(made, tmp_path)
    packages = sagemaker.list_model_packages(ModelPackageGroupName=GROUP)["ModelPackageSummaryList"]
    for package in packages:
        sagemaker.delete_model_package(ModelPackageName=package["ModelPackageArn"])
    sagemaker.delete_model_package_group(ModelPackageGroupName=GROUP)
    for version in s3.list_object_versions(Bucket=BUCKET).get("Versions", []):
        s3.delete_object(Bucket=BUCKET, Key=version["Key"], VersionId=version["VersionId"])
