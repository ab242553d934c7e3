"""The rules that are about the Dockerfile: nothing runs for them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlops.container.dockerfile import Dockerfile
from mlops.container.rules import DOCKERFILE, Finding, Status

_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")


def findings(dockerfile: Dockerfile) -> Iterator[Finding]:
    """Yield what there is to say about the Dockerfile."""
    yield _finding("base-pinned", _unpinned(dockerfile))
    yield _finding("no-latest", _latest(dockerfile))
    yield _finding("non-root-user", _root(dockerfile))
    check = dockerfile.last("HEALTHCHECK")
    missing = "" if check is not None and check.text.upper() != "NONE" else "there is none"
    yield _finding("health-check", missing)


def _finding(name: str, problem: str) -> Finding:
    return Finding(DOCKERFILE[name], Status.FAILED if problem else Status.PASSED, problem)


def _images(dockerfile: Dockerfile) -> Iterator[tuple[int, str, str]]:
    """Yield line, name and name as it is written of every image that is not a stage of this file."""
    for stage in dockerfile.stages:
        if dockerfile.stage(stage.base) is None and stage.base != "scratch":
            yield stage.line, stage.base, stage.written
        for one in stage.instructions:
            origin = one.flags.get("from")
            if origin and dockerfile.stage(origin) is None:
                yield one.line, origin, "$"  # no build argument may stand here


def _unpinned(dockerfile: Dockerfile) -> str:
    for line, name, written in _images(dockerfile):
        if not _DIGEST.search(name):
            return f"line {line}: {name} has no digest"
        if "$" not in written:
            return f"line {line}: the digest of {name.partition('@')[0]} is not in a build argument"
    return ""


def _latest(dockerfile: Dockerfile) -> str:
    for line, name, _ in _images(dockerfile):
        last = name.partition("@")[0].rpartition("/")[2]
        _, colon, tag = last.partition(":")
        if not colon or tag == "latest":
            return f"line {line}: {name.partition('@')[0]} names no version"
    return ""


def _root(dockerfile: Dockerfile) -> str:
    user = dockerfile.last("USER")
    if user is None:
        return "there is no USER, so the programs run as root"
    if user.text.partition(":")[0].strip() in {"0", "root"}:
        return f"line {user.line}: USER {user.text} is root"
    return ""
