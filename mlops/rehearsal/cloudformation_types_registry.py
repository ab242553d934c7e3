"""Resource types of Amazon ECR."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from mlops.rehearsal.cloudformation_resource import Call, Made, Properties, ResourceType, as_json, tag_changes


class Repository(ResourceType):
    """A repository of container images."""

    type_name = "AWS::ECR::Repository"
    name_property = "RepositoryName"
    properties = frozenset(
        {
            "RepositoryName",
            "EmptyOnDelete",
            "EncryptionConfiguration",
            "ImageScanningConfiguration",
            "ImageTagMutability",
            "LifecyclePolicy",
            "RepositoryPolicyText",
            "Tags",
        }
    )
    recorded: ClassVar[Mapping[str, str]] = {}
    lower_case = True

    def create(self, call: Call, properties: Properties) -> Made:
        """Create the repository, then put its policies."""
        encryption = properties.get("EncryptionConfiguration")
        asked: dict[str, Any] = {
            "repositoryName": call.name,
            "imageTagMutability": properties.get("ImageTagMutability", "MUTABLE"),
            "imageScanningConfiguration": {"scanOnPush": _scans(properties)},
            "tags": list(properties.get("Tags", [])),
        }
        if encryption:
            key = {"kmsKey": encryption["KmsKey"]} if "KmsKey" in encryption else {}
            asked["encryptionConfiguration"] = {"encryptionType": encryption["EncryptionType"], **key}
        repository = call.client("ecr").create_repository(**asked)["repository"]
        made = Made(call.name, {"Arn": repository["repositoryArn"], "RepositoryUri": repository["repositoryUri"]})
        call.begun(made)
        self._put_policies(call, made, {}, properties)
        return made

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:
        """Put what changed."""
        ecr, name = call.client("ecr"), made.physical_id
        mutability = after.get("ImageTagMutability", "MUTABLE")
        if before.get("ImageTagMutability", "MUTABLE") != mutability:
            ecr.put_image_tag_mutability(repositoryName=name, imageTagMutability=mutability)
        if _scans(before) != _scans(after):
            setting = {"scanOnPush": _scans(after)}
            ecr.put_image_scanning_configuration(repositoryName=name, imageScanningConfiguration=setting)
        self._put_policies(call, made, before, after)
        gone, changed = tag_changes(before, after)
        if gone:
            ecr.untag_resource(resourceArn=made.attributes["Arn"], tagKeys=gone)
        if changed:
            ecr.tag_resource(resourceArn=made.attributes["Arn"], tags=changed)
        return made

    def delete(self, call: Call, made: Made, properties: Properties) -> None:
        """Delete the repository; it must be empty unless EmptyOnDelete is on."""
        call.client("ecr").delete_repository(
            repositoryName=made.physical_id, force=str(properties.get("EmptyOnDelete", "")).lower() == "true"
        )

    def _put_policies(self, call: Call, made: Made, before: Properties, after: Properties) -> None:
        ecr, name = call.client("ecr"), made.physical_id
        old, new = _lifecycle(before), _lifecycle(after)
        if old != new and new:
            ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=new)
        elif old != new:
            ecr.delete_lifecycle_policy(repositoryName=name)
        policy = after.get("RepositoryPolicyText")
        if before.get("RepositoryPolicyText") == policy:
            return
        if policy:
            ecr.set_repository_policy(repositoryName=name, policyText=as_json(policy))
        else:
            ecr.delete_repository_policy(repositoryName=name)


def _scans(properties: Properties) -> bool:
    return str(properties.get("ImageScanningConfiguration", {}).get("ScanOnPush", "")).lower() == "true"


def _lifecycle(properties: Properties) -> str | None:
    text = properties.get("LifecyclePolicy", {}).get("LifecyclePolicyText")
    return str(text) if text else None
