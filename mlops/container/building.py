"""Images without an engine: the interpreted Dockerfile, its files and its packages, kept in the store."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from pathlib import Path

from mlops.container import oci, packages, store
from mlops.container.context import Context
from mlops.container.dockerfile import Dockerfile
from mlops.container.interpretation import PATH, Interpretation, interpret

NOBODY = 1000
"""The number of a user who is known by name only."""
_MACHINE_PATHS = re.compile(r"^/(usr|usr/local)/?$")


def build(context: Context, dockerfile: Dockerfile, *, rung: str) -> store.StoredImage:
    """Carry out what can be carried out of the Dockerfile and keep it."""
    store.folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="build-", dir=store.folder()) as folder:
        made = Path(folder)
        image = interpret(dockerfile, context, made / "stages")
        prepared = packages.of(image)
        notes = list(image.not_executed)
        if prepared is not None:
            notes.append("the Python packages are those for this machine's Python, in an environment of their own")
        name = prepared.name if prepared else None
        manifest = oci.manifest(
            image.root,
            settings={
                "User": image.user,
                "Env": [f"{key}={value}" for key, value in sorted(image.environment.items())],
                "Entrypoint": image.entrypoint,
                "Cmd": image.default,
                "WorkingDir": image.folder,
                "Labels": image.labels,
            },
            annotations={"mlops.context": context.digest, "mlops.rung": rung, "mlops.packages": name or ""},
        )
        final = made / "image"
        final.mkdir()
        image.root.replace(final / "files")
        (final / "manifest.json").write_text(manifest.text, encoding="utf-8")
        where = store.place(manifest.digest, final)
    kept = store.StoredImage(
        digest=manifest.digest,
        rung=rung,
        folder=where,
        context=context.digest,
        labels=image.labels,
        environment={"PATH": _path(image)} | {k: v for k, v in image.environment.items() if k != "PATH"},
        entrypoint=image.entrypoint,
        working_folder=image.folder,
        user=image.user,
        packages=name,
        packages_at=[path for path in image.packages_at if not _MACHINE_PATHS.match(path)],
        not_executed=notes,
    )
    kept.save()
    return kept


def numbers(user: str) -> tuple[int, int]:
    """Return the numbers of user and group of a USER instruction."""
    name, _, group = user.partition(":")
    uid = int(name) if name.isdigit() else 0 if name in {"", "root"} else NOBODY
    return uid, int(group) if group.isdigit() else uid


def writable_copy(image: store.StoredImage, workspace: Path) -> Path:
    """Return a copy of the image's files that a program may change."""
    copy = workspace / "root"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(image.files, copy, symlinks=True, ignore=_special)
    return copy


def _special(folder: str, names: list[str]) -> set[str]:
    """Name what is no file, folder or link: reading a device, such as /dev/full of an image, never ends."""
    modes = ((name, os.lstat(os.path.join(folder, name)).st_mode) for name in names)  # noqa: PTH118 - names of copytree
    return {name for name, mode in modes if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))}


def with_python(path: str, folder: str) -> str:
    """Return the search path with this machine's Python where that of the base image would be."""
    folders = path.split(":")
    at = folders.index("/usr/local/bin") if "/usr/local/bin" in folders else len(folders)
    return ":".join([*folders[:at], folder, *folders[at:]])


def _path(image: Interpretation) -> str:
    return image.environment.get("PATH", PATH)
