"""The build context: the files that an image is made from, and the digest that names them."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mlops.container.errors import ContainerError

DOCKERFILE = "Dockerfile"
_ALWAYS_IGNORED = ("**/__pycache__", "**/*.pyc", "**/.git", "**/.DS_Store")
"""What appears by itself beside the sources: an image's name must not change by running a test."""
_EXECUTABLE = 0o111


@dataclass(frozen=True)
class Context:
    """A folder with a Dockerfile, less what its .dockerignore leaves out."""

    folder: Path

    @classmethod
    def at(cls, path: Path) -> Context:
        """Return the context in the folder `path`.

        Raises:
            ContainerError: there is no such folder, or no Dockerfile in it.

        """
        if not path.is_dir():
            what = "is a file" if path.exists() else "does not exist"
            msg = f"{path} {what}; a folder with a {DOCKERFILE} is expected"
            raise ContainerError(msg)
        if not (path / DOCKERFILE).is_file():
            msg = f"{path} has no {DOCKERFILE}; write one, or name the folder that has it"
            raise ContainerError(msg)
        return cls(path.resolve())

    @property
    def dockerfile(self) -> str:
        """Return the text of the Dockerfile.

        Raises:
            ContainerError: it cannot be read.

        """
        try:
            return (self.folder / DOCKERFILE).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            msg = f"{self.folder / DOCKERFILE} cannot be read: {error}"
            raise ContainerError(msg) from error

    @cached_property
    def files(self) -> tuple[str, ...]:
        """The paths in it, with slashes, sorted; symbolic links are files here."""
        return tuple(sorted(self._walk(self.folder, "")))

    @cached_property
    def digest(self) -> str:
        """The digest of names, contents and executable bits, together with the Dockerfile: 64 hexadecimal digits.

        Git knows no other mode of a file than whether it is executable, so no other one counts here.
        """
        whole = hashlib.sha256()
        for name in sorted({*self.files, DOCKERFILE}):
            path = self.folder / name
            try:
                if path.is_symlink():
                    kind, content = "link", os.fsencode(path.readlink())
                else:
                    kind = "program" if path.stat().st_mode & _EXECUTABLE else "file"
                    content = path.read_bytes()
            except OSError as error:
                msg = f"{path} cannot be read: {error.strerror or error}"
                raise ContainerError(msg) from error
            whole.update(f"{kind}\0{name}\0{hashlib.sha256(content).hexdigest()}\n".encode())
        return whole.hexdigest()

    def has(self, name: str) -> bool:
        """Whether a file or folder of that name is part of it."""
        return name in self.files or any(file.startswith(f"{name}/") for file in self.files)

    def _walk(self, folder: Path, prefix: str) -> Iterator[str]:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            msg = f"{folder} cannot be read: {error.strerror or error}"
            raise ContainerError(msg) from error
        for entry in entries:
            name = f"{prefix}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from self._walk(Path(entry.path), f"{name}/")
            elif not self._ignored(name) and stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode) in _KEPT:
                yield name

    def _ignored(self, name: str) -> bool:
        ignored = False
        parts = name.split("/")
        # A rule for a folder holds for what is in it; the last rule that matches decides.
        for keep, pattern in self._rules:
            if any(pattern.fullmatch("/".join(parts[: count + 1])) for count in range(len(parts))):
                ignored = not keep
        return ignored

    @cached_property
    def _rules(self) -> list[tuple[bool, re.Pattern[str]]]:
        path = self.folder / ".dockerignore"
        lines = path.read_text(encoding="utf-8-sig").splitlines() if path.is_file() else []
        stripped = [line.strip() for line in lines]
        written = [line for line in stripped if line and not line.startswith("#")]
        return [
            (line.startswith("!"), _pattern(line.removeprefix("!").strip().strip("/")))
            for line in (*_ALWAYS_IGNORED, *written)
        ]


_KEPT = (stat.S_IFREG, stat.S_IFLNK)


def _pattern(text: str) -> re.Pattern[str]:
    """Return the expression for a pattern of .dockerignore: * and ? within a name, ** over folders."""
    out = []
    position = 0
    text = re.sub(r"^(\./)+", "", text)
    while position < len(text):
        char = text[position]
        if text.startswith("**/", position):
            out.append("(?:.*/)?")
            position += 3
            continue
        if text.startswith("**", position):
            out.append(".*")
            position += 2
            continue
        closing = text.find("]", position + 1) if char == "[" else -1
        if closing > 0:
            inside = text[position + 1 : closing].replace("\\", "\\\\")
            out.append(f"[{inside}]")
            position = closing + 1
            continue
        out.append({"*": "[^/]*", "?": "[^/]"}.get(char, re.escape(char)))
        position += 1
    return re.compile("".join(out))


def matcher(pattern: str) -> re.Pattern[str]:
    """Return the expression for the source of a COPY instruction."""
    return _pattern(pattern)
