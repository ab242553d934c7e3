"""File assets of a cloud assembly: zipped and uploaded as the CDK command line does."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import ClientError

from mlops.rehearsal import credentials

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same time in every archive: equal folders are equal assets


@dataclass(frozen=True, slots=True)
class FileAsset:
    """A file or folder, and the object that it becomes."""

    source: Path
    packaging: str
    bucket: str
    key: str
    account: str
    region: str

    def content(self) -> bytes:
        """Return the content of the object."""
        return zip_folder(self.source) if self.packaging == "zip" and self.source.is_dir() else self.source.read_bytes()


def read(manifest: Path, fill: Callable[[str], str], *, account: str, region: str) -> list[FileAsset]:
    """Return the file assets of a stack in an account and region, as its asset manifest lists them.

    `fill` fills the placeholders in their destinations.
    """
    files = json.loads(manifest.read_text(encoding="utf-8")).get("files", {})
    return [
        FileAsset(
            manifest.parent / asset["source"]["path"],
            asset["source"].get("packaging", "file"),
            fill(destination["bucketName"]),
            fill(destination["objectKey"]),
            account,
            region,
        )
        for asset in files.values()
        if "path" in asset["source"]
        for destination in asset["destinations"].values()
    ]


def zip_folder(folder: Path) -> bytes:
    """Return the zip of a folder: every file, hidden ones and links' targets too, in the order of their names."""
    buffer = io.BytesIO()
    files = sorted(
        (Path(parent) / name).relative_to(folder).as_posix()
        for parent, _, names in os.walk(folder, followlinks=True)
        for name in names
    )
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in files:
            path = folder / name
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = (path.stat().st_mode & 0xFFFF) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def publish(assets: Iterable[FileAsset]) -> int:
    """Upload the assets that are not there yet; return how many were uploaded."""
    uploaded = 0
    for asset in assets:
        s3 = credentials.client("s3", account=asset.account, region=asset.region)
        try:
            s3.head_object(Bucket=asset.bucket, Key=asset.key)
        except ClientError:
            s3.put_object(Bucket=asset.bucket, Key=asset.key, Body=asset.content())
            uploaded += 1
    return uploaded
