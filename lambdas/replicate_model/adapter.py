"""S3 as the logic needs it: copies between regions that no byte of passes through the function."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.shared.storage import explain, interrupted

PART = 512 * 1024 * 1024
"""What one request copies: S3 allows 5 GiB, but its answer has to come before the client gives up waiting."""
_CHECKSUM = "CRC32"


class Copier:
    """Copies objects to another region."""

    def __init__(self, here: Any, there: Any) -> None:
        """Use the S3 client `here` for the original and the client `there`, of the copy's region, for the copy."""
        self._here, self._there = here, there

    def copy(self, *, bucket: str, key: str, to: str) -> None:
        """Copy the object `key` of `bucket` to the same key of the bucket `to`."""
        source, target = f"s3://{bucket}/{key}", f"s3://{to}/{key}"
        try:
            head = self._here.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            raise explain(source, "read", error) from error
        except BotoCoreError as error:
            raise interrupted(source, error) from error
        # An original that changes while it is copied is an error, not a mixture.
        original = {"CopySource": {"Bucket": bucket, "Key": key}, "CopySourceIfMatch": head["ETag"]}
        try:
            self._copy({"Bucket": to, "Key": key}, original, head["ContentLength"])
        except ClientError as error:
            raise explain(target, "written", error) from error
        except BotoCoreError as error:
            raise interrupted(target, error) from error

    def _copy(self, place: dict[str, Any], original: dict[str, Any], size: int) -> None:
        if size <= PART:
            # Tags are not copied: to read them would take a permission of its own.
            self._there.copy_object(**place, **original, TaggingDirective="REPLACE")
            return
        begun = self._there.create_multipart_upload(**place, ChecksumAlgorithm=_CHECKSUM)
        upload = {**place, "UploadId": begun["UploadId"]}
        try:
            parts = [
                self._part(upload, original, number, first, min(first + PART, size) - 1)
                for number, first in enumerate(range(0, size, PART), start=1)
            ]
            self._there.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
        except (BotoCoreError, ClientError):
            self._there.abort_multipart_upload(**upload)
            raise

    def _part(
        self, upload: dict[str, Any], original: dict[str, Any], number: int, first: int, last: int
    ) -> dict[str, Any]:
        made = self._there.upload_part_copy(
            **upload, **original, PartNumber=number, CopySourceRange=f"bytes={first}-{last}"
        )
        facts = made["CopyPartResult"]
        return {
            "PartNumber": number,
            **{name: facts[name] for name in ("ETag", f"Checksum{_CHECKSUM}") if name in facts},
        }
