"""The manifest of an image that no engine built: as the OCI image specification has it, over its files."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True, slots=True)
class Manifest:
    """The text by whose digest an image is called."""

    text: str

    @property
    def digest(self) -> str:
        """The digest by which the image is called."""
        return _digest(self.text.encode())


def manifest(files: Path, *, settings: dict[str, Any], annotations: dict[str, str]) -> Manifest:
    """Return the manifest of an image with one layer."""
    digest, size = _layer(files)
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": settings,
            "rootfs": {"type": "layers", "diff_ids": [digest]},
        },
        sort_keys=True,
    ).encode()
    return of_parts(config, [(digest, size)], annotations)


def of_parts(config: bytes, layers: list[tuple[str, int]], annotations: dict[str, str]) -> Manifest:
    """Return the manifest of an image with this configuration and these layers (digest and size)."""
    text = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": _CONFIG, "digest": _digest(config), "size": len(config)},
            "layers": [{"mediaType": _LAYER, "digest": digest, "size": size} for digest, size in layers],
            "annotations": annotations,
        },
        sort_keys=True,
    )
    return Manifest(text)


class _Hashing(io.RawIOBase):
    """A file of which only digest and size are kept."""

    def __init__(self) -> None:
        self.sha = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.sha.update(data)
        self.size += len(data)
        return len(data)


def _layer(files: Path) -> tuple[str, int]:
    """Return digest and size of the layer: names sorted, nobody's files, no times."""
    layer = _Hashing()
    with tarfile.open(fileobj=layer, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(files.rglob("*")):
            member = archive.gettarinfo(str(path), arcname=path.relative_to(files).as_posix())
            member.uid = member.gid = member.mtime = 0
            member.uname = member.gname = ""
            if member.isfile():
                with path.open("rb") as file:
                    archive.addfile(member, file)
            else:
                archive.addfile(member)
    return f"sha256:{layer.sha.hexdigest()}", layer.size


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
