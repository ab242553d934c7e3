"""The first rung: Docker, as in CodeBuild."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlops.container import oci, sandbox, store
from mlops.container.commands import output
from mlops.container.context import Context
from mlops.container.dockerfile import Dockerfile
from mlops.container.engines import Rung
from mlops.container.errors import EngineError

isolates = True
real = True
_PROBE_SECONDS = 10.0
_NOTE = "a program that serves has a network: without one Docker leads no port to it"


def unavailable(_dockerfile: Dockerfile) -> str | None:
    """Return why it cannot be used."""
    try:
        output([_docker(), "info", "--format", "{{.ServerVersion}}"], seconds=_PROBE_SECONDS)
    except EngineError:
        return "there is no Docker engine"
    return None


def build(context: Context, dockerfile: Dockerfile) -> store.StoredImage:  # noqa: ARG001 - the engines' interface
    """Build the image for the processors of SageMaker."""
    name = f"mlops-build:{context.digest[:16]}"
    sys.stderr.write(output([_docker(), "build", "--platform", "linux/amd64", "--tag", name, str(context.folder)]))
    described: dict[str, Any] = json.loads(output([_docker(), "image", "inspect", name]))[0]
    settings = described["Config"]
    config = json.dumps(settings, sort_keys=True).encode()
    manifest = oci.of_parts(config, [(digest, 1) for digest in described["RootFS"]["Layers"]], {"mlops.id": name})
    store.folder().mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix="build-", dir=store.folder()))
    (made / "files").mkdir()
    (made / "manifest.json").write_text(manifest.text, encoding="utf-8")
    image = store.StoredImage(
        digest=manifest.digest,
        rung=Rung.DOCKER,
        folder=store.place(manifest.digest, made),
        context=context.digest,
        labels=settings.get("Labels") or {},
        entrypoint=settings.get("Entrypoint") or [],
        user=settings.get("User") or "",
        not_executed=[_NOTE],
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
    """Run `words`, which begin with the image's own entry point, in a container."""
    base = workspace / "opt" / "ml"
    for path in (base, *base.rglob("*")):
        if not path.is_symlink():  # whoever the image's user is
            path.chmod(0o777 if path.is_dir() else 0o666)
    command = [_docker(), "run", "--rm", "--name", f"mlops-{workspace.name}", "--volume", f"{base}:/opt/ml"]
    command += [] if variation.writable else ["--read-only", "--tmpfs", "/tmp:exec,mode=1777"]  # noqa: S108 - the container's
    command += ["--user", "0"] if variation.root else []
    if port is not None:
        outside = environment.get("SAGEMAKER_BIND_TO_PORT", str(store.PORT))
        command += ["--publish", f"127.0.0.1:{outside}:{port}"]
    elif not network:
        command += ["--network", "none"]
    for name, value in environment.items():
        command += ["--env", f"{name}={value}"]
    own = sandbox.own_environment()
    return [*command, image.identity, *words[len(image.entrypoint) :]], own


def socket(_workspace: Path) -> Path | None:
    """Return that the port itself is reached."""
    return None


def push(image: store.StoredImage, *, uri: str, user: str, password: str) -> str:
    """Push the image and return the digest that the registry calls it by."""
    registry = uri.partition("/")[0]
    output([_docker(), "login", "--username", user, "--password-stdin", registry], given=password)
    try:
        output([_docker(), "tag", image.identity, uri])
        output([_docker(), "push", uri])
        pushed = json.loads(output([_docker(), "image", "inspect", "--format", "{{json .RepoDigests}}", uri]))
    finally:
        output([_docker(), "logout", registry])
    repository = uri.rpartition(":")[0]
    for name in pushed:
        if name.startswith(f"{repository}@"):
            return str(name.partition("@")[2])
    msg = f"Docker does not say by which digest {uri} is called"
    raise EngineError(msg)


def _docker() -> str:
    return shutil.which("docker") or "docker"
