"""Where the copies of candidates are kept: each object is written once, and appears only when it is complete and right.

A copy is a multipart upload: its parts are no object yet, so what turns out to be wrong is dropped without a trace.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.shared.errors import StorageError
from lambdas.shared.storage import explain, interrupted
from lambdas.shared.versions import S3Versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PART = 16 * 1024 * 1024
"""Of an upload, which has 10,000 parts at most; all that is held in memory."""
DIGEST = "sha256"
"""Under which name the digest stands in the metadata of a copy."""
_CHECKSUM = "CRC32"
_EXISTS = "PreconditionFailed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """A copy that is there."""

    key: str
    version: str
    sha256: str


class Store:
    """Copies of one candidate."""

    def __init__(self, s3: Any, *, bucket: str, prefix: str) -> None:
        """Use the client `s3`."""
        self._s3, self._prefix, self.bucket = s3, prefix, bucket

    def find(self, file: str) -> Stored | None:
        """Return the copy `file`, or None when there is none."""
        key = f"{self._prefix}/{file}"
        if not S3Versions(self._s3).is_listed(self.bucket, key):
            return None
        uri = f"s3://{self.bucket}/{key}"
        try:
            head = self._s3.head_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            raise explain(uri, "read", error) from error
        except BotoCoreError as error:
            raise interrupted(uri, error) from error
        return Stored(key=key, version=_version(head, uri), sha256=head["Metadata"].get(DIGEST, ""))

    def upload(self, file: str, *, sha256: str) -> Upload:
        """Return an upload of `file`, which is to have the digest `sha256`; leaving its block unfinished drops it."""
        return Upload(self._s3, bucket=self.bucket, key=f"{self._prefix}/{file}", sha256=sha256)


class Upload:
    """A copy that is being written."""

    def __init__(self, s3: Any, *, bucket: str, key: str, sha256: str) -> None:
        """Use the client `s3`."""
        self._s3, self._place = s3, {"Bucket": bucket, "Key": key}
        self._uri = f"s3://{bucket}/{key}"
        self._wanted, self._digest = sha256, hashlib.sha256()
        self._parts: list[dict[str, Any]] = []
        self._id: str | None = None

    def __enter__(self) -> Self:
        made = self._ask(self._s3.create_multipart_upload, ChecksumAlgorithm=_CHECKSUM, Metadata={DIGEST: self._wanted})
        self._id = made["UploadId"]
        return self

    def __exit__(self, *_: object) -> None:
        if self._id is not None:
            # If this fails too, the bucket drops the parts after some days; what went wrong before is what matters.
            with suppress(StorageError):
                self._ask(self._s3.abort_multipart_upload, UploadId=self._id)

    @property
    def sha256(self) -> str:
        """Digest of what was written so far."""
        return self._digest.hexdigest()

    def write(self, chunks: Iterable[bytes]) -> None:
        """Write all of `chunks`, whatever their sizes."""
        part = bytearray()
        for chunk in chunks:
            part += chunk
            while len(part) >= PART:
                self._send(bytes(part[:PART]))
                del part[:PART]
        if part:
            self._send(bytes(part))

    def finish(self) -> None:
        """Make the object, unless there is one already: that stays as it is."""
        finished = {"UploadId": self._id, "MultipartUpload": {"Parts": self._parts}, "IfNoneMatch": "*"}
        with suppress(_AlreadyThereError):
            self._ask(self._s3.complete_multipart_upload, **finished)
            self._id = None

    def _send(self, part: bytes) -> None:
        self._digest.update(part)
        number = len(self._parts) + 1
        sent = self._ask(
            self._s3.upload_part, UploadId=self._id, PartNumber=number, Body=part, ChecksumAlgorithm=_CHECKSUM
        )
        checksum = f"Checksum{_CHECKSUM}"
        known = {name: sent[name] for name in ("ETag", checksum) if name in sent}
        self._parts.append({"PartNumber": number, **known})

    def _ask(self, operation: Callable[..., Any], **parameters: Any) -> Any:
        try:
            return operation(**self._place, **parameters)
        except ClientError as error:
            if error.response["Error"]["Code"] == _EXISTS:
                raise _AlreadyThereError from error
            raise explain(self._uri, "written", error) from error
        except BotoCoreError as error:
            raise interrupted(self._uri, error) from error


class _AlreadyThereError(Exception):
    """Somebody else has made the object."""


def _version(response: dict[str, Any], uri: str) -> str:
    version = response.get("VersionId", "null")
    if version == "null":
        msg = f"{uri} has no version id; switch versioning on for the bucket"
        raise StorageError(msg)
    return str(version)
