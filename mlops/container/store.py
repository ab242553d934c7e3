"""The images of this machine: what `mlops build-image` made, by digest, with how their programs are run."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

VARIABLE = "MLOPS_CONTAINER_STORE"
"""The environment variable that names another folder than the default one."""
BIND_LABEL = "com.amazonaws.sagemaker.capabilities.accept-bind-to-port"
"""With this label, a container listens where SAGEMAKER_BIND_TO_PORT says."""
PORT = 8080
ENVIRONMENTS = "environments"
Program = Literal["train", "serve"]
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def folder() -> Path:
    """Return the folder of the store."""
    given = os.environ.get(VARIABLE)
    return Path(given).absolute() if given else Path(__file__).resolve().parents[2] / ".containers"


@dataclass(frozen=True, slots=True)
class Variation:
    """How a run differs from that of SageMaker's strictest host; a check that fails finds out with it why."""

    writable: bool = False
    """The root file system can be written."""
    root: bool = False
    """The program is root."""


STRICT = Variation()


@dataclass(frozen=True)
class StoredImage:
    """An image on this machine."""

    digest: str
    rung: str
    """How it was built and is run: docker, buildah, bubblewrap or prefix."""
    folder: Path
    """Where its files lie, with the subfolder `files`."""
    context: str
    """The digest of its build context."""
    labels: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    entrypoint: list[str] = field(default_factory=list)
    working_folder: str = "/"
    user: str = ""
    packages: str | None = None
    """The name of the environment with its Python packages, where it has one of its own on this machine."""
    packages_at: list[str] = field(default_factory=list)
    """Where its programs find that environment."""
    not_executed: list[str] = field(default_factory=list)
    """What of its Dockerfile had no effect here."""
    identity: str = ""
    """How the engine calls it."""

    @property
    def files(self) -> Path:
        """The files that belong to it."""
        return self.folder / "files"

    @property
    def packages_folder(self) -> Path | None:
        """The environment with its Python packages."""
        return folder() / ENVIRONMENTS / self.packages if self.packages else None

    def command(
        self,
        program: Program,
        *,
        workspace: Path,
        environment: Mapping[str, str],
        network: bool,
        variation: Variation = STRICT,
    ) -> tuple[list[str], dict[str, str]]:
        """Return command and environment that run a program of it with `workspace`/opt/ml at /opt/ml.

        `environment` is what SageMaker adds to the image's own. The process ends with SIGTERM as the program does.
        """
        from mlops.container import engines  # noqa: PLC0415 - engines make images, which are kept here

        engine = engines.engine(self.rung)
        return engine.run(
            self,
            [*self.entrypoint, program],
            workspace=workspace,
            environment=environment,
            network=network,
            variation=variation,
            port=self.port(environment) if program == "serve" else None,
        )

    def port(self, environment: Mapping[str, str]) -> int:
        """Return the port on which it serves with these variables."""
        if self.labels.get(BIND_LABEL, "").lower() != "true":
            return PORT
        return int(environment.get("SAGEMAKER_BIND_TO_PORT", PORT))

    def socket(self, workspace: Path) -> Path | None:
        """Return the socket that leads to its port inside; None if it is reached at SAGEMAKER_BIND_TO_PORT."""
        from mlops.container import engines  # noqa: PLC0415 - engines make images, which are kept here

        return engines.engine(self.rung).socket(workspace)

    def save(self) -> None:
        """Write its description beside its files."""
        described = asdict(self) | {"folder": str(self.folder)}
        partial = self.folder / "image.json.new"
        partial.write_text(json.dumps(described, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        partial.replace(self.folder / "image.json")


def find(repository: str, digest: str) -> StoredImage | None:
    """Return the image of `repository` with that digest; None if this machine has not made it."""
    tags = _tags(repository)
    return load(digest) if digest in tags.values() else None


def load(digest: str) -> StoredImage | None:
    """Return the image with that digest, of whatever repository."""
    if not _DIGEST.fullmatch(digest):
        return None
    path = _image_folder(digest)
    try:
        described = json.loads((path / "image.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return StoredImage(**described | {"folder": path})


def tag(repository: str, image: StoredImage) -> None:
    """Remember that `repository` holds the image."""
    path = _tags_path(repository)
    path.parent.mkdir(parents=True, exist_ok=True)
    tags = _tags(repository) | {image.context: image.digest}
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps(tags, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    partial.replace(path)


def place(digest: str, made: Path) -> Path:
    """Move the files of an image from `made` into the store and return its folder there."""
    path = _image_folder(digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        shutil.rmtree(made)
    else:
        made.replace(path)
    return path


def _image_folder(digest: str) -> Path:
    return folder() / "images" / digest.partition(":")[2]


def _tags_path(repository: str) -> Path:
    return folder() / "repositories" / f"{repository.replace('/', '%2F')}.json"


def _tags(repository: str) -> dict[str, str]:
    try:
        tags = json.loads(_tags_path(repository).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return tags if isinstance(tags, dict) else {}
