"""`mlops build-image` and `mlops check-container`: what the person, or CodeBuild, sees of them."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

from mlops.container import checker, engines, sample, store, table
from mlops.container.context import Context
from mlops.container.dockerfile import Dockerfile, parse
from mlops.container.errors import ContainerError, EngineError
from mlops.container.rules import Finding, Part, Status
from mlops.container.running import Limits

GOOD, BROKEN, WRONG_INPUT = 0, 1, 2


def check_container(
    path: Path, *, only: str | None = None, rung: str | None = None, limits: Limits | None = None
) -> int:
    """Check the container in `path` against the contract and return the exit status."""
    try:
        context = Context.at(path)
        dockerfile, given = parse(context.dockerfile), sample.read(context.folder)
        chosen, reasons = engines.best(dockerfile, wanted=rung)
    except ContainerError as error:
        return _refused(error, WRONG_INPUT)
    try:
        image = _built(context, dockerfile, chosen)
        part = Part(only) if only else None
        findings = checker.check(image, dockerfile, given, only=part, limits=limits, progress=_progress)
    except EngineError as error:
        return _refused(error, BROKEN)
    except ContainerError as error:
        return _refused(error, WRONG_INPUT)
    _clear()
    table.write(findings, image, sys.stdout, reasons=reasons)
    return GOOD if checker.passed(findings) else BROKEN


def build_image(path: Path, *, repository: str, rung: str | None = None, limits: Limits | None = None) -> int:
    """Build, check and push the image of the container in `path`; write its name with digest to standard output."""
    from mlops.container.registry import Repository  # noqa: PLC0415 - a check needs no SDK

    try:
        context = Context.at(path)
        dockerfile, given = parse(context.dockerfile), sample.read(context.folder)
        there = Repository(repository)
        known = there.find(context.digest)
        if known is not None and (not there.emulated or store.find(repository, known) is not None):
            _say(f"{repository} has this build context already ({context.digest[:12]}): nothing is built")
            sys.stdout.write(f"{there.address(known)}\n")
            return GOOD
        chosen, reasons = engines.best(dockerfile, wanted=rung)
    except ContainerError as error:
        return _refused(error, WRONG_INPUT)
    try:
        for reason in reasons:
            _say(f"not {reason}")
        _say(f"building {context.folder.name} with {chosen}")
        image = _built(context, dockerfile, chosen)
        if not _checked(image, dockerfile, given, limits, reasons):
            _say("the image is not pushed: it breaks the contract")
            return BROKEN
        digest = there.publish(image)
    except ContainerError as error:
        return _refused(error, BROKEN)
    sys.stdout.write(f"{there.address(digest)}\n")
    return GOOD


def _built(context: Context, dockerfile: Dockerfile, rung: engines.Rung) -> store.StoredImage:
    return engines.engine(rung).build(context, dockerfile)


def _checked(
    image: store.StoredImage,
    dockerfile: Dockerfile,
    given: sample.Sample,
    limits: Limits | None,
    reasons: Sequence[str],
) -> bool:
    """Whether the image keeps the contract; what kept it on this machine before is not asked again."""
    seal, before = image.folder / "checked", _seal(dockerfile, given)
    if seal.is_file() and seal.read_text(encoding="utf-8") == before:
        _say("the contract checks passed on this machine before, for the same image")
        return True
    findings = checker.check(image, dockerfile, given, limits=limits, progress=_progress)
    _clear()
    table.write(findings, image, sys.stderr, reasons=reasons)
    good = checker.passed(findings)
    if good:
        seal.write_text(before, encoding="utf-8")
    return good


def _seal(dockerfile: Dockerfile, given: sample.Sample) -> str:
    """Return what a passed check depends on beside the image: the checks themselves, the Dockerfile, the sample."""
    whole = hashlib.sha256(str(dockerfile).encode())
    own = Path(__file__).parent.glob("*.py")
    for path in [*sorted(own), *sorted(path for path in given.request.parent.rglob("*") if path.is_file())]:
        whole.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def _progress(finding: Finding) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{finding.rule.part}, {finding.rule.name}: {finding.status}")
        sys.stderr.flush()
    elif finding.status is Status.FAILED:
        _say(f"{finding.rule.part}, {finding.rule.name}: {finding.detail}")


def _clear() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _refused(error: ContainerError, status: int) -> int:
    _say(str(error))
    return status
