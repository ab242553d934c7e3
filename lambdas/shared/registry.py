"""Model packages of the registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambdas.shared.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PENDING = "PendingManualApproval"
APPROVED = "Approved"
REJECTED = "Rejected"


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelPackage:
    """A version of a model in the registry."""

    arn: str
    group: str
    status: str
    approval_status: str
    approval_description: str
    created_by: str
    metadata: Mapping[str, str]
    image_uri: str
    model_data_url: str


def version_of(arn: str) -> int:
    """Return the version of the package `arn` in its group: the last part of the ARN."""
    return int(arn.rsplit("/", 1)[1])


class Registry:
    """Reads and writes model packages."""

    def __init__(self, sagemaker: Any) -> None:
        """Use the client `sagemaker`."""
        self._sagemaker = sagemaker

    def describe(self, arn: str) -> ModelPackage:
        """Return the package `arn`."""
        found = self._sagemaker.describe_model_package(ModelPackageName=arn)
        group = found.get("ModelPackageGroupName")
        if not group:
            msg = f"{arn} is not a version of a model package group"
            raise RegistryError(msg)
        container: Mapping[str, str] = next(iter((found.get("InferenceSpecification") or {}).get("Containers", [])), {})
        return ModelPackage(
            arn=found["ModelPackageArn"],
            group=group,
            status=found["ModelPackageStatus"],
            approval_status=found.get("ModelApprovalStatus", ""),
            approval_description=found.get("ApprovalDescription", ""),
            created_by=(found.get("CreatedBy") or {}).get("IamIdentity", {}).get("Arn", ""),
            metadata=found.get("CustomerMetadataProperties", {}),
            image_uri=container.get("Image", ""),
            model_data_url=container.get("ModelDataUrl", ""),
        )

    def newest(self, group: str, *, limit: int = 100) -> Iterator[Mapping[str, Any]]:
        """Yield the summaries of the newest `limit` packages of `group`, the newest first."""
        pages = self._sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=group,
            ModelPackageType="Versioned",
            SortBy="CreationTime",
            SortOrder="Descending",
            PaginationConfig={"MaxItems": limit, "PageSize": min(limit, 100)},
        )
        for page in pages:
            yield from page["ModelPackageSummaryList"]

    def create(self, **fields: Any) -> str:
        """Create a package and return its ARN."""
        arn: str = self._sagemaker.create_model_package(**fields)["ModelPackageArn"]
        return arn

    def approve(self, arn: str, *, description: str) -> None:
        """Approve the package `arn`."""
        self._sagemaker.update_model_package(
            ModelPackageArn=arn, ModelApprovalStatus=APPROVED, ApprovalDescription=description
        )


class ApprovalStatuses:
    """Reads the approval of packages, each once."""

    def __init__(self, sagemaker: Any) -> None:
        """Use the client `sagemaker`."""
        self._sagemaker = sagemaker
        self._known: dict[str, str | None] = {}

    def status(self, package_arn: str) -> str | None:
        """Return the approval status of a package, None where there is no such package any more."""
        if package_arn not in self._known:
            self._known[package_arn] = self._ask(package_arn)
        return self._known[package_arn]

    def _ask(self, package_arn: str) -> str | None:
        try:
            found = self._sagemaker.describe_model_package(ModelPackageName=package_arn)
        except ClientError as error:
            if "does not exist" in error.response["Error"].get("Message", ""):
                return None
            raise
        return str(found.get("ModelApprovalStatus") or PENDING)
