"""The registry of a model: every trained version that passed its gates, with metrics, lineage and approval."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct


class ModelRegistry(Construct):
    """A model package group; versions are added by the training workflow and approved by people."""

    def __init__(
        self, scope: Construct, construct_id: str, *, group_name: str, description: str, removal_policy: RemovalPolicy
    ) -> None:
        """Make the group called `group_name`."""
        super().__init__(scope, construct_id)
        self.group_name = group_name
        self.group = sagemaker.CfnModelPackageGroup(
            self, "Group", model_package_group_name=group_name, model_package_group_description=description
        )
        self.group.apply_removal_policy(removal_policy)
