"""A Dockerfile carried out without an image engine: files are copied, settings kept, Python packages noted.

What needs the base image or a shell in it is not carried out, and written down.
"""

from __future__ import annotations

import posixpath
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlops.container import packages
from mlops.container.context import Context, matcher
from mlops.container.dockerfile import Dockerfile, Instruction, Stage, literal, pairs, substituted
from mlops.container.errors import DockerfileError

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""The search path of an image that sets none."""
_MERGED = ("bin", "sbin", "lib")
"""Links into /usr on every distribution of the last years."""


@dataclass
class Interpretation:
    """What the image would be, as far as it can be told."""

    root: Path
    """The files that it adds to its base image."""
    environment: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = ""
    shell: list[str] = field(default_factory=lambda: ["/bin/sh", "-c"])
    entrypoint: list[str] = field(default_factory=list)
    default: list[str] = field(default_factory=list)
    requirements: tuple[Path, ...] = ()
    """The requirements files that are installed in it."""
    installed_at: str | None = None
    """The folder into which it installs packages; None is that of its base image's Python."""
    packages_at: tuple[str, ...] = ()
    """The folders in which the environment with the packages lies."""
    not_executed: list[str] = field(default_factory=list)

    def path(self, inside: str) -> Path:
        """Return where the image's path `inside` lies on this machine."""
        parts = posixpath.normpath(posixpath.join(self.folder, inside)).strip("/").split("/")
        if parts[0] in _MERGED:
            parts = ["usr", *parts]
        return self.root.joinpath(*parts)


def interpret(dockerfile: Dockerfile, context: Context, folder: Path) -> Interpretation:
    """Carry out what can be carried out of `dockerfile`, with its files below `folder`.

    Raises:
        DockerfileError: an instruction is wrong, or names files that are not there.

    """
    return _Interpreter(dockerfile, context, folder).stage(dockerfile.final)


class _Interpreter:
    def __init__(self, dockerfile: Dockerfile, context: Context, folder: Path) -> None:
        self._dockerfile = dockerfile
        self._context = context
        self._folder = folder
        self._done: dict[int, Interpretation] = {}

    def stage(self, stage: Stage) -> Interpretation:
        """Carry out a stage and those that it needs, once."""
        if stage.line not in self._done:
            root = self._folder / f"stage-{stage.line}"
            root.mkdir(parents=True)
            self._done[stage.line] = self._stage(stage, root)
        return self._done[stage.line]

    def _stage(self, stage: Stage, root: Path) -> Interpretation:
        base = self._dockerfile.stage(stage.base)
        if base is None or base.line >= stage.line:
            image = Interpretation(root)
            if stage.base != "scratch":
                image.not_executed.append(f"line {stage.line}: FROM {stage.base}: this machine's own system is used")
        else:
            image = self._inherited(self.stage(base), root)
        image.arguments = {}
        for one in stage.instructions:
            given = one if literal(one) else replace(one, text=substituted(one.text, self._variables(image)))
            getattr(self, f"_{one.name.lower()}")(image, given)
        return image

    @staticmethod
    def _inherited(base: Interpretation, root: Path) -> Interpretation:
        shutil.copytree(base.root, root, symlinks=True, dirs_exist_ok=True)
        return replace(
            base,
            root=root,
            environment=dict(base.environment),
            labels=dict(base.labels),
            not_executed=list(base.not_executed),
        )

    @staticmethod
    def _variables(image: Interpretation) -> dict[str, str]:
        return {"PATH": PATH, **image.arguments, **image.environment}

    def _arg(self, image: Interpretation, one: Instruction) -> None:
        for name, value in pairs(one).items():
            image.arguments[name] = value if "=" in one.text else self._dockerfile.arguments.get(name, "")

    def _env(self, image: Interpretation, one: Instruction) -> None:
        image.environment.update(pairs(one))

    def _label(self, image: Interpretation, one: Instruction) -> None:
        image.labels.update(pairs(one))

    def _workdir(self, image: Interpretation, one: Instruction) -> None:
        image.folder = posixpath.normpath(posixpath.join(image.folder, one.words[0]))
        image.path(".").mkdir(parents=True, exist_ok=True)

    def _user(self, image: Interpretation, one: Instruction) -> None:
        image.user = one.text

    def _shell(self, image: Interpretation, one: Instruction) -> None:
        image.shell = one.words

    def _entrypoint(self, image: Interpretation, one: Instruction) -> None:
        image.entrypoint = one.form if one.form is not None else [*image.shell, one.text]
        image.default = []

    def _cmd(self, image: Interpretation, one: Instruction) -> None:
        image.default = one.form if one.form is not None else [*image.shell, one.text]

    def _nothing(self, _image: Interpretation, _one: Instruction) -> None:
        """Carry out an instruction that has no effect on how SageMaker runs the image."""

    _healthcheck = _expose = _stopsignal = _maintainer = _nothing

    def _volume(self, image: Interpretation, one: Instruction) -> None:
        image.not_executed.append(str(one))

    _onbuild = _volume

    def _run(self, image: Interpretation, one: Instruction) -> None:
        installation = packages.installation(one)
        if installation is None:
            image.not_executed.append(str(one))
            return
        if installation.folder is not None:
            image.installed_at = substituted(installation.folder, self._variables(image))
        elif image.environment.get("VIRTUAL_ENV"):
            image.installed_at = image.environment["VIRTUAL_ENV"]
        found = [self._requirements(image, one, name) for name in installation.requirements]
        image.requirements = tuple(dict.fromkeys([*image.requirements, *found]))
        if found or installation.folder is not None:
            image.packages_at = (image.installed_at,) if image.installed_at else ()
        if installation.rest:
            image.not_executed.append(f"{one} (of it, {' and '.join(installation.carried_out)} done here)")

    def _requirements(self, image: Interpretation, one: Instruction, name: str) -> Path:
        for mount in one.flags.get("mount", "").split():
            given = dict(part.partition("=")[::2] for part in mount.split(","))
            if given.get("type", "bind") != "bind" or "from" in given:
                continue
            target = given.get("target") or given.get("dst") or given.get("destination") or ""
            source = given.get("source") or given.get("src") or ""
            if posixpath.join(image.folder, name) == posixpath.join(image.folder, target) and self._context.has(source):
                return self._context.folder / source
        path = image.path(name)
        if not path.is_file():
            msg = f"{one}: {name} is not in the image; COPY it before this line"
            raise DockerfileError(msg)
        return path

    def _copy(self, image: Interpretation, one: Instruction) -> None:
        *sources, target = self._paths(one)
        if one.text.startswith("<<"):
            destination = image.path(target)
            destination.parent.mkdir(parents=True, exist_ok=True)
            destination.write_text(f"{one.body}\n", encoding="utf-8")
            _allow(destination, one)
            return
        origin = one.flags.get("from")
        for source in sources:
            if origin is None:
                self._copy_context(image, one, source, target, many=len(sources) > 1)
            else:
                self._copy_stage(image, one, origin, source, target)

    def _add(self, image: Interpretation, one: Instruction) -> None:
        *sources, _ = self._paths(one)
        if any("://" in source or source.endswith((".tar", ".tar.gz", ".tgz", ".tar.xz")) for source in sources):
            image.not_executed.append(str(one))
            return
        self._copy(image, one)

    @staticmethod
    def _paths(one: Instruction) -> list[str]:
        words = one.words
        if len(words) < 2:  # noqa: PLR2004 - a source and a target
            msg = f"{one}: a source and a target are needed"
            raise DockerfileError(msg)
        return words

    def _copy_context(self, image: Interpretation, one: Instruction, source: str, target: str, *, many: bool) -> None:
        wanted = posixpath.normpath(source).strip("/")
        if wanted.split("/")[0] == "..":
            msg = f"{one}: {source} lies outside of the build context"
            raise DockerfileError(msg)
        into = target.endswith("/") or many or image.path(target).is_dir()
        if wanted == ".":
            for file in self._context.files:
                _place(self._context.folder / file, image.path(posixpath.join(target, file)), one)
            return
        expression = matcher(wanted)
        found = False
        for file in self._context.files:
            parts = file.split("/")
            for count in range(1, len(parts) + 1):
                if not expression.fullmatch("/".join(parts[:count])):
                    continue
                inside = "/".join(parts[count:])  # of a folder, what is in it is copied
                end = (
                    posixpath.join(target, inside) if inside else posixpath.join(target, parts[-1]) if into else target
                )
                _place(self._context.folder / file, image.path(end), one)
                found = True
                break
        if not found:
            msg = f"{one}: {source} is not in the build context {self._context.folder} (less its .dockerignore)"
            raise DockerfileError(msg)

    def _copy_stage(self, image: Interpretation, one: Instruction, origin: str, source: str, target: str) -> None:
        stage = self._dockerfile.stage(origin)
        if stage is None:
            image.not_executed.append(str(one))
            return
        other = self.stage(stage)
        wanted, end = posixpath.normpath(posixpath.join("/", source)), posixpath.join(image.folder, target)
        if other.installed_at is not None and _lies_in(other.installed_at, wanted):
            image.requirements = tuple(dict.fromkeys([*image.requirements, *other.requirements]))
            inside = posixpath.relpath(other.installed_at, wanted)
            image.packages_at = tuple(
                dict.fromkeys([*image.packages_at, posixpath.normpath(posixpath.join(end, inside))])
            )
        path = other.path(wanted)
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                if file.is_symlink() or file.is_file():
                    _place(file, image.path(posixpath.join(end, file.relative_to(path).as_posix())), one)
        elif path.exists():
            into = target.endswith("/") or image.path(end).is_dir()
            _place(path, image.path(posixpath.join(end, path.name) if into else end), one)
        elif other.installed_at is None or not _lies_in(other.installed_at, wanted):
            image.not_executed.append(f"{one} (it is made by a RUN that was not executed)")


def _lies_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


def _place(source: Path, target: Path, one: Instruction) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    shutil.copy2(source, target, follow_symlinks=False)
    _allow(target, one)


def _allow(target: Path, one: Instruction) -> None:
    mode = one.flags.get("chmod")
    if mode is None or target.is_symlink():
        return
    if not mode or any(digit not in "01234567" for digit in mode):
        msg = f"{one}: --chmod={mode} is no octal mode such as 0755"
        raise DockerfileError(msg)
    target.chmod(int(mode, 8))
