"""The third rung: the files and packages of the image, isolated by bubblewrap, on this machine's operating system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mlops.container import building, packages, sandbox
from mlops.container.context import Context
from mlops.container.dockerfile import Dockerfile
from mlops.container.engines import Rung
from mlops.container.errors import EngineError
from mlops.container.store import StoredImage, Variation

isolates = True
real = False


def unavailable(_dockerfile: Dockerfile) -> str | None:
    """Return why it cannot be used."""
    return None if sandbox.program() else "bubblewrap is not installed, or the kernel allows no user namespaces"


def build(context: Context, dockerfile: Dockerfile) -> StoredImage:
    """Carry out what can be carried out of the Dockerfile."""
    return building.build(context, dockerfile, rung=Rung.BUBBLEWRAP)


def run(
    image: StoredImage,
    words: Sequence[str],
    *,
    workspace: Path,
    environment: Mapping[str, str],
    network: bool,
    variation: Variation,
    port: int | None,
) -> tuple[list[str], dict[str, str]]:
    """Run `words` in a sandbox that has nothing of this machine but its system."""
    bubblewrap = sandbox.program()
    if bubblewrap is None:
        msg = "the image was built for bubblewrap, which cannot be used here (any more)"
        raise EngineError(msg)
    prepared = image.packages_folder
    variables = {"HOME": "/", **image.environment}
    shared = sandbox.python_folders(prepared)
    if prepared is not None:
        shared |= dict.fromkeys(image.packages_at, prepared)
    first = str(prepared / "bin") if prepared and not image.packages_at else str(packages.interpreter().parent)
    variables["PATH"] = building.with_python(variables["PATH"], first)
    files = building.writable_copy(image, workspace) if variation.writable else image.files
    arguments = sandbox.options(
        sandbox.Root(files, shared=shared),
        workspace,
        user=(0, 0) if variation.root else building.numbers(image.user),
        folder=image.working_folder,
        writable=variation.writable,
        network=network,
    )
    return sandbox.launched(
        [bubblewrap, *words],
        {**variables, **environment},
        workspace,
        arguments=arguments,
        isolated=not network,
        port=port,
    )


def socket(workspace: Path) -> Path | None:
    """Return the socket that leads to the port inside."""
    return sandbox.socket(workspace)


def push(_image: StoredImage, *, uri: str, user: str, password: str) -> str:  # noqa: ARG001 - the engines' interface
    """Refuse: there is no image to push."""
    msg = f"without Docker or buildah there is no image that could be pushed to {uri}; install one of them"
    raise EngineError(msg)
