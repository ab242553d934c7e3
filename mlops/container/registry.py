"""The repository in Amazon ECR that holds a container's images, each under the digest of its build context."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from mlops.container import engines, store
from mlops.container.errors import ContainerError, EngineError


class Repository:
    """One repository."""

    def __init__(self, name: str) -> None:
        """Find it.

        Raises:
            ContainerError: there is none of that name, or it cannot be asked.

        """
        self.name = name
        try:
            self._ecr: Any = boto3.client("ecr")
            described = self._ecr.describe_repositories(repositoryNames=[name])["repositories"][0]
        except (BotoCoreError, ClientError) as error:
            raise self._refused(error) from error
        self.uri = str(described["repositoryUri"])

    @property
    def emulated(self) -> bool:
        """Whether there is no registry behind it that takes layers."""
        host = urlsplit(self._ecr.meta.endpoint_url).hostname or ""
        return not host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws"))

    def find(self, tag: str) -> str | None:
        """Return the digest of the image with that tag; None if there is none."""
        try:
            images = self._ecr.describe_images(repositoryName=self.name, imageIds=[{"imageTag": tag}])["imageDetails"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ImageNotFoundException":
                return None
            raise self._refused(error) from error
        except BotoCoreError as error:
            raise self._refused(error) from error
        return str(images[0]["imageDigest"])

    def publish(self, image: store.StoredImage) -> str:
        """Put the image into the repository, tagged with its context, and return its digest there.

        Raises:
            ContainerError: the repository does not take it.
            EngineError: what was built cannot be pushed.

        """
        try:
            digest = self._put(image) if self.emulated else self._push(image)
        except (BotoCoreError, ClientError) as error:
            raise self._refused(error) from error
        store.tag(self.name, image)
        return digest

    def address(self, digest: str) -> str:
        """Return the name by which everything else calls the image."""
        return f"{self.uri}@{digest}"

    def _push(self, image: store.StoredImage) -> str:
        engine = engines.engine(image.rung)
        if not engine.real:
            msg = (
                f"the rung {image.rung} makes no image that SageMaker could pull; install Docker or buildah to push to "
                f"{self.uri}"
            )
            raise EngineError(msg)
        token = self._ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        user, _, password = base64.b64decode(token).decode().partition(":")
        return engine.push(image, uri=f"{self.uri}:{image.context}", user=user, password=password)

    def _put(self, image: store.StoredImage) -> str:
        # The emulated service keeps manifests; the layers stay in the store of this machine.
        manifest = (image.folder / "manifest.json").read_text(encoding="utf-8")
        answer = self._ecr.put_image(
            repositoryName=self.name,
            imageManifest=manifest,
            imageManifestMediaType=json.loads(manifest)["mediaType"],
            imageTag=image.context,
            imageDigest=image.digest,
        )
        return str(answer["image"]["imageId"]["imageDigest"])

    def _refused(self, error: Exception) -> ContainerError:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] == "RepositoryNotFoundException":
            return ContainerError(
                f"there is no ECR repository {self.name} in this account and region; `cdk deploy` of the model's stack "
                "makes it"
            )
        return ContainerError(f"the ECR repository {self.name} cannot be used: {error}")
