"""Source actions: an object of a versioned bucket; or, in the place of a repository, a zip given to the rehearsal."""

from __future__ import annotations

import hashlib
from typing import Any

from botocore.exceptions import ClientError

from mlops.rehearsal.codepipeline_actions import Task, text
from mlops.rehearsal.codepipeline_runs import ActionError

_repositories: dict[tuple[str, str], tuple[bytes, str]] = {}


def register_repository(repository: str, branch: str, archive: bytes) -> str:
    """Stand in for a branch behind a connection with a zip of its tree; return the commit id that it gets."""
    commit = hashlib.sha1(archive, usedforsecurity=False).hexdigest()
    _repositories[repository, branch] = (archive, commit)
    return commit


def forget_repositories() -> None:
    """Forget every registered tree."""
    _repositories.clear()


def s3(task: Task) -> dict[str, str]:
    """Copy the newest version of the object, or the one asked for, into the artifact bucket."""
    bucket, key = task.configuration["S3Bucket"], task.configuration["S3ObjectKey"]
    override = task.run.overrides.get(task.attempt.name, {})
    key = override.get("S3_OBJECT_KEY", key)
    wanted = {"VersionId": override["S3_OBJECT_VERSION_ID"]} if "S3_OBJECT_VERSION_ID" in override else {}
    client = task.client("s3")
    try:
        if client.get_bucket_versioning(Bucket=bucket).get("Status") != "Enabled":
            message = f"The bucket {bucket} is not versioned; an S3 source needs versioning"
            raise ActionError(message, code="ConfigurationError")
        answer = client.get_object(Bucket=bucket, Key=key, **wanted)
        body = answer["Body"].read()
    except ClientError as error:
        raise _failure(error, bucket=bucket, key=key, version=wanted.get("VersionId")) from error
    for artifact in task.attempt.outputs:
        task.put(artifact, body)
    version = str(answer.get("VersionId") or "null")
    task.tell(
        revision={"revisionId": version, "revisionSummary": f"Amazon S3 version id: {version}"},
        external_id=version,
        summary=f"Amazon S3 version id: {version}",
    )
    return {
        "BucketName": bucket,
        "ObjectKey": key,
        "ETag": str(answer["ETag"]).strip('"'),
        "VersionId": version,
    }


def connection(task: Task) -> dict[str, str]:
    """Take the tree that was registered for the repository and branch."""
    repository, branch = task.configuration["FullRepositoryId"], task.configuration["BranchName"]
    if (repository, branch) not in _repositories:
        message = (
            f"no tree is registered for {repository}, branch {branch}: a connection cannot be followed in a rehearsal, "
            "which gives a zip of the working tree instead"
        )
        raise ActionError(message, code="ConfigurationError")
    if task.configuration.get("OutputArtifactFormat", "CODE_ZIP") != "CODE_ZIP":
        message = "OutputArtifactFormat CODEBUILD_CLONE_REF is not rehearsed, only CODE_ZIP is"
        raise ActionError(message, code="ConfigurationError")
    archive, commit = _repositories[repository, branch]
    for artifact in task.attempt.outputs:
        task.put(artifact, archive)
    task.tell(revision={"revisionId": commit, "revisionSummary": "working tree of the rehearsal"}, external_id=commit)
    return {
        "BranchName": branch,
        "CommitId": commit,
        "CommitMessage": "working tree of the rehearsal",
        "ConnectionArn": task.configuration["ConnectionArn"],
        "FullRepositoryName": repository,
    }


def _failure(error: ClientError, *, bucket: str, key: str, version: str | None) -> ActionError:
    code: Any = error.response["Error"]["Code"]
    place = f"s3://{bucket}/{key}" + (f" (version {version})" if version else "")
    if code in ("NoSuchKey", "NoSuchVersion", "404"):
        return ActionError(f"The object with key '{key}' does not exist: {place}", code="ConfigurationError")
    if code == "NoSuchBucket":
        return ActionError(f"The bucket '{bucket}' does not exist", code="ConfigurationError")
    message = f"Insufficient permissions: The provided role cannot read the Amazon S3 object {place}. {text(error)}"
    return ActionError(message, code="PermissionError")
