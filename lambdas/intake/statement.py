"""What a model package states about a candidate: read in full, and every problem found at once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lambdas.intake.image import is_same_image
from lambdas.shared.errors import StorageError
from lambdas.shared.metrics import json_object
from lambdas.shared.registry import APPROVED
from lambdas.shared.storage import split_uri
from lambdas.shared.text import clip

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lambdas.intake.events import Rules

UNKNOWN = "none"
METRICS = "evaluation.json"
_MODEL_URI = "InferenceSpecification.Containers.ModelDataUrl"
_IMAGE_URI = "InferenceSpecification.Containers.Image"
_METRICS_URI = "ModelMetrics.ModelQuality.Statistics.S3Uri"
_FILES = {
    "model.tar.gz": (_MODEL_URI, "modelVersion", "modelSha256"),
    "data.csv": ("dataUri", "dataVersion", "dataSha256"),
    METRICS: (_METRICS_URI, "metricsVersion", "metricsSha256"),
}
"""The objects of a candidate, and under which names the package states where they are and what they contain."""

_SHOWN_VALUE = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """A version of an object, and the digest of what it must contain."""

    file: str
    bucket: str
    key: str
    version: str
    sha256: str

    def __str__(self) -> str:
        """Return it as a person writes it."""
        return f"s3://{self.bucket}/{self.key} (version {self.version})"


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """What is known of a candidate before anybody looks at its objects."""

    references: Sequence[Reference]
    """Those that are stated fully: all of them when there is no problem."""
    trained_by: str
    code_version: str
    training_job_name: str
    training_job_arn: str
    problems: list[str]


def read_statement(package: Mapping[str, Any], rules: Rules) -> Statement:
    """Return what `package` (as SageMaker describes it) states, with every problem of it."""
    facts = _Facts(package)
    facts.require("ModelPackageGroupName", rules.group)
    facts.require("ModelPackageStatus", "Completed")
    facts.require("ModelApprovalStatus", APPROVED)
    facts.require_one_container()
    facts.require_image(rules.image_uri)
    references = [_reference(file, names, facts, rules) for file, names in _FILES.items()]
    facts.text("createdWith")
    return Statement(
        references=[each for each in references if each],
        trained_by=facts.text("trainedBy"),
        code_version=facts.text("codeVersion"),
        training_job_name=facts.get("trainingJobName") or UNKNOWN,
        training_job_arn=facts.get("trainingJobArn") or UNKNOWN,
        problems=facts.problems,
    )


def _reference(file: str, names: tuple[str, str, str], facts: _Facts, rules: Rules) -> Reference | None:
    uri, version, sha256 = names
    place = facts.place(uri, bucket=rules.candidate_bucket, folder=f"{rules.model}/")
    stated = facts.version(version), facts.digest(sha256)
    if place is None or not all(stated):
        return None
    return Reference(file=file, bucket=place[0], key=place[1], version=stated[0], sha256=stated[1])


class _Facts:
    """Values of a model package by name; each is asked for once, and what is wrong with it is kept."""

    def __init__(self, package: Mapping[str, Any]) -> None:
        containers = json_object(package.get("InferenceSpecification")).get("Containers") or []
        quality = json_object(json_object(package.get("ModelMetrics")).get("ModelQuality"))
        first = containers[0] if containers else {}
        self._containers = len(containers)
        # The properties are free text of the data scientist: what SageMaker itself says comes last and wins.
        self._values = {
            **json_object(package.get("CustomerMetadataProperties")),
            **{
                name: package.get(name)
                for name in ("ModelPackageGroupName", "ModelPackageStatus", "ModelApprovalStatus")
            },
            _IMAGE_URI: first.get("Image"),
            _MODEL_URI: first.get("ModelDataUrl"),
            _METRICS_URI: json_object(quality.get("Statistics")).get("S3Uri"),
        }
        self.problems: list[str] = []

    def get(self, name: str) -> str:
        """Return the value `name`, or an empty text."""
        value = self._values.get(name)
        return value if isinstance(value, str) and value.strip() else ""

    def text(self, name: str) -> str:
        """Return the value `name`, which must be there."""
        value = self.get(name)
        if not value:
            self.problems.append(f"{name} is missing")
        return value

    def require(self, name: str, wanted: str) -> None:
        """Note a problem unless the value `name` is `wanted`."""
        value = self.text(name)
        if value and value != wanted:
            self.problems.append(f"{name} must be {wanted}, got {_shown(value)}")

    def require_one_container(self) -> None:
        """Note a problem when the package has several containers."""
        if self._containers > 1:
            self.problems.append(f"InferenceSpecification.Containers must have one entry, got {self._containers}")

    def require_image(self, wanted: str) -> None:
        """Note a problem unless the model runs in the image `wanted`, whichever registry it was pulled from."""
        value = self.text(_IMAGE_URI)
        if value and not is_same_image(value, wanted):
            self.problems.append(
                f"{_IMAGE_URI} must be the image of the model's settings, {wanted}, got {_shown(value)}"
            )

    def place(self, name: str, *, bucket: str, folder: str) -> tuple[str, str] | None:
        """Return bucket and key of the object `name`, which must lie in `folder` of `bucket`."""
        value = self.text(name)
        if not value:
            return None
        try:
            place = split_uri(value)
        except StorageError:
            place = ("", "")
        if place[0] == bucket and place[1].startswith(folder) and len(place[1]) > len(folder):
            return place
        self.problems.append(f"{name} must begin with s3://{bucket}/{folder}, got {_shown(value)}")
        return None

    def version(self, name: str) -> str:
        """Return the version id `name`; an object without versions could be another one tomorrow."""
        value = self.text(name)
        if value != "null":
            return value
        self.problems.append(f"{name} must be the version id of an object in a versioned bucket, got 'null'")
        return ""

    def digest(self, name: str) -> str:
        """Return the digest `name`."""
        value = self.text(name)
        if not value or re.fullmatch(r"[0-9a-f]{64}", value):
            return value
        self.problems.append(f"{name} must be 64 digits 0-9 and a-f, got {_shown(value)}")
        return ""


def _shown(value: str) -> str:
    return clip(repr(value), length=_SHOWN_VALUE)
