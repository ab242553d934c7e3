"""Candidates in the data scientists' account, and what the pipeline's account has taken of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lambdas.intake import handler
from lambdas.shared.clients import client

if TYPE_CHECKING:
    from tests.lambdas.conftest import Aws, Context, Json

HERE, THERE = "eu-west-1", "eu-central-1"
ACCOUNT = "123456789012"
GROUP = "mlops-abalone-candidates"
GROUP_ARN = f"arn:aws:sagemaker:{THERE}:{ACCOUNT}:model-package-group/{GROUP}"
CANDIDATES, DATA = "mlops-candidates", "mlops-data"
MANIFEST = "abalone/candidate.json"
IMAGE = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.0-5"
IMAGE_THERE = "492215442770.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-xgboost:3.0-5"
FILES = {"model": "model.tar.gz", "data": "data.csv", "metrics": "evaluation.json"}
REPORT = {
    "version": 1,
    "task": "regression",
    "rows": 600,
    "regression_metrics": {"rmse": {"value": 2.13}, "r2": {"value": 0.55}, "mape": {"value": None}},
    "champion": None,
}
ENVIRONMENT = {
    "MODEL": "abalone",
    "GROUP_ARN": GROUP_ARN,
    "CANDIDATE_REGION": THERE,
    "CANDIDATE_BUCKET": CANDIDATES,
    "IMAGE_URI": IMAGE,
    "DATA_BUCKET": DATA,
    "CANDIDATES_PREFIX": "abalone/candidates",
    "MANIFEST_KEY": MANIFEST,
}
Change = Callable[["Json"], None]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class World:
    """Two regions of an emulated AWS."""

    aws: Aws
    context: Context
    event_of: Callable[..., Json]
    contents: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.there = self.aws.elsewhere(region=THERE)
        self.sagemaker, self.s3 = self.there.create_client("sagemaker"), self.there.create_client("s3")
        for bucket, region in {CANDIDATES: THERE, DATA: HERE, "foreign": THERE}.items():
            self.aws.elsewhere(region=region).create_client("s3").create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region}
            )
            self.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        self.sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
        self.contents = {"model": b"model" * 1000, "data": b"sex,rings\nM,9\n", "metrics": json.dumps(REPORT).encode()}

    def request(self, folder: str = "abalone/id-1", /, **contents: bytes) -> Json:
        """Upload the objects of a candidate, and return the request for its model package."""
        properties = {"codeVersion": "none", "trainedBy": "arn:aws:sts::1:zoe", "createdWith": "mlops hand-over"}
        uris = {}
        for part, content in (self.contents | contents).items():
            key = f"{folder}/{FILES[part]}"
            put = self.s3.put_object(Bucket=CANDIDATES, Key=key, Body=content)
            uris[part] = f"s3://{CANDIDATES}/{key}"
            properties |= {f"{part}Version": put["VersionId"], f"{part}Sha256": sha256(content)}
        return {
            "ModelPackageGroupName": GROUP,
            "ModelApprovalStatus": "PendingManualApproval",
            "InferenceSpecification": {
                "Containers": [{"Image": IMAGE_THERE, "ModelDataUrl": uris["model"]}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
            "ModelMetrics": {
                "ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": uris["metrics"]}}
            },
            "CustomerMetadataProperties": {"dataUri": uris["data"], **properties},
        }

    def hand_over(self, change: Change | None = None, **contents: bytes) -> str:
        """Hand a candidate over as `mlops hand-over` does, and return the ARN of its package."""
        request = self.request(**contents)
        if change:
            change(request)
        made: str = self.sagemaker.create_model_package(**request)["ModelPackageArn"]
        # SageMaker keeps the properties; moto forgets them unless it is told again.
        properties = request.get("CustomerMetadataProperties", {})
        self.sagemaker.update_model_package(
            ModelPackageArn=made, ModelApprovalStatus="Approved", CustomerMetadataProperties=properties
        )
        return made

    def arrive(self, arn: str) -> Json:
        """Deliver the event of the package `arn`."""
        event = self.event_of("intake")
        event["detail"]["ModelPackageArn"] = arn
        answer: Json = handler.handle(event, self.context)
        return answer

    def versions(self) -> list[tuple[str, str]]:
        """Key and version of everything that the pipeline's account holds."""
        listed = self.s3.list_object_versions(Bucket=DATA)
        return [(each["Key"], each["VersionId"]) for each in listed.get("Versions", [])]

    def unfinished(self) -> list[str]:
        """Keys of uploads that were neither finished nor dropped."""
        return [each["Key"] for each in self.s3.list_multipart_uploads(Bucket=DATA).get("Uploads", [])]

    def manifest(self) -> Json:
        document: Json = json.loads(self.s3.get_object(Bucket=DATA, Key=MANIFEST)["Body"].read())
        return document

    def read(self, copy: Json) -> bytes:
        """Content of a copy that the manifest names."""
        content: bytes = self.s3.get_object(Bucket=copy["bucket"], Key=copy["key"], VersionId=copy["version"])[
            "Body"
        ].read()
        return content

    def assert_untouched(self) -> None:
        """Nothing was written to the pipeline's account."""
        assert self.versions() == []
        assert self.unfinished() == []


def calls_of(service: str, operations: list[str]) -> Callable[[], None]:
    """Note the operations that the function asks of `service` in its own region; returns how to stop."""
    events = client(service).meta.events

    def note(model: Any, **_: Any) -> None:
        operations.append(model.name)

    events.register(f"before-call.{service}", note)
    return lambda: events.unregister(f"before-call.{service}", note)


def endless(total: int, piece: int) -> Iterator[bytes]:
    """Yield `total` bytes without holding them."""
    chunk = bytes(piece)
    for _ in range(total // piece):
        yield chunk
