"""The event that announces a candidate, and what the function is set up for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from lambdas.shared.events import Document, Text


class _Detail(Document):
    arn: Text = Field(alias="ModelPackageArn")


class ModelPackageStateChange(Document):
    """The event that SageMaker sends; only the name is taken from it, everything else is asked for."""

    source: Literal["aws.sagemaker"]
    detail_type: Literal["SageMaker Model Package State Change"] = Field(alias="detail-type")
    detail: _Detail


class Rules(Document):
    """Where candidates come from, what they must be, and where they go."""

    model: Text
    group_arn: Annotated[
        str, StringConstraints(pattern=r"^arn:[a-z-]+:sagemaker:[a-z0-9-]+:\d{12}:model-package-group/.+$")
    ]
    candidate_region: Text
    candidate_bucket: Text
    image_uri: Text
    """Of the model's settings."""
    data_bucket: Text
    candidates_prefix: Text
    manifest_key: Text

    @property
    def group(self) -> str:
        """Name of the group."""
        return self.group_arn.rsplit("/", 1)[1]

    @property
    def packages(self) -> str:
        """What the ARN of every version in the group begins with."""
        return self.group_arn.replace(":model-package-group/", ":model-package/", 1) + "/"
