from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlops.rehearsal import credentials
from tests.rehearsal import iam_world as world

pytestmark = pytest.mark.usefixtures("aws")


def upload(s3: Any, bucket: str, *parts: bytes) -> None:
    place = {"Bucket": bucket, "Key": "k"}
    begun = s3.create_multipart_upload(**place, ChecksumAlgorithm="CRC32")["UploadId"]
    made = []
    for number, body in enumerate(parts, start=1):
        sent = s3.upload_part(**place, UploadId=begun, PartNumber=number, Body=body, ChecksumAlgorithm="CRC32")
        made.append({"PartNumber": number, "ETag": sent["ETag"], "ChecksumCRC32": sent["ChecksumCRC32"]})
    s3.complete_multipart_upload(**place, UploadId=begun, MultipartUpload={"Parts": made})


@pytest.mark.parametrize("parts", [(b"one",), (b"a" * 5 * 1024**2, b"two")])
def test_what_was_uploaded_in_parts_is_downloaded_and_so_is_its_copy(parts: tuple[bytes, ...], tmp_path: Path) -> None:
    s3, bucket = credentials.client("s3"), world.bucket()
    upload(s3, bucket, *parts)
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/k")
    for key in ("k", "copy"):
        s3.download_file(bucket, key, str(tmp_path / key))
        assert (tmp_path / key).read_bytes() == b"".join(parts)
        assert s3.get_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")["Body"].read() == b"".join(parts)


def test_a_checksum_of_parts_tells_how_many_there_are() -> None:
    s3, bucket = credentials.client("s3"), world.bucket()
    upload(s3, bucket, b"a" * 5 * 1024**2, b"two")
    for call in (s3.head_object, s3.get_object):
        assert call(Bucket=bucket, Key="k", ChecksumMode="ENABLED")["ChecksumCRC32"].endswith("-2")


def test_a_copy_has_the_checksum_of_its_content() -> None:
    s3, bucket = credentials.client("s3"), world.bucket()
    upload(s3, bucket, b"one")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/k")
    s3.put_object(Bucket=bucket, Key="whole", Body=b"one", ChecksumAlgorithm="CRC32")
    found = {
        s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")["ChecksumCRC32"] for key in ("copy", "whole")
    }
    assert len(found) == 1
