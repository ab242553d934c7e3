"""Checksums of objects that were uploaded in parts.

Gaps of moto that are closed here: HeadObject, and every answer on a copy, tells the checksum of the parts' checksums
without the number of parts behind it, so clients take it for the checksum of the content, and refuse the content. S3
tells the number, and computes the checksum of a copy anew:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
"""

from __future__ import annotations

from typing import Any

_COMPOSITE = "COMPOSITE"


def install() -> None:
    """Let a checksum of checksums be known as one wherever it appears."""
    from moto.s3.models import S3Backend  # noqa: PLC0415 - moto is imported late
    from moto.s3.utils import compute_checksum  # noqa: PLC0415 - moto is imported late

    backend: Any = S3Backend
    complete_in_moto, copy_in_moto = backend.complete_multipart_upload, backend.copy_object

    def complete_multipart_upload(self: Any, *args: Any, **kwargs: Any) -> Any:
        key = complete_in_moto(self, *args, **kwargs)
        if key is not None and key.checksum_type == _COMPOSITE:
            # moto itself would put the number of parts behind it once more, were it still said to be composite.
            key.checksum_value, key.checksum_type = f"{key.checksum_value}-{key.checksum_parts}", None
        return key

    def copy_object(self: Any, src_key: Any, dest_bucket_name: str, dest_key_name: str, **options: Any) -> None:
        copy_in_moto(self, src_key, dest_bucket_name, dest_key_name, **options)
        if "-" in (src_key.checksum_value or ""):
            copy = self.get_bucket(dest_bucket_name).keys[dest_key_name]
            copy.checksum_value = compute_checksum(copy.value, algorithm=copy.checksum_algorithm).decode()

    backend.complete_multipart_upload, backend.copy_object = complete_multipart_upload, copy_object
