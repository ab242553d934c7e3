"""Current versions of S3 objects."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from lambdas.shared.errors import StorageError


class S3Versions:
    """Current versions of objects in versioned buckets."""

    def __init__(self, s3: Any) -> None:
        """Use the client `s3`."""
        self._s3 = s3

    def current(self, bucket: str, key: str) -> str | None:
        """Return the id of the current version, or None when there is no such object."""
        if not self.is_listed(bucket, key):
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

    def is_listed(self, bucket: str, key: str) -> bool:
        """Return whether there is an object `key`."""
        # HeadObject alone does not do: without an unconditional right to list the bucket it answers 403 for a missing
        # object, and a role that may list one prefix only has none (HeadObject has no prefix to compare).
        try:
            listed = self._s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
        except ClientError as error:
            msg = f"the bucket {bucket} cannot be listed for {key}: {error}"
            raise StorageError(msg) from error
        return any(found["Key"] == key for found in listed.get("Contents", []))
