"""A data scientist who hands a candidate over, and what AWS has of it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops.handover import hand_over
from mlops.rehearsal import credentials
from mlops.rehearsal.candidate import CandidateFiles

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "config"
ACCOUNT, REGION = "111122223333", "eu-west-1"
BUCKET = f"mlops-candidates-{ACCOUNT}-{REGION}"
GROUP = "mlops-abalone-candidates"


@dataclass
class Person:
    """What the person gives to the command; files that a test spoils are copies."""

    files: CandidateFiles
    folder: Path
    code_version: str | None = "0123abc"

    def copy(self, name: str) -> Path:
        """Give a copy of one of the files instead, and return it."""
        source: Path = getattr(self.files, name)
        target = self.folder / source.name
        shutil.copy(source, target)
        given = {each: getattr(self.files, each) for each in ("model", "data", "metrics")}
        self.files = CandidateFiles(**(given | {name: target}))
        return target

    def hands_over(self, model: str = "abalone", root: Path = ROOT) -> int:
        files = self.files
        return hand_over(
            model,
            archive=files.model,
            data=files.data,
            metrics=files.metrics,
            code_version=self.code_version,
            root=root,
        )


def packages() -> list[dict[str, Any]]:
    """Every package of the group, the oldest first."""
    sagemaker: Any = credentials.client("sagemaker")
    listed = sagemaker.list_model_packages(ModelPackageGroupName=GROUP, SortBy="CreationTime", SortOrder="Ascending")
    arns = [each["ModelPackageArn"] for each in listed["ModelPackageSummaryList"]]
    described = [sagemaker.describe_model_package(ModelPackageName=arn) for arn in arns]
    return [{name: value for name, value in each.items() if name != "ResponseMetadata"} for each in described]


def objects() -> dict[str, str]:
    """The only version of every object, by key; a key with two versions is missing."""
    s3: Any = credentials.client("s3")
    versions = s3.list_object_versions(Bucket=BUCKET).get("Versions", [])
    keys = [version["Key"] for version in versions]
    return {version["Key"]: version["VersionId"] for version in versions if keys.count(version["Key"]) == 1}
