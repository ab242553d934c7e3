"""The second rung: an image that buildah builds, isolated by bubblewrap."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlops.container import building, sandbox, store
from mlops.container.commands import output
from mlops.container.context import Context
from mlops.container.dockerfile import Dockerfile
from mlops.container.engines import Rung
from mlops.container.errors import EngineError

isolates = True
real = True
_MOUNT_POINTS = ("proc", "dev", "tmp", "opt/ml")


def unavailable(dockerfile: Dockerfile) -> str | None:
    """Return why it cannot be used: images are taken only if they are on this machine."""
    if shutil.which("buildah") is None:
        return "buildah is not installed"
    if sandbox.program() is None:
        return "bubblewrap, in which its images run, is not installed or not allowed"
    for base in _bases(dockerfile):
        try:
            output(["buildah", "inspect", "--type", "image", "--format", "{{.FromImageID}}", base])
        except EngineError:
            return f"the base image {base} is not on this machine; `buildah pull {base}` fetches it"
    return None


def build(context: Context, dockerfile: Dockerfile) -> store.StoredImage:  # noqa: ARG001 - the engines' interface
    """Build the image and unpack it into the store."""
    name = f"localhost/mlops-build:{context.digest[:16]}"
    # Docker's format, because OCI's has no place for a HEALTHCHECK; layers, so that the same context is the same image.
    command = ["buildah", "bud", "--isolation", "chroot", "--format", "docker", "--layers", "--pull-never"]
    command += ["--tag", name, str(context.folder)]
    sys.stderr.write(output(command))
    described: dict[str, Any] = json.loads(output(["buildah", "inspect", "--type", "image", name]))
    settings = described["OCIv1"]["config"]
    digest = str(described["FromImageDigest"])
    known = store.load(digest)
    if known is not None:
        return known
    store.folder().mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix="build-", dir=store.folder()))
    _unpack(name, made / "files")
    for point in _MOUNT_POINTS:
        (made / "files" / point).mkdir(parents=True, exist_ok=True)
    (made / "manifest.json").write_text(described["Manifest"], encoding="utf-8")
    uid, gid = _numbers(settings.get("User", ""), made / "files")
    image = store.StoredImage(
        digest=digest,
        rung=Rung.BUILDAH,
        folder=store.place(digest, made),
        context=context.digest,
        labels=settings.get("Labels") or {},
        environment=dict(one.partition("=")[::2] for one in settings.get("Env") or []),
        entrypoint=settings.get("Entrypoint") or [],
        working_folder=settings.get("WorkingDir") or "/",
        user=f"{uid}:{gid}",
        identity=name,
    )
    image.save()
    return image


def run(
    image: store.StoredImage,
    words: Sequence[str],
    *,
    workspace: Path,
    environment: Mapping[str, str],
    network: bool,
    variation: store.Variation,
    port: int | None,
) -> tuple[list[str], dict[str, str]]:
    """Run `words` in the image's own root file system."""
    bubblewrap = sandbox.program()
    if bubblewrap is None:
        msg = "images that buildah builds run in bubblewrap, which cannot be used here (any more)"
        raise EngineError(msg)
    files = building.writable_copy(image, workspace) if variation.writable else image.files
    arguments = sandbox.options(
        sandbox.Root(files, whole=True),
        workspace,
        user=(0, 0) if variation.root else building.numbers(image.user),
        folder=image.working_folder,
        writable=variation.writable,
        network=network,
    )
    variables = {"HOME": "/", **image.environment, **environment}
    return sandbox.launched(
        [bubblewrap, *words], variables, workspace, arguments=arguments, isolated=not network, port=port
    )


def socket(workspace: Path) -> Path | None:
    """Return the socket that leads to the port inside."""
    return sandbox.socket(workspace)


def push(image: store.StoredImage, *, uri: str, user: str, password: str) -> str:
    """Push the image and return the digest that the registry calls it by."""
    with tempfile.TemporaryDirectory() as folder:
        digest, access = Path(folder) / "digest", Path(folder) / "auth.json"
        registry = uri.partition("/")[0]
        login = ["buildah", "login", "--authfile", str(access), "--username", user, "--password-stdin", registry]
        output(login, given=password)
        pushed = ["buildah", "push", "--authfile", str(access), "--digestfile", str(digest)]
        output([*pushed, image.identity, f"docker://{uri}"])
        return digest.read_text(encoding="utf-8").strip()


def _bases(dockerfile: Dockerfile) -> list[str]:
    """Return the images from which the Dockerfile takes something."""
    named = [stage.base for stage in dockerfile.stages]
    named += [one.flags["from"] for stage in dockerfile.stages for one in stage.instructions if "from" in one.flags]
    return [name for name in dict.fromkeys(named) if name != "scratch" and dockerfile.stage(name) is None]


def _unpack(name: str, target: Path) -> None:
    """Copy the files of an image; without root, in the namespace in which buildah can mount."""
    target.mkdir()
    # Devices and the like are not the image's: every engine puts its own there.
    script = (
        f"set -e; c=$(buildah from --pull-never {shlex.quote(name)}); trap 'buildah rm \"$c\" >/dev/null' EXIT; "
        'm=$(buildah mount "$c"); tar -C "$m" --exclude=./dev --exclude=./proc --exclude=./sys -cf - . '
        f'| tar -C {shlex.quote(str(target))} --no-same-owner -xpf -; buildah umount "$c" >/dev/null'
    )
    inside = [] if os.geteuid() == 0 else ["buildah", "unshare"]
    output([*inside, "sh", "-c", script])


def _numbers(user: str, files: Path) -> tuple[int, int]:
    name = user.partition(":")[0]
    try:
        lines = (files / "etc" / "passwd").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for fields in (line.split(":") for line in lines):
        if len(fields) > 3 and name in {fields[0], fields[2]}:  # noqa: PLR2004 - name, password, user, group
            return int(fields[2]), int(fields[3])
    return building.numbers(user)
