"""The last rung: the programs as they are, with paths put where the files lie. Nothing isolates them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlops.container import building, packages, sandbox
from mlops.container.context import Context
from mlops.container.dockerfile import Dockerfile
from mlops.container.engines import Rung
from mlops.container.errors import EngineError
from mlops.container.store import StoredImage, Variation
from mlops.rehearsal import sagemaker_programs

isolates = False
real = False
_PATHS = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")


class _Workspace(sagemaker_programs.Workspace):
    """A workspace that is there already."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.base = root / "opt" / "ml"


def unavailable(_dockerfile: Dockerfile) -> str | None:
    """Return why it cannot be used: there is no reason."""
    return None


def build(context: Context, dockerfile: Dockerfile) -> StoredImage:
    """Carry out what can be carried out of the Dockerfile."""
    return building.build(context, dockerfile, rung=Rung.PREFIX)


def run(
    image: StoredImage,
    words: Sequence[str],
    *,
    workspace: Path,
    environment: Mapping[str, str],
    network: bool,  # noqa: ARG001 - the engines' interface; here it is always there
    variation: Variation,  # noqa: ARG001 - the engines' interface; here nothing is ever taken away
    port: int | None,
) -> tuple[list[str], dict[str, str]]:
    """Run `words` on this machine, with its image's paths put where its files are."""
    prepared = image.packages_folder
    first = prepared / "bin" if prepared else packages.interpreter().parent
    variables = {name: _put(value, image, split=name in _PATHS) for name, value in image.environment.items()}
    own = str(packages.interpreter().parent if image.packages_at else first)
    path = building.with_python(image.environment["PATH"], own)
    variables["PATH"] = os.pathsep.join([_put(path, image, split=True), os.defpath])
    variables |= {"HOME": str(workspace), "TMPDIR": str(_made(workspace / "tmp")), **environment}
    given = [_put(word, image) for word in words]
    found = shutil.which(given[0], path=variables["PATH"])
    if found is None:
        msg = f"the image has no program '{words[0]}' on its PATH, or it may not be executed (COPY --chmod=0755)"
        raise EngineError(msg)
    command = [*_interpreter(Path(found), image, first), found, *given[1:]]
    command, variables = sagemaker_programs.bound(command, variables, _Workspace(workspace))
    folder = _put(image.working_folder, image)
    return sandbox.launched(
        command,
        variables,
        workspace,
        arguments=None,
        isolated=False,
        port=port,
        folder=folder if Path(folder).is_dir() else None,
    )


def socket(workspace: Path) -> Path | None:
    """Return the socket that leads to the program's port."""
    return sandbox.socket(workspace)


def push(_image: StoredImage, *, uri: str, user: str, password: str) -> str:  # noqa: ARG001 - the engines' interface
    """Refuse: there is no image to push."""
    msg = f"without Docker or buildah there is no image that could be pushed to {uri}; install one of them"
    raise EngineError(msg)


def _put(text: str, image: StoredImage, *, split: bool = False) -> str:
    """Return a path of the image as one of this machine; whatever else it is stays as it is."""
    if split:
        return os.pathsep.join(_put(part, image) for part in text.split(os.pathsep))
    if not text.startswith("/"):
        return text
    prepared = image.packages_folder
    for place in image.packages_at if prepared else ():
        if text == place or text.startswith(f"{place}/"):
            return f"{prepared}{text[len(place) :]}"
    inside = image.files / text.lstrip("/")
    return str(inside) if text != "/" and inside.exists() else text


def _interpreter(program: Path, image: StoredImage, first: Path) -> list[str]:
    """Return the interpreter of a script whose own lies in the image only."""
    with program.open("rb") as file:
        line = file.readline(200)
    if not line.startswith(b"#!"):
        return []
    written = line[2:].decode("utf-8", errors="replace").split()
    if not written or (written[0].startswith(("/usr/bin/", "/bin/")) and Path(written[0]).exists()):
        return []
    put = _put(written[0], image)
    if Path(put).name.startswith("python"):
        put = put if put != written[0] else str(first / "python3")
    return [put, *written[1:]]


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
