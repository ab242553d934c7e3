"""The image that trains, scores and serves a model: known at synthesis, or brought by each run."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import Stack
from constructs import Construct

from mlops_constructs.settings import ModelSettings, Scan
from mlops_constructs.settings.xgboost_images import image_uri


@dataclass(frozen=True, kw_only=True)
class ModelImage:
    """An image by its URI, or by the repository that the build of each run puts it into."""

    repository_arn: str
    """The only repository that the model's roles pull from, besides that of the processing image."""
    uri: str | None = None
    """None: the input of each run has it, as `image`."""
    scan: Scan | None = None
    """What stops it; None for an image of AWS, whose findings nobody here can read."""

    @property
    def state(self) -> dict[str, str]:
        """The image as a field of a state: a literal, or taken from the input of the run."""
        return {"image": self.uri} if self.uri is not None else {"image.$": "$.image"}


def named_image(scope: Construct, model: ModelSettings, *, region: str) -> ModelImage:
    """Return the image that the settings of `model` name: that of an algorithm, or one of its own by its digest.

    Raises:
        ValueError: they name none; its pipeline builds it.

    """
    container = model.container
    if model.algorithm is not None:
        uri = image_uri(model.algorithm.version, region)
        return ModelImage(uri=uri, repository_arn=repository_arn(scope, uri))
    if container is None or container.image is None:
        msg = f"the settings of {model.name} name no image; give it an algorithm, or a container with an image"
        raise ValueError(msg)
    uri = str(container.image)
    return ModelImage(uri=uri, repository_arn=repository_arn(scope, uri), scan=container.scan)


def repository_arn(scope: Construct, image_uri: str) -> str:
    """Return the ARN of the ECR repository of `image_uri`."""
    host, _, path = image_uri.partition("/")
    account, _, _, region, *_ = host.split(".")
    repository = path.partition("@")[0].partition(":")[0]
    return f"arn:{Stack.of(scope).partition}:ecr:{region}:{account}:repository/{repository}"
