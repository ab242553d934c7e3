"""Buildspec files, version 0.2: read strictly, because CodeBuild fails the build on what it does not know."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

PHASES = ("install", "pre_build", "build", "post_build")
_TOP_LEVEL = {"version", "env", "phases", "artifacts", "reports", "cache", "proxy"}
_ENV = {"shell", "variables", "parameter-store", "secrets-manager", "exported-variables", "git-credential-helper"}
_PHASE = {"commands", "finally", "on-failure", "runtime-versions"}
_ARTIFACT = {"files", "name", "base-directory", "discard-paths", "exclude-paths", "enable-symlinks", "s3-prefix"}


class BuildError(Exception):
    """A phase failed: the status code and message that CodeBuild writes into the phase's context."""

    def __init__(self, code: str, message: str) -> None:
        """Take the code ("CLIENT_ERROR") and the message."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class OnFailure(StrEnum):
    """What follows a failed phase."""

    DEFAULT = "DEFAULT"  # install and pre_build end the build; post_build still runs after build
    ABORT = "ABORT"
    CONTINUE = "CONTINUE"


@dataclass(frozen=True, slots=True)
class Phase:
    """The commands of one phase."""

    commands: tuple[str, ...] = ()
    finally_commands: tuple[str, ...] = ()
    on_failure: OnFailure = OnFailure.DEFAULT


@dataclass(frozen=True, slots=True)
class ArtifactSpec:
    """Which files make an output artifact."""

    files: tuple[str, ...]
    base_directory: str = ""
    exclude: tuple[str, ...] = ()
    discard_paths: bool = False

    def collect(self, root: Path) -> list[tuple[Path, str]]:
        """Return the files below `root` and their names in the artifact.

        Raises:
            BuildError: nothing matches, which fails the build as it does in CodeBuild.

        """
        base = self._base(root)
        every = sorted(_walk(base))
        chosen: dict[str, Path] = {}
        for pattern in self.files:
            absolute = pattern.startswith("/")
            matcher = _glob(pattern if not absolute else str(Path(pattern).relative_to(base)))
            matched = [name for name in every if matcher.fullmatch(name)]
            if not matched:
                code = "CLIENT_ERROR"
                raise BuildError(code, f"no matching artifact paths found for {pattern}")
            chosen.update({Path(name).name if self.discard_paths else name: base / name for name in matched})
        for pattern in self.exclude:
            matcher = _glob(pattern)
            chosen = {name: path for name, path in chosen.items() if not matcher.fullmatch(name)}
        return [(path, name) for name, path in sorted(chosen.items())]

    def _base(self, root: Path) -> Path:
        if not self.base_directory:
            return root
        matcher = _glob(self.base_directory.rstrip("/").removeprefix("./"))
        folders = [path for path in sorted(root.rglob("*")) if path.is_dir()]
        for folder in [root / self.base_directory, *folders]:
            if folder.is_dir() and matcher.fullmatch(str(folder.relative_to(root))):
                return folder
        code = "CLIENT_ERROR"
        raise BuildError(code, f"no matching base directory path found for {self.base_directory}")


@dataclass(frozen=True, slots=True)
class Buildspec:
    """What the build has to do."""

    phases: Mapping[str, Phase]
    shell: str = "sh"
    variables: Mapping[str, str] = field(default_factory=dict)
    parameter_store: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    exported: tuple[str, ...] = ()
    artifacts: ArtifactSpec | None = None
    secondary: Mapping[str, ArtifactSpec] = field(default_factory=dict)


def parse(text: str) -> Buildspec:
    """Read a buildspec.

    Raises:
        BuildError: YAML_FILE_ERROR, with what is wrong.

    """
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise _wrong(str(error).replace("\n", " ")) from error
    top = _mapping(document, "the buildspec", allowed=_TOP_LEVEL)
    if str(top.get("version")) != "0.2":
        msg = f"version {top.get('version')!r} is not rehearsed, write version: 0.2"
        raise _wrong(msg)
    env = _mapping(top.get("env"), "env", allowed=_ENV)
    phases = _mapping(top.get("phases"), "phases", allowed=set(PHASES))
    if not phases:
        msg = "at least one phase is needed"
        raise _wrong(msg)
    artifacts = _mapping(top.get("artifacts"), "artifacts", allowed=_ARTIFACT | {"secondary-artifacts"})
    secondary = _mapping(artifacts.get("secondary-artifacts"), "artifacts.secondary-artifacts")
    shell = str(env.get("shell", "sh")).removeprefix("/bin/")
    if shell not in ("sh", "bash"):
        msg = f"env.shell {shell!r} is not rehearsed, write bash or /bin/sh"
        raise _wrong(msg)
    return Buildspec(
        phases={name: _phase(name, body) for name, body in phases.items()},
        shell=shell,
        variables=_strings(env.get("variables"), "env.variables"),
        parameter_store=_strings(env.get("parameter-store"), "env.parameter-store"),
        secrets=_strings(env.get("secrets-manager"), "env.secrets-manager"),
        exported=_list(env.get("exported-variables"), "env.exported-variables"),
        artifacts=_artifact(artifacts, "artifacts") if artifacts.get("files") else None,
        secondary={
            name: _artifact(_mapping(body, f"artifact {name}", allowed=_ARTIFACT), name)
            for name, body in secondary.items()
        },
    )


def _phase(name: str, body: Any) -> Phase:
    fields = _mapping(body, f"phases.{name}", allowed=_PHASE)
    behaviour = str(fields.get("on-failure", "DEFAULT"))
    if behaviour not in set(OnFailure):
        msg = f"phases.{name}.on-failure {behaviour!r} is not rehearsed, write ABORT or CONTINUE"
        raise _wrong(msg)
    return Phase(
        commands=_list(fields.get("commands"), f"phases.{name}.commands"),
        finally_commands=_list(fields.get("finally"), f"phases.{name}.finally"),
        on_failure=OnFailure(behaviour),
    )


def _artifact(fields: Mapping[str, Any], where: str) -> ArtifactSpec:
    files = _list(fields.get("files"), f"{where}.files")
    if not files:
        msg = f"{where}.files is needed"
        raise _wrong(msg)
    return ArtifactSpec(
        files=files,
        base_directory=str(fields.get("base-directory", "")),
        exclude=_list(fields.get("exclude-paths"), f"{where}.exclude-paths"),
        discard_paths=str(fields.get("discard-paths", "no")).lower() in ("yes", "true"),
    )


def _mapping(value: Any, where: str, *, allowed: set[str] | None = None) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        msg = f"{where} must be a mapping, not {type(value).__name__}"
        raise _wrong(msg)
    unknown = sorted(str(key) for key in value if allowed is not None and key not in allowed)
    if unknown:
        msg = (
            f"{where}: {', '.join(unknown)} is not known or not rehearsed; known are {', '.join(sorted(allowed or ()))}"
        )
        raise _wrong(msg)
    return value


def _list(value: Any, where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    items = value if isinstance(value, list) else [value]
    for item in items:
        if not isinstance(item, str):
            msg = f"{where} must hold strings, not {item!r}; put it in quotes"
            raise _wrong(msg)
    return tuple(items)


def _strings(value: Any, where: str) -> dict[str, str]:
    def text(item: Any) -> str:
        if isinstance(item, bool):
            return str(item).lower()
        return str(item)

    return {str(name): text(item) for name, item in _mapping(value, where).items()}


def _wrong(message: str) -> BuildError:
    return BuildError("YAML_FILE_ERROR", message)


def _walk(folder: Path) -> Iterator[str]:
    # Links are not followed (enable-symlinks is off by default): the stand-in for `npm ci` is one.
    for path in folder.iterdir():
        if path.is_symlink():
            if path.is_file():
                yield path.name
        elif path.is_dir():
            yield from (f"{path.name}/{name}" for name in _walk(path))
        else:
            yield path.name


def _glob(pattern: str) -> re.Pattern[str]:
    """Translate a CodeBuild path pattern: `**/` is any depth, `*` and `?` stay within a folder."""
    pattern = pattern.removeprefix("./")
    tokens = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    known = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(known.get(token, re.escape(token)) for token in tokens), re.DOTALL)
