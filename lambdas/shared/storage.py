"""JSON documents and lines of text at S3 URIs, with errors that name the URI and the reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.shared.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

JSON_LIMIT = 8 * 1024 * 1024
"""Reports are kilobytes; anything near this is not a report."""

_MISSING = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchVersion", "404", "NotFound"})
_DENIED = frozenset({"AccessDenied", "403", "Forbidden"})


def split_uri(uri: str) -> tuple[str, str]:
    """Return bucket and key of `uri`."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket or not key:
        msg = f"an S3 URI looks like s3://bucket/key, got {uri!r}"
        raise StorageError(msg)
    return bucket, key


class Storage:
    """Objects of S3."""

    def __init__(self, s3: Any) -> None:
        """Use the client `s3`."""
        self._s3 = s3

    def read_json(self, uri: str) -> Any:
        """Return the JSON document at `uri`."""
        body = self._open(uri, limit=JSON_LIMIT)
        try:
            return json.loads(body.read())
        except (ValueError, RecursionError) as error:
            msg = f"{uri} is not JSON: {error}"
            raise StorageError(msg) from error
        except BotoCoreError as error:
            raise interrupted(uri, error) from error

    def lines(self, uri: str, *, limit: int) -> Iterator[str]:
        """Yield the lines of the text at `uri`, which may have `limit` bytes; only one chunk is held at a time."""
        body = self._open(uri, limit=limit)
        try:
            for line in body.iter_lines(chunk_size=64 * 1024):
                yield line.decode()
        except UnicodeDecodeError as error:
            msg = f"{uri} is not text in UTF-8: {error.reason} at byte {error.start} of a line"
            raise StorageError(msg) from error
        except BotoCoreError as error:
            raise interrupted(uri, error) from error
        finally:
            body.close()

    def write_json(self, uri: str, document: object) -> None:
        """Write `document` to `uri`; NaN and infinity are refused because they are not JSON."""
        bucket, key = split_uri(uri)
        body = json.dumps(document, allow_nan=False, ensure_ascii=False, indent=2, sort_keys=True).encode()
        try:
            self._s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")
        except ClientError as error:
            raise explain(uri, "written", error) from error
        except BotoCoreError as error:
            raise interrupted(uri, error) from error

    def _open(self, uri: str, *, limit: int) -> Any:
        bucket, key = split_uri(uri)
        try:
            response = self._s3.get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            raise explain(uri, "read", error) from error
        except BotoCoreError as error:
            raise interrupted(uri, error) from error
        size = response["ContentLength"]
        if size > limit:
            response["Body"].close()
            msg = f"{uri} has {size:,} bytes; at most {limit:,} are read here"
            raise StorageError(msg)
        return response["Body"]


def explain(uri: str, done: str, error: ClientError) -> StorageError:
    """Return why `uri` was not `done` (read, written)."""
    code = error.response["Error"].get("Code", "")
    if code in _MISSING:
        return StorageError(f"{uri} does not exist")
    if code in _DENIED:
        return StorageError(f"{uri} cannot be {done}: the function's role may not, or it does not exist ({error})")
    return StorageError(f"{uri} cannot be {done}: {error}")


def interrupted(uri: str, error: BotoCoreError) -> StorageError:
    """Return why nothing is known about `uri`."""
    return StorageError(f"{uri}: the connection to S3 failed: {error}")
