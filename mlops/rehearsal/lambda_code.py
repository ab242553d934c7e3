"""What a function can import: its asset, the packages of the runtime and of its layers, and nothing else.

The project, its virtual environment and whatever else the machine has stay out of reach: an asset that forgets a module
fails here as it would fail in AWS. The public Powertools layer is represented by the Powertools release of this
environment; every other layer is refused.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import re
import shutil
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

RUNTIME = ("awslambdaric", "boto3")
POWERTOOLS_LAYER = re.compile(r"arn:aws[\w-]*:lambda:[\w-]+:017000801446:layer:AWSLambdaPowertoolsPythonV3-[\w-]+:\d+")
_POWERTOOLS_PACKAGES = (
    "aws-lambda-powertools", "pydantic", "pydantic-settings", "aws-xray-sdk", "fastjsonschema", "jsonpath-ng",
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9._-]+")

# -S and -P leave the standard library on the path and nothing else, no .pth file of an editable installation either.
BOOTSTRAP = """
import runpy, sys
root, layers, runtime, handler = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4]
sys.path[:] = [root, *filter(None, layers.split(":")), *sys.path, runtime]
sys.argv = ["awslambdaric", handler]
runpy.run_module("awslambdaric", run_name="__main__", alter_sys=False)
"""


class UnsupportedFunctionError(ValueError):
    """The rehearsal cannot stand in for what a function asks for."""


def unsupported(*, runtime: str | None, package_type: str, layers: Iterable[str]) -> str | None:
    """Return why the rehearsal cannot run a function, None if it can."""
    if package_type != "Zip":
        return f"the rehearsal runs functions of package type Zip, not {package_type}"
    if not (runtime or "").startswith("python3"):
        return f"the rehearsal runs functions of a python3 runtime, not {runtime}"
    for layer in layers:
        if not POWERTOOLS_LAYER.fullmatch(layer):
            return (
                f"the rehearsal has no content for layer {layer}; it represents only the public Powertools layers "
                "AWSLambdaPowertoolsPythonV3-... of account 017000801446"
            )
    return None


class CodeStore:
    """Assets, unzipped once for each hash, and the folders that stand for the runtime and for layers."""

    def __init__(self) -> None:
        self._root = Path(tempfile.mkdtemp(prefix="mlops-lambda-"))
        self._lock = threading.Lock()
        self._links: dict[str, Path] = {}

    @property
    def root(self) -> Path:
        """The folder in which everything lies."""
        return self._root

    def asset(self, content: bytes) -> Path:
        """Return the folder of an asset's content."""
        folder = self._root / "assets" / hashlib.sha256(content).hexdigest()[:24]
        with self._lock:
            if not folder.exists():
                partial = folder.with_suffix(".partial")
                shutil.rmtree(partial, ignore_errors=True)
                with zipfile.ZipFile(io.BytesIO(content)) as archive:
                    archive.extractall(partial)
                partial.rename(folder)
        return folder

    def runtime(self) -> Path:
        """Return the folder with what the Lambda runtime brings: its client and boto3."""
        return self._linked("runtime", RUNTIME)

    def layer(self, arn: str) -> Path:
        """Return the folder that stands for a layer.

        Raises:
            UnsupportedFunctionError: the layer is none that the rehearsal represents.

        """
        reason = unsupported(runtime="python3", package_type="Zip", layers=[arn])
        if reason:
            raise UnsupportedFunctionError(reason)
        return self._linked("powertools", _POWERTOOLS_PACKAGES)

    def _linked(self, name: str, distributions: Sequence[str]) -> Path:
        with self._lock:
            if name not in self._links:
                folder = self._root / name
                folder.mkdir(parents=True)
                for distribution in _closure(distributions):
                    _link(distribution, folder)
                self._links[name] = folder
            return self._links[name]

    def close(self) -> None:
        """Remove everything."""
        shutil.rmtree(self._root, ignore_errors=True)


def _closure(names: Sequence[str]) -> list[importlib.metadata.Distribution]:
    """Return the installed distributions of these names and all that they require, extras left out."""
    found: dict[str, importlib.metadata.Distribution] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in found:
            continue
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # an optional part of the layer that this environment does not have
        found[name] = distribution
        for requirement in distribution.requires or ():
            match = _NAME.match(requirement)
            if match and "extra ==" not in requirement:
                waiting.append(match.group(0))
    return list(found.values())


def _link(distribution: importlib.metadata.Distribution, folder: Path) -> None:
    tops = {file.parts[0] for file in distribution.files or () if file.parts[0] not in ("..", "__pycache__")}
    for top in tops:
        source = Path(str(distribution.locate_file(top)))
        target = folder / top
        if source.exists() and not target.exists():
            target.symlink_to(source)


def command(*, root: Path, layers: Sequence[Path], runtime: Path, handler: str) -> list[str]:
    """Return the command that serves a function in a process of its own."""
    return [
        sys.executable, "-S", "-P", "-c", BOOTSTRAP,
        str(root), ":".join(str(layer) for layer in layers), str(runtime), handler,
    ]  # fmt: skip
