"""S3 and CodePipeline as the logic needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambdas.shared.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping


class S3Versions:
    """Current versions of objects in versioned buckets."""

    def __init__(self, s3: Any) -> None:
        """Use the client `s3`."""
        self._s3 = s3

    def current(self, bucket: str, key: str) -> str | None:
        """Return the id of the current version, or None when there is no such object."""
        if not self._is_listed(bucket, key):
            return None
        try:
            version = self._s3.head_object(Bucket=bucket, Key=key).get("VersionId", "null")
        except ClientError as error:
            if error.response["Error"]["Code"] in {"404", "NoSuchKey"}:
                return None
            msg = f"the version of s3://{bucket}/{key} cannot be read: {error}"
            raise StorageError(msg) from error
        if version == "null":
            msg = f"s3://{bucket}/{key} has no version id; switch versioning on for the bucket and upload it again"
            raise StorageError(msg)
        return str(version)

    def _is_listed(self, bucket: str, key: str) -> bool:
        # HeadObject alone does not do: without an unconditional right to list the bucket it answers 403 for a missing
        # object, and a role that may list one prefix only has none (HeadObject has no prefix to compare).
        try:
            listed = self._s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
        except ClientError as error:
            msg = f"the bucket {bucket} cannot be listed for {key}: {error}"
            raise StorageError(msg) from error
        return any(found["Key"] == key for found in listed.get("Contents", []))


class CodePipeline:
    """One pipeline."""

    def __init__(self, codepipeline: Any, *, name: str) -> None:
        """Use the client `codepipeline` for the pipeline `name`."""
        self._codepipeline, self._name = codepipeline, name

    def start(self, *, token: str, versions: Mapping[str, str]) -> str:
        """Start an execution with a version for each source action and return its id."""
        started = self._codepipeline.start_pipeline_execution(
            name=self._name,
            clientRequestToken=token,
            sourceRevisions=[
                {"actionName": action, "revisionType": "S3_OBJECT_VERSION_ID", "revisionValue": version}
                for action, version in sorted(versions.items())
            ],
        )
        return str(started["pipelineExecutionId"])
