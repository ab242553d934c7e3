from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk.assertions import Template

from mlops_constructs import ImageRepository
from mlops_constructs.retention import RETAIN


def repository(removal_policy: cdk.RemovalPolicy) -> dict[str, Any]:
    stack = cdk.Stack(cdk.App(), "Stack")
    ImageRepository(stack, "Images", name="mlops-iris", key=kms.Key(stack, "Key"), removal_policy=removal_policy)
    (found,) = Template.from_stack(stack).find_resources("AWS::ECR::Repository").values()
    return dict(found)


def test_a_tag_never_moves_and_every_image_is_scanned() -> None:
    properties = repository(RETAIN)["Properties"]
    assert properties["ImageTagMutability"] == "IMMUTABLE"
    assert properties["ImageScanningConfiguration"] == {"ScanOnPush": True}


def test_images_are_kept_when_the_stack_goes() -> None:
    found = repository(RETAIN)
    assert found["DeletionPolicy"] == "RetainExceptOnCreate"
    assert found["Properties"]["EmptyOnDelete"] is False


def test_a_repository_that_may_be_destroyed_takes_its_images_with_it() -> None:
    """CloudFormation does not delete a repository that holds images."""
    found = repository(cdk.RemovalPolicy.DESTROY)
    assert found["DeletionPolicy"] == "Delete"
    assert found["Properties"]["EmptyOnDelete"] is True
