"""How SageMaker gets an image of the account's own registry: with the permissions of the execution role."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from mlops.rehearsal import images, sagemaker_job

_LAYER_ACTIONS = ("ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer")


class PullError(Exception):
    """An image cannot be pulled; the text says why."""


def pull(backend: Any, uri: str, role_arn: str) -> None:
    """Check that the role may pull an image which the project built, and that the registry has it.

    Raises:
        PullError: it may not, or there is none.

    """
    if images.find(uri).stored is None:
        return
    from mlops.rehearsal import iam  # noqa: PLC0415 - it imports moto

    registry, _, rest = uri.partition("/")
    repository, _, digest = rest.partition("@")
    account, region = registry.split(".", 1)[0], registry.split(".")[3]
    ecr = sagemaker_job.client("ecr", role_arn, backend)
    asked = {"registryId": account, "repositoryName": repository, "imageIds": [{"imageDigest": digest}]}
    try:
        ecr.get_authorization_token()
        found = ecr.batch_get_image(**asked)["images"]
    except ClientError as error:
        message = f"Unable to pull the image {uri}: {error.response['Error'].get('Message', error)}"
        raise PullError(message) from error
    if not found:
        message = f"Unable to pull the image {uri}: the repository {repository} has no image with this digest"
        raise PullError(message)
    arn = f"arn:aws:ecr:{region}:{account}:repository/{repository}"
    for action in _LAYER_ACTIONS:
        if not iam.check(role_arn, action, arn, region=region).allowed:
            message = f"Unable to pull the image {uri}: {role_arn} is not allowed to perform {action} on {arn}"
            raise PullError(message)
