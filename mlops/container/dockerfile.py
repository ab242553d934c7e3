"""A Dockerfile as it is written: stages of instructions, with build arguments put in."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field

from mlops.container.errors import DockerfileError

_KNOWN = frozenset(
    {
        *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER"),
        *("ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
    }
)
_LITERAL = frozenset({"RUN", "CMD", "ENTRYPOINT", "SHELL", "HEALTHCHECK"})
"""Their variables are those of the shell in the image."""
_HEREDOC = re.compile(r"<<-?\s*([\"']?)(?P<end>[A-Za-z_]\w*)\1")
_VARIABLE = re.compile(
    r"\\\$|\$(?:(?P<plain>[A-Za-z_]\w*)|\{(?P<name>[A-Za-z_]\w*)(?::(?P<how>[-+])(?P<other>[^}]*))?\})"
)


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction; `text` is what follows its name and flags."""

    name: str
    text: str
    line: int
    flags: dict[str, str] = field(default_factory=dict)
    body: str = ""
    """The lines of a here-document."""

    @property
    def form(self) -> list[str] | None:
        """The words of the JSON form; None if it is written otherwise."""
        if not self.text.startswith("["):
            return None
        try:
            words = json.loads(self.text)
        except json.JSONDecodeError:
            return None
        return words if isinstance(words, list) and all(isinstance(word, str) for word in words) else None

    @property
    def words(self) -> list[str]:
        """The words of either form."""
        return self.form if self.form is not None else _split(self.text, self.line)

    def __str__(self) -> str:
        """Return it on one line."""
        flags = "".join(f"--{name}={value} " for name, value in self.flags.items())
        return f"line {self.line}: {self.name} {flags}{' '.join(self.text.split())}"


@dataclass(frozen=True, slots=True)
class Stage:
    """What follows one FROM."""

    base: str
    """As it is after the build arguments are put in."""
    written: str
    """As it stands in the file."""
    name: str | None
    line: int
    instructions: list[Instruction] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """All stages; the last one is the image."""

    stages: list[Stage]
    arguments: dict[str, str]
    """Those before the first FROM, with their defaults."""

    @property
    def final(self) -> Stage:
        """The stage that becomes the image."""
        return self.stages[-1]

    def stage(self, name: str) -> Stage | None:
        """Return the stage that `--from=name` or `FROM name` means; None if that is another image."""
        for index, stage in enumerate(self.stages):
            if name == str(index) or (stage.name is not None and stage.name == name.lower()):
                return stage
        return None

    def last(self, name: str) -> Instruction | None:
        """Return the last instruction of that name of which the image consists."""
        stage: Stage | None = self.final
        while stage is not None:
            found = [one for one in stage.instructions if one.name == name]
            if found:
                return found[-1]
            stage = self.stage(stage.base)
        return None


def parse(text: str) -> Dockerfile:
    """Read a Dockerfile.

    Raises:
        DockerfileError: it is not one; the message names the line.

    """
    stages: list[Stage] = []
    arguments: dict[str, str] = {}
    for one in _instructions(text):
        if one.name == "FROM":
            stages.append(_stage(one, arguments))
        elif stages:
            stages[-1].instructions.append(one)
        elif one.name == "ARG":
            name, _, value = one.text.partition("=")
            arguments[name.strip()] = substituted(_unquoted(value.strip()), arguments)
        else:
            msg = f"line {one.line}: {one.name} before the first FROM; only ARG may stand there"
            raise DockerfileError(msg)
    if not stages:
        msg = "line 1: there is no FROM instruction; a Dockerfile begins with the image that it builds on"
        raise DockerfileError(msg)
    return Dockerfile(stages, arguments)


def substituted(text: str, variables: dict[str, str]) -> str:
    """Return `text` with $name, ${name}, ${name:-other} and ${name:+other} put in."""

    def value(match: re.Match[str]) -> str:
        name = match["plain"] or match["name"]
        if name is None:
            return "$"
        given = variables.get(name, "")
        if match["how"] == "-":
            return given or substituted(match["other"], variables)
        if match["how"] == "+":
            return substituted(match["other"], variables) if given else ""
        return given

    return _VARIABLE.sub(value, text)


def pairs(one: Instruction) -> dict[str, str]:
    """Return the names and values of ENV, LABEL and ARG.

    Raises:
        DockerfileError: there are none.

    """
    if one.name == "ENV" and "=" not in one.text.split(maxsplit=1)[0]:
        name, _, value = one.text.partition(" ")
        return {name: value.strip()}
    found = {}
    for word in _split(one.text, one.line):
        name, equals, value = word.partition("=")
        if not equals and one.name != "ARG":
            msg = f"line {one.line}: {one.name} {word}: a value is missing; write {one.name} {word}=value"
            raise DockerfileError(msg)
        found[name] = value
    return found


def literal(one: Instruction) -> bool:
    """Whether build arguments are not put into this instruction, but left to the shell."""
    return one.name in _LITERAL


def _stage(one: Instruction, arguments: dict[str, str]) -> Stage:
    words = one.text.split()
    if [word.upper() for word in words[1:-1]] not in ([], ["AS"]) or len(words) == 2:  # noqa: PLR2004 - FROM a AS b
        msg = f"line {one.line}: FROM {one.text}: expected FROM image or FROM image AS name"
        raise DockerfileError(msg)
    name = words[2].lower() if len(words) > 1 else None
    base = substituted(_unquoted(words[0]), arguments)
    if not base:
        msg = f"line {one.line}: FROM {words[0]}: the build argument has no default; write ARG NAME=image before it"
        raise DockerfileError(msg)
    return Stage(base, words[0], name, one.line)


def _instructions(text: str) -> list[Instruction]:
    lines = text.splitlines()
    found: list[Instruction] = []
    number = 0
    while number < len(lines):
        begin = number + 1
        logical = ""
        while number < len(lines):
            line = lines[number]
            number += 1
            if line.lstrip().startswith("#") or (logical and not line.strip()):
                if not logical:
                    break
                continue
            if line.rstrip().endswith("\\"):
                logical += f"{line.rstrip()[:-1].strip() if not logical else line.rstrip()[:-1]} "
                continue
            logical += line
            break
        if not logical.strip():
            continue
        one = _instruction(logical.strip(), begin)
        body = []
        for document in _HEREDOC.finditer(one.text) if one.name in {"RUN", "COPY"} else ():
            while number < len(lines) and lines[number].strip() != document["end"]:
                body.append(lines[number])
                number += 1
            number += 1
        found.append(Instruction(one.name, one.text, one.line, one.flags, "\n".join(body)))
    return found


def _instruction(text: str, line: int) -> Instruction:
    name, _, rest = text.partition(" ")
    name, rest = name.upper(), rest.strip()
    if name not in _KNOWN:
        msg = f"line {line}: '{text.split(maxsplit=1)[0]}' is no instruction of a Dockerfile"
        raise DockerfileError(msg)
    if not rest:
        msg = f"line {line}: {name} says nothing"
        raise DockerfileError(msg)
    flags: dict[str, str] = {}
    while match := re.match(r"--([a-z-]+)(?:=(\S+))?\s+", rest):
        before = flags.get(match[1])
        flags[match[1]] = f"{before} {match[2] or ''}" if before else match[2] or ""
        rest = rest[match.end() :]
    return Instruction(name, rest, line, flags)


def _split(text: str, line: int) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        msg = f"line {line}: {text[:60]}: {error}"
        raise DockerfileError(msg) from error


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text
