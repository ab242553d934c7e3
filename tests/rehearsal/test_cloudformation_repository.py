"""A repository of images is created, updated in place and deleted through the API of its service."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlops.rehearsal import credentials
from tests.rehearsal import cloudformation_world as world

pytestmark = pytest.mark.usefixtures("aws")


def allow(**statement: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}


def deployed(stack: Any, **resources: Any) -> str:
    end = stack.deploy({"Resources": resources})
    assert end["StackStatus"] in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}, end["StackStatusReason"]
    return str(end["StackStatus"])


def repository(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::ECR::Repository", "Properties": properties}


def test_repository_keeps_images_policies_and_settings() -> None:
    newest = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 100}
    lifecycle = {"rules": [{"rulePriority": 1, "selection": newest, "action": {"type": "expire"}}]}
    pull = allow(Action="ecr:BatchGetImage", Principal={"AWS": "arn:aws:iam::111122223333:root"})
    settings = {
        "ImageTagMutability": "IMMUTABLE",
        "ImageScanningConfiguration": {"ScanOnPush": True},
        "EncryptionConfiguration": {"EncryptionType": "KMS", "KmsKey": {"Fn::GetAtt": ["Key", "Arn"]}},
        "LifecyclePolicy": {"LifecyclePolicyText": json.dumps(lifecycle)},
        "RepositoryPolicyText": pull,
        "Tags": [{"Key": "team", "Value": "a"}],
    }
    key = {
        "Type": "AWS::KMS::Key",
        "Properties": {"KeyPolicy": allow(Action="kms:*", Resource="*", Principal={"AWS": "*"})},
    }
    name = world.unique("mlops")
    stack = world.Stack()
    deployed(stack, Key=key, R=repository(RepositoryName=name, **settings))
    ecr = credentials.client("ecr")
    [made] = ecr.describe_repositories(repositoryNames=[name])["repositories"]
    assert (made["imageTagMutability"], made["imageScanningConfiguration"]) == ("IMMUTABLE", {"scanOnPush": True})
    assert made["encryptionConfiguration"]["encryptionType"] == "KMS"
    assert made["encryptionConfiguration"]["kmsKey"].startswith("arn:aws:kms:")
    assert json.loads(ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"]) == lifecycle
    assert json.loads(ecr.get_repository_policy(repositoryName=name)["policyText"]) == pull
    changed = {
        "RepositoryName": name,
        "ImageTagMutability": "MUTABLE",
        "EncryptionConfiguration": settings["EncryptionConfiguration"],
        "Tags": [{"Key": "team", "Value": "b"}],
    }
    deployed(stack, Key=key, R=repository(**changed))
    [after] = ecr.describe_repositories(repositoryNames=[name])["repositories"]
    assert (after["imageTagMutability"], after["imageScanningConfiguration"]) == ("MUTABLE", {"scanOnPush": False})
    assert ecr.list_tags_for_resource(resourceArn=after["repositoryArn"])["tags"] == changed["Tags"]
    with pytest.raises(ClientError, match="LifecyclePolicyNotFoundException"):
        ecr.get_lifecycle_policy(repositoryName=name)
    assert stack.delete()["StackStatus"] == "DELETE_COMPLETE"


@pytest.mark.parametrize("empty_on_delete", [True, False])
def test_a_repository_with_images_is_deleted_only_if_it_says_so(*, empty_on_delete: bool) -> None:
    name = world.unique("mlops")
    stack = world.Stack()
    deployed(stack, R=repository(RepositoryName=name, EmptyOnDelete=empty_on_delete))
    manifest = json.dumps({"schemaVersion": 2, "mediaType": "m", "config": {}, "layers": []})
    credentials.client("ecr").put_image(repositoryName=name, imageManifest=manifest, imageTag="a")
    status = stack.delete()["StackStatus"]
    assert status == ("DELETE_COMPLETE" if empty_on_delete else "DELETE_FAILED")
