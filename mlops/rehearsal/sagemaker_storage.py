"""What SageMaker moves between S3 and an instance, with the credentials of the execution role."""

from __future__ import annotations

import re
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

_HTTPS = re.compile(r"^https://s3[.-][^/]*/")


class StorageError(Exception):
    """S3 did not give, or did not take, what a job needs; the text is what the job's FailureReason says."""


def split(uri: str) -> tuple[str, str]:
    """Return bucket and key of an S3 URI; SageMaker takes https://s3.<region>.../bucket/key, too."""
    path = uri.removeprefix("s3://") if uri.startswith("s3://") else _HTTPS.sub("", uri)
    bucket, _, key = path.partition("/")
    return bucket, key


def join(uri: str, *parts: str) -> str:
    """Return `uri` with `parts` behind it, one slash between each."""
    return "/".join([uri.rstrip("/"), *(part.strip("/") for part in parts)])


def relative_path(key: str, prefix: str) -> str:
    """Return where the object `key` lies in a channel that was read from `prefix`."""
    rest = key[len(prefix) :]
    if rest.startswith("/") or prefix.endswith("/") or not prefix:
        return rest.lstrip("/")
    return key[prefix.rfind("/") + 1 :]


def keys(client: Any, uri: str) -> Iterator[str]:
    """Yield the keys of all objects under the prefix `uri`, without the markers of folders."""
    bucket, prefix = split(uri)
    try:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            yield from (item["Key"] for item in page.get("Contents", []) if not item["Key"].endswith("/"))
    except ClientError as error:
        raise StorageError(_reason(error, "ListBucket", f"s3://{bucket}/{prefix}")) from error


def exists(client: Any, uri: str) -> bool:
    """Whether at least one object lies under the prefix `uri`."""
    return next(keys(client, uri), None) is not None


def download(client: Any, uri: str, folder: Path) -> int:
    """Copy the objects under the prefix `uri` into `folder`; return how many there were."""
    bucket, prefix = split(uri)
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for key in keys(client, uri):
        target = (folder / relative_path(key, prefix)).resolve()
        if not target.is_relative_to(folder.resolve()):
            msg = f"the key {key} leads out of its channel"
            raise StorageError(msg)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            client.download_file(bucket, key, str(target))
        except ClientError as error:
            raise StorageError(_reason(error, "GetObject", f"s3://{bucket}/{key}")) from error
        count += 1
    return count


def upload_file(client: Any, path: Path, uri: str, *, kms_key: str | None) -> None:
    """Write one file to `uri`, encrypted with `kms_key` or as the bucket says."""
    bucket, key = split(uri)
    extra = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else None
    try:
        client.upload_file(str(path), bucket, key, ExtraArgs=extra)
    except ClientError as error:
        raise StorageError(_reason(error, "PutObject", f"s3://{bucket}/{key}")) from error
    except Exception as error:
        if "Failed to upload" not in str(error):
            raise
        raise StorageError(str(error)) from error


def read(client: Any, bucket: str, key: str) -> bytes:
    """Return the content of one object."""
    try:
        content: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        raise StorageError(_reason(error, "GetObject", f"s3://{bucket}/{key}")) from error
    return content


def write(client: Any, content: bytes, uri: str, *, kms_key: str | None) -> None:
    """Write one object to `uri`, encrypted with `kms_key` or as the bucket says."""
    bucket, key = split(uri)
    extra = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
    try:
        client.put_object(Bucket=bucket, Key=key, Body=content, **extra)
    except ClientError as error:
        raise StorageError(_reason(error, "PutObject", f"s3://{bucket}/{key}")) from error


def upload_folder(client: Any, folder: Path, uri: str, *, kms_key: str | None) -> int:
    """Write every file under `folder` to the prefix `uri`; return how many there were."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files:
        upload_file(client, path, join(uri, path.relative_to(folder).as_posix()), kms_key=kms_key)
    return len(files)


def upload_archive(client: Any, folder: Path, uri: str, *, kms_key: str | None) -> None:
    """Write `folder` to `uri` as a .tar.gz, as SageMaker packs /opt/ml/model and /opt/ml/output/data."""
    with tempfile.NamedTemporaryFile(suffix=".tar.gz") as file:
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=6) as archive:
            for path in sorted(folder.iterdir()):
                archive.add(path, arcname=path.name)
        file.flush()
        upload_file(client, Path(file.name), uri, kms_key=kms_key)


def extract_archive(client: Any, uri: str, folder: Path) -> None:
    """Unpack the .tar.gz at `uri` into `folder`, as SageMaker does with a model."""
    bucket, key = split(uri)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(suffix=".tar.gz") as file:
        try:
            client.download_fileobj(bucket, key, file)
        except ClientError as error:
            raise StorageError(_reason(error, "GetObject", f"s3://{bucket}/{key}")) from error
        file.flush()
        file.seek(0)
        try:
            with tarfile.open(fileobj=file, mode="r:gz") as archive:
                archive.extractall(folder, filter="data")
        except (tarfile.TarError, OSError, EOFError) as error:
            msg = f"Failed to extract model data archive from URL s3://{bucket}/{key}: {error}"
            raise StorageError(msg) from error


def _reason(error: ClientError, action: str, uri: str) -> str:
    code = error.response["Error"].get("Code", "Unknown")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    text = error.response["Error"].get("Message", "")
    return f"{code} ({status}): {text} ({action} of {uri})"
