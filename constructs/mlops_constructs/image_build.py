"""The container image of a model: its repository, and the build that puts images into it."""

from __future__ import annotations

from typing import Any

from aws_cdk import RemovalPolicy
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from mlops_constructs.admission import Admission
from mlops_constructs.build_project import INSTALL, BuildProject, Source
from mlops_constructs.execution_roles import ECR_PULL

IMAGE_VARIABLE = "IMAGE_URI"
"""The variable that a build exports: the image by its digest."""


class ImageRepository(Construct):
    """An ECR repository that scans each image when it is pushed, and in which a tag never moves.

    Images are kept: an endpoint, a model package or a rollback may need any of them.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        key: kms.IKey,
        admitted: Admission | None = None,
        removal_policy: RemovalPolicy,
    ) -> None:
        """Make the repository called `name`; the roles that are `admitted` from other accounts may pull."""
        super().__init__(scope, construct_id)
        self.name = name
        self.repository = ecr.CfnRepository(
            self,
            "Repository",
            repository_name=name,
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration=ecr.CfnRepository.ImageScanningConfigurationProperty(scan_on_push=True),
            encryption_configuration=ecr.CfnRepository.EncryptionConfigurationProperty(
                encryption_type="KMS", kms_key=key.key_arn
            ),
            repository_policy_text=self._policy(admitted) if admitted else None,
            # Else a model that may be destroyed could not be: a repository with images is not deleted.
            empty_on_delete=removal_policy is RemovalPolicy.DESTROY,
        )
        self.repository.apply_removal_policy(removal_policy)

    @staticmethod
    def _policy(admitted: Admission) -> dict[str, Any]:
        """Return the policy for roles of other accounts, and for SageMaker where it pulls in its own name there.

        Conditions on the caller hold for roles only, those on the source for services only: never both in a statement.
        """
        service = iam.PolicyStatement(
            sid="SageMakerPullsForTargets",
            actions=list(ECR_PULL),
            principals=[iam.ServicePrincipal("sagemaker.amazonaws.com")],
            conditions={"StringEquals": {"aws:SourceAccount": admitted.accounts}},
        )
        return {
            "Version": "2012-10-17",
            "Statement": [
                admitted.document("TargetsPull", ECR_PULL, None),
                service.to_statement_json(),
            ],
        }

    @property
    def arn(self) -> str:
        """ARN of the repository."""
        return self.repository.attr_arn


def buildspec(path: str, repository: str) -> dict[str, Any]:
    """Return the buildspec: build, check and push the container in `path`, or find the image that is there already."""
    return {
        "version": "0.2",
        "env": {"variables": {"PYTHONPATH": ".:constructs"}, "exported-variables": [IMAGE_VARIABLE]},
        "phases": {
            "install": INSTALL,
            "build": {
                "commands": [
                    # Not in one `export`: its status would hide that of the program.
                    (
                        f'{IMAGE_VARIABLE}="$(uv run --no-sync python -m mlops build-image {path} '
                        f'--repository {repository})" && export {IMAGE_VARIABLE}'
                    ),
                ]
            },
        },
    }


class ImageBuild(BuildProject):
    """The build of a model's image; it may push to this one repository."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        model: str,
        path: str,
        repository: ImageRepository,
        source: Source | None,
        artifacts: s3.IBucket,
        artifacts_prefix: str,
        key: kms.IKey,
        removal_policy: RemovalPolicy,
    ) -> None:
        """Make the build of the container in the folder `path` of the source."""
        super().__init__(
            scope,
            construct_id,
            description=f"Builds, checks and pushes the image of {model}",
            specification=buildspec(path, repository.name),
            source=source,
            artifacts=artifacts,
            artifacts_prefix=artifacts_prefix,
            key=key,
            removal_policy=removal_policy,
            builds_images=True,
        )
        self.role.allow(
            "ecr:GetAuthorizationToken",
            on="*",
            because="ECR has no resource-level permission for its token (Service Authorization Reference, Amazon ECR)",
        )
        self.role.allow(
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchGetImage",
            "ecr:CompleteLayerUpload",
            "ecr:DescribeImages",
            "ecr:DescribeRepositories",
            "ecr:GetDownloadUrlForLayer",
            "ecr:InitiateLayerUpload",
            "ecr:PutImage",
            "ecr:UploadLayerPart",
            on=repository.arn,
        )
