"""The Python packages of a container: an environment of its own, made once by uv and used offline from then on."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlops.container import store
from mlops.container.commands import output
from mlops.container.dockerfile import Instruction
from mlops.container.errors import EngineError

if TYPE_CHECKING:
    from mlops.container.interpretation import Interpretation

_READY = ".ready"
_COMMAND_END = re.compile(r"\s*(?:&&|\|\||;|\n)\s*")
_HARMLESS = ("set", "export", "true", "cd")


@dataclass(frozen=True, slots=True)
class Installation:
    """What a RUN instruction installs with pip or uv, as far as it can be done here."""

    requirements: tuple[str, ...]
    """Requirements files."""
    folder: str | None
    """The environment or prefix that it makes or fills; None is that of the image's Python."""
    carried_out: tuple[str, ...]
    rest: bool
    """Whether the instruction does something else too."""


def installation(one: Instruction) -> Installation | None:
    """Return what `one` installs; None if it does nothing of that kind."""
    text = one.body or (shlex.join(one.form) if one.form is not None else one.text)
    requirements: list[str] = []
    folder: str | None = None
    carried_out: list[str] = []
    rest = False
    for command in filter(None, _COMMAND_END.split(text.strip())):
        words = _words(command)
        files, made = _requirement_files(words), _environment_folder(words)
        if files is not None and (files or made):
            requirements += files
            carried_out.append("the installation of packages")
        elif made is not None:
            carried_out.append("the environment")
        elif not words or words[0] not in _HARMLESS:
            rest = True
        folder = made or folder
    if not carried_out:
        return None
    return Installation(tuple(requirements), folder, tuple(dict.fromkeys(carried_out)), rest)


def _words(command: str) -> list[str]:
    try:
        words = shlex.split(command, comments=True)
    except ValueError:
        return []
    while words and re.fullmatch(r"[A-Za-z_]\w*=.*", words[0]):
        words = words[1:]  # NAME=value before a command
    return words


def _requirement_files(words: Sequence[str]) -> list[str] | None:
    """Return the files after -r of an installing command; None if it is no such command."""
    is_pip = any(re.search(r"(^|/)(pip[0-9.]*|uv)$", word) for word in words[:3])
    if not is_pip or not {"install", "sync"} & set(words[:4]):
        return None
    if words[0].endswith("uv") and "sync" in words and "pip" in words:
        return [word for word in words[words.index("sync") + 1 :] if word.endswith((".txt", ".in"))]
    files = []
    for position, word in enumerate(words):
        if word in {"-r", "--requirement", "--requirements"} and position + 1 < len(words):
            files.append(words[position + 1])
        elif word.startswith(("--requirement=", "--requirements=")):
            files.append(word.partition("=")[2])
        elif word.startswith("-r") and not word.startswith("--") and len(word) > 2:  # noqa: PLR2004 - -rFILE
            files.append(word[2:])
    return files or None


def _environment_folder(words: Sequence[str]) -> str | None:
    """Return the environment that a command makes or installs into."""
    if "venv" in words[:4] and words:
        named = [word for word in words[words.index("venv") + 1 :] if not word.startswith("-")]
        return named[-1] if named else ".venv"
    for position, word in enumerate(words):
        if match := re.fullmatch(r"(/.+)/bin/(?:pip|python)[0-9.]*", word):
            return None if match[1] in {"/usr", "/usr/local"} else match[1]
        for option in ("--prefix", "--target", "--python"):
            value = word.partition("=")[2] if word.startswith(f"{option}=") else None
            if word == option and position + 1 < len(words):
                value = words[position + 1]
            if value is not None and value.startswith("/"):
                return re.sub(r"/bin/python[0-9.]*$", "", value)
    return None


def interpreter() -> Path:
    """Return the Python that environments are made of: that of this machine, not of the project's environment."""
    return Path(getattr(sys, "_base_executable", None) or sys.executable).resolve()


def of(image: Interpretation) -> Path | None:
    """Return the environment with what an image installs; None if it has none of its own."""
    return environment(image.requirements) if image.requirements or image.packages_at else None


def environment(requirements: Sequence[Path]) -> Path:
    """Return the environment with what the files require; made when it is not there yet.

    Raises:
        EngineError: it could not be made.

    """
    texts = [path.read_text(encoding="utf-8") for path in requirements]
    named = "\0".join([sys.version, platform.machine(), str(interpreter()), *texts])
    folder = store.folder() / store.ENVIRONMENTS / hashlib.sha256(named.encode()).hexdigest()[:16]
    if (folder / _READY).exists():
        return folder
    with _locked(folder.with_suffix(".lock")):
        if not (folder / _READY).exists():
            _make(folder, requirements, hashed=all("--hash=" in text for text in texts))
    return folder


def _make(folder: Path, requirements: Sequence[Path], *, hashed: bool) -> None:
    uv = _uv()
    shutil.rmtree(folder, ignore_errors=True)
    _uv_run([uv, "venv", "--quiet", "--python", str(interpreter()), str(folder)])
    if requirements:
        files = [word for path in requirements for word in ("--requirements", str(path))]
        checked = ["--require-hashes"] if hashed else []
        python = str(folder / "bin" / "python")
        _uv_run([uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, *checked, *files])
    (folder / _READY).touch()


def _uv() -> str:
    beside = Path(sys.executable).parent
    found = shutil.which("uv", path=os.pathsep.join([str(beside), os.environ.get("PATH", os.defpath)]))
    if found is None:
        msg = "uv is not installed; run tools/setup.sh"
        raise EngineError(msg)
    return found


def _uv_run(command: list[str]) -> None:
    try:
        output(command)
    except EngineError as error:
        msg = (
            f"the container's Python packages could not be installed; with a connection to a package index, "
            f"run `python -m mlops.container prepare PATH` once\n{error}"
        )
        raise EngineError(msg) from error


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
