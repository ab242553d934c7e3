"""The model registry of the emulated SageMaker, and tags.

Gaps of moto that are closed here: ClientToken is ignored, an update forgets the description and the properties that it
does not name, versions are reused after a deletion, packages and groups cannot be deleted, no event is sent, packages
have no tags, a tag that is set twice appears twice, and groups have no policies.
"""

from __future__ import annotations

import json
import threading
from typing import Any

from mlops.rehearsal import sagemaker_api, sagemaker_observed
from mlops.rehearsal.sagemaker_requests import SageMakerError, refuse

_lock = threading.RLock()
_SUMMARY = (
    "ModelPackageArn",
    "ModelPackageName",
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageDescription",
    "CreationTime",
    "ModelPackageStatus",
    "ModelApprovalStatus",
)
_KINDS = {
    "model": "_models",
    "endpoint": "endpoints",
    "endpoint-config": "endpoint_configs",
    "training-job": "training_jobs",
    "processing-job": "processing_jobs",
    "model-package-group": "model_package_groups",
}
_PAGE = 100


def install() -> None:
    """Hang the handlers into moto."""
    sagemaker_api.serve("CreateModelPackageGroup", _create_group)
    sagemaker_api.serve("DeleteModelPackageGroup", _delete_group)
    sagemaker_api.serve("PutModelPackageGroupPolicy", _put_group_policy)
    sagemaker_api.serve("GetModelPackageGroupPolicy", _get_group_policy)
    sagemaker_api.serve("DeleteModelPackageGroupPolicy", _delete_group_policy)
    sagemaker_api.serve("CreateModelPackage", _create_package)
    sagemaker_api.serve("DescribeModelPackage", _describe_package)
    sagemaker_api.serve("UpdateModelPackage", _update_package)
    sagemaker_api.serve("DeleteModelPackage", _delete_package)
    sagemaker_api.serve("ListModelPackages", _list_packages)
    sagemaker_api.serve("AddTags", _add_tags)
    sagemaker_api.serve("ListTags", _list_tags)
    sagemaker_api.serve("DeleteTags", _delete_tags)


def _create_group(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    name = request["ModelPackageGroupName"]
    if name in backend.model_package_groups:
        arn = sagemaker_api.arn(backend, "model-package-group", name)
        refuse(f"Model Package Group already exists: {arn}")
    arn = backend.create_model_package_group(
        name, request.get("ModelPackageGroupDescription"), tags=list(request.get("Tags") or [])
    )
    return {"ModelPackageGroupArn": arn}


def _delete_group(backend: Any, request: dict[str, Any]) -> None:
    group = _group(backend, request["ModelPackageGroupName"])
    name = group.model_package_group_name
    if any(package.model_package_group_name == name for package in backend.model_packages.values()):
        code, message = "ConflictException", f"Model Package Group {name} still contains model packages."
        raise SageMakerError(code, message)
    del backend.model_package_groups[name]


def _put_group_policy(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    group = _group(backend, request["ModelPackageGroupName"])
    try:
        document = json.loads(request["ResourcePolicy"])
    except ValueError as error:
        refuse(f"The resource policy is not valid JSON: {error}")
    if not isinstance(document, dict) or not document.get("Statement"):
        refuse("The resource policy has no statement.")
    group.resource_policy = request["ResourcePolicy"]
    return {"ModelPackageGroupArn": group.arn}


def _get_group_policy(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    return {"ResourcePolicy": _group_with_policy(backend, request).resource_policy}


def _delete_group_policy(backend: Any, request: dict[str, Any]) -> None:
    del _group_with_policy(backend, request).resource_policy


def _group_with_policy(backend: Any, request: dict[str, Any]) -> Any:
    group = _group(backend, request["ModelPackageGroupName"])
    if getattr(group, "resource_policy", None) is None:
        refuse(f"Cannot find Resource Policy for: {group.arn}")
    return group


def _group(backend: Any, name: str) -> Any:
    group = backend.model_package_groups.get(name.rsplit("/", 1)[-1])
    if group is None:
        refuse(f"ModelPackageGroup {sagemaker_api.arn(backend, 'model-package-group', name)} does not exist.")
    return group


def _create_package(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    with _lock:
        token = request.get("ClientToken")
        for package in backend.model_packages.values():
            if token and package.client_token == token:
                return {"ModelPackageArn": package.arn}
        name, group = request.get("ModelPackageName"), request.get("ModelPackageGroupName")
        if bool(name) == bool(group):
            refuse("Exactly one of ModelPackageName and ModelPackageGroupName must be provided.")
        if group:
            group = _group(backend, group).model_package_group_name
        if request.get("Tags") and group:
            refuse("Tags cannot be given to a versioned model package; they belong to its group.")
        status = request.get("ModelApprovalStatus") or ("PendingManualApproval" if group else None)
        arn = _new_package(backend, request, group=group, status=status)
        package = backend.model_packages[arn]
    _announce(package)
    return {"ModelPackageArn": arn}


def _new_package(backend: Any, request: dict[str, Any], *, group: str | None, status: str | None) -> str:
    from moto.sagemaker.models import ModelPackage  # noqa: PLC0415 - moto is imported when the server is there

    versions = [
        package.model_package_version
        for package in backend.model_packages.values()
        if group and package.model_package_group_name == group
    ]
    counters = vars(backend).setdefault("last_versions", {})
    version = max([*versions, counters.get(group, 0)]) + 1 if group else None
    counters[group] = version
    package: Any = ModelPackage(
        model_package_name=group or request["ModelPackageName"],
        model_package_group_name=group,
        model_package_version=version,
        model_package_description=request.get("ModelPackageDescription"),
        inference_specification=request.get("InferenceSpecification"),
        source_algorithm_specification=request.get("SourceAlgorithmSpecification"),
        validation_specification=request.get("ValidationSpecification"),
        certify_for_marketplace=bool(request.get("CertifyForMarketplace")),
        model_approval_status=status,
        metadata_properties=request.get("MetadataProperties"),
        model_metrics=request.get("ModelMetrics"),
        approval_description=request.get("ApprovalDescription"),
        customer_metadata_properties=request.get("CustomerMetadataProperties"),
        drift_check_baselines=request.get("DriftCheckBaselines"),
        domain=request.get("Domain"),  # type: ignore[arg-type] # moto's annotations are too narrow
        task=request.get("Task"),  # type: ignore[arg-type] # as above
        sample_payload_url=request.get("SamplePayloadUrl"),  # type: ignore[arg-type] # as above
        additional_inference_specifications=request.get("AdditionalInferenceSpecifications") or [],
        client_token=request.get("ClientToken"),  # type: ignore[arg-type] # as above
        region_name=backend.region_name,
        account_id=backend.account_id,
        model_package_type="Versioned" if group else "Unversioned",
        tags=list(request.get("Tags") or []),
    )
    backend.model_package_name_mapping[package.model_package_name] = package.arn
    backend.model_package_name_mapping[package.arn] = package.arn
    backend.model_packages[package.arn] = package
    return str(package.arn)


def _package(backend: Any, name: str) -> Any:
    arn = backend.model_package_name_mapping.get(name, name)
    package = backend.model_packages.get(arn)
    if package is None:
        known = name if name.startswith("arn:") else sagemaker_api.arn(backend, "model-package", name)
        refuse(f"ModelPackage {known} does not exist.")
    return package


def _described(package: Any) -> dict[str, Any]:
    described: dict[str, Any] = package.gen_response_object()
    return {name: value for name, value in described.items() if value not in (None, [], {})}


def _describe_package(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    return _described(_package(backend, request["ModelPackageName"]))


def _update_package(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    with _lock:
        package = _package(backend, request["ModelPackageArn"])
        if request.get("ModelApprovalStatus"):
            package.set_model_approval_status(request["ModelApprovalStatus"])
        if request.get("ApprovalDescription") is not None:
            package.approval_description = request["ApprovalDescription"]
        properties = {
            **(package.customer_metadata_properties or {}),
            **(request.get("CustomerMetadataProperties") or {}),
        }
        for gone in request.get("CustomerMetadataPropertiesToRemove") or []:
            properties.pop(gone, None)
        package.customer_metadata_properties = properties
        package.add_additional_inference_specifications(request.get("AdditionalInferenceSpecificationsToAdd") or [])
        package.modifications_done()
    _announce(package)
    return {"ModelPackageArn": package.arn}


def _delete_package(backend: Any, request: dict[str, Any]) -> None:
    package = _package(backend, request["ModelPackageName"])
    del backend.model_packages[package.arn]
    mapping = backend.model_package_name_mapping
    for name in [name for name, arn in mapping.items() if arn == package.arn]:
        del mapping[name]


def _list_packages(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    group = request.get("ModelPackageGroupName")
    if group is not None:
        group = _group(backend, group).model_package_group_name
    kind = request.get("ModelPackageType") or ("Versioned" if group else "Unversioned")
    chosen = [
        package
        for package in backend.model_packages.values()
        if (group is None or package.model_package_group_name == group)
        and kind in {"Both", package.model_package_type}
        and request.get("NameContains", "") in package.model_package_name
        and request.get("ModelApprovalStatus") in {None, package.model_approval_status}
        and _within(package.creation_time, request)
    ]
    by_name = request.get("SortBy") == "Name"
    chosen.sort(
        key=lambda package: (
            package.model_package_name if by_name else package.creation_time,
            package.model_package_version or 0,
        ),
        reverse=request.get("SortOrder") == "Descending",
    )
    begin = int(request.get("NextToken") or 0)
    end = begin + int(request.get("MaxResults") or _PAGE)
    summaries = []
    for package in chosen[begin:end]:
        described = _described(package)
        summaries.append({name: described[name] for name in _SUMMARY if name in described})
    more = {"NextToken": str(end)} if end < len(chosen) else {}
    return {"ModelPackageSummaryList": summaries, **more}


def _within(moment: Any, request: dict[str, Any]) -> bool:
    after, before = request.get("CreationTimeAfter"), request.get("CreationTimeBefore")
    return (after is None or moment > after.replace(tzinfo=None)) and (
        before is None or moment < before.replace(tzinfo=None)
    )


def _announce(package: Any) -> None:
    described = _described(package)
    detail = {name: value for name, value in described.items() if name not in {"CreatedBy", "LastModifiedBy"}}
    sagemaker_observed.emit(
        "SageMaker Model Package State Change",
        {**detail, "Tags": {tag["Key"]: tag["Value"] for tag in package.tags or []}},
        resources=[package.arn],
    )


def _tagged(backend: Any, arn: str) -> Any:
    kind, _, name = arn.split(":", 5)[-1].partition("/")
    if kind == "model-package":
        return _package(backend, arn)
    known = getattr(backend, _KINDS[kind]) if kind in _KINDS else None
    if known is None:
        return backend._get_resource_from_arn(arn)  # noqa: SLF001 - moto's own way for every other kind
    found = known.get(name)
    if found is None:
        refuse(f"Could not find {kind} with name {name}")
    return found


def _add_tags(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    resource = _tagged(backend, request["ResourceArn"])
    tags = {tag["Key"]: tag["Value"] for tag in [*(resource.tags or []), *request["Tags"]]}
    resource.tags = [{"Key": key, "Value": value} for key, value in tags.items()]
    return {"Tags": resource.tags}


def _list_tags(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    return {"Tags": list(_tagged(backend, request["ResourceArn"]).tags or [])}


def _delete_tags(backend: Any, request: dict[str, Any]) -> None:
    resource = _tagged(backend, request["ResourceArn"])
    resource.tags = [tag for tag in resource.tags or [] if tag["Key"] not in request["TagKeys"]]
