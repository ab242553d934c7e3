"""A candidate: what identifies it, where it lies, and the model package that it is."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops.handover.files import CandidateFile
from mlops_constructs.settings import Environments, ModelSettings
from mlops_constructs.settings.xgboost_images import image_uri

NO_CODE = "none"
CONTENT_TYPE = "text/csv"
PENDING = "PendingManualApproval"
_ID_LENGTH = 16
_METADATA_LENGTH = 256
# Letters, numbers, spaces and these, says the API of a model package's properties.
_NOT_METADATA = re.compile(r"[^\w .:/=+\-@]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the candidates of a model are handed over."""

    account: str
    region: str
    bucket: str
    group: str

    @classmethod
    def of(cls, environments: Environments, model: str) -> Place:
        """Name it as the stacks of the data-science account do.

        Raises:
            ValueError: the settings have no such account.

        """
        where = environments.data_science
        if where is None:
            msg = "environments.yaml has no data_science: candidates cannot be handed over"
            raise ValueError(msg)
        project = environments.project
        return cls(
            account=where.account,
            region=where.region,
            bucket=f"{project}-candidates-{where.account}-{where.region}",
            group=f"{project}-{model}-candidates",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """The content of a candidate; equal content is the same candidate."""

    model: str
    image: str
    archive: CandidateFile
    data: CandidateFile
    metrics: CandidateFile
    code_version: str

    @classmethod
    def read(
        cls, model: ModelSettings, region: str, *, archive: Path, data: Path, metrics: Path, code_version: str | None
    ) -> Candidate:
        """Read the files, which have been checked."""
        return cls(
            model=model.name,
            image=image_of(model, region),
            archive=CandidateFile.read(archive, "model.tar.gz"),
            data=CandidateFile.read(data, "data.csv"),
            metrics=CandidateFile.read(metrics, "evaluation.json"),
            code_version=code_version or NO_CODE,
        )

    @property
    def files(self) -> tuple[CandidateFile, ...]:
        """The files in the order of their upload."""
        return (self.data, self.archive, self.metrics)

    @property
    def id(self) -> str:
        """A digest of everything that it consists of."""
        content = [self.model, self.image, self.code_version, *(each.sha256.hex() for each in self.files)]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:_ID_LENGTH]

    @property
    def description(self) -> str:
        """What the registry shows, and by which the candidate is found again."""
        return f"candidate {self.id} of {self.model}"

    def key(self, file: CandidateFile) -> str:
        """Return where a file of it lies in the bucket."""
        return f"{self.model}/{self.id}/{file.name}"

    def package(self, place: Place, versions: dict[str, str], *, maker: str) -> dict[str, Any]:
        """Return the request for CreateModelPackage; `versions` are those of the objects, by the name of the file."""
        base = f"s3://{place.bucket}/{self.model}/{self.id}"
        properties = {
            "dataUri": f"{base}/{self.data.name}",
            "dataVersion": versions[self.data.name],
            "dataSha256": self.data.sha256.hex(),
            "modelVersion": versions[self.archive.name],
            "modelSha256": self.archive.sha256.hex(),
            "metricsVersion": versions[self.metrics.name],
            "metricsSha256": self.metrics.sha256.hex(),
            "codeVersion": self.code_version,
            "trainedBy": maker,
            "createdWith": f"mlops hand-over {_version()}",
        }
        return {
            "ModelPackageGroupName": place.group,
            "ModelPackageDescription": self.description,
            "ModelApprovalStatus": PENDING,
            "ClientToken": self.id,
            "InferenceSpecification": {
                "Containers": [{"Image": self.image, "ModelDataUrl": f"{base}/{self.archive.name}"}],
                "SupportedContentTypes": [CONTENT_TYPE],
                "SupportedResponseMIMETypes": [CONTENT_TYPE],
            },
            "ModelMetrics": {
                "ModelQuality": {
                    "Statistics": {"ContentType": "application/json", "S3Uri": f"{base}/{self.metrics.name}"}
                }
            },
            "CustomerMetadataProperties": {
                name: _NOT_METADATA.sub("_", value)[:_METADATA_LENGTH] for name, value in properties.items()
            },
        }


def image_of(model: ModelSettings, region: str) -> str:
    """Name the image with which a candidate of `model` is trained in `region` and serves.

    Raises:
        ValueError: the pipeline builds it, so that nobody else has it.

    """
    if model.algorithm is not None:
        return image_uri(model.algorithm.version, region)
    if model.container is None or model.container.image is None:
        msg = f"the image of {model.name} is built by its pipeline; no candidate can be trained with it"
        raise ValueError(msg)
    return model.container.image


def problem_of_code_version(version: str | None) -> str | None:
    """Say why a version of code cannot stand in the registry."""
    if version is None or (version and len(version) <= _METADATA_LENGTH and not _NOT_METADATA.search(version)):
        return None
    return f"is not 1 to {_METADATA_LENGTH} letters, digits, spaces and _ . : / = + - @; give such as a commit id"


def _version() -> str:
    try:
        return importlib.metadata.version("mlops-stages")
    except importlib.metadata.PackageNotFoundError:
        return "of a folder that is not installed"
