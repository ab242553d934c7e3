"""How SageMaker gets an image that the project built: with the permissions of the execution role.

From a registry in another account it pulls in its own name, too: endpoints fail with "does not grant
ecr:GetDownloadUrlForLayer, ecr:BatchGetImage, ecr:BatchCheckLayerAvailability permission to sagemaker.amazonaws.com
service principal" where only the role is admitted (https://github.com/aws/deep-learning-containers/issues/5657).
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from mlops.rehearsal import images, sagemaker_job

_LAYER_ACTIONS = ("ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer")
_ACTIONS = ("ecr:BatchGetImage", *_LAYER_ACTIONS)


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
    if region != backend.region_name:
        message = f"Unable to pull the image {uri}: it is not in {backend.region_name}, where the endpoint or job is"
        raise PullError(message)
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
    if account == backend.account_id:
        return
    for action in _ACTIONS:
        source = backend.account_id
        if not iam.check_service(sagemaker_job.PRINCIPAL, action, arn, source_account=source).allowed:
            message = (
                f"The repository of your image {uri} does not grant {', '.join(_ACTIONS)} permission to "
                f"{sagemaker_job.PRINCIPAL} service principal."
            )
            raise PullError(message)
