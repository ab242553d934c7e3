"""Takes a candidate, or refuses it with all that is wrong with it: in between there is nothing.

First everything is looked at that can be seen without copying; then the objects are copied and their digests compared;
only then do the copies become objects; last of all the manifest names them, which makes the candidate exist.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from lambdas.intake.examination import difference, examine
from lambdas.intake.manifest import Copy, Manifest
from lambdas.intake.statement import read_statement
from lambdas.shared.errors import CandidateRefused, StorageError
from lambdas.shared.text import count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from lambdas.intake.candidates import CandidateObjects
    from lambdas.intake.events import Rules
    from lambdas.intake.manifest import Manifests
    from lambdas.intake.statement import Reference, Statement
    from lambdas.intake.store import Store, Stored, Upload

RESERVE_SECONDS = 10
"""Left of the function's time when a copy is given up, so that it can still be dropped and the reason told."""
_TRIES = 5


class Packages(Protocol):
    """Describes model packages."""

    def describe(self, arn: str) -> Mapping[str, Any]:
        """Return the package `arn` as SageMaker describes it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Intake:
    """One candidate on its way, and all that it passes."""

    arn: str
    rules: Rules
    packages: Packages
    objects: CandidateObjects
    store: Store
    manifests: Manifests
    seconds_left: Callable[[], float]


def require_version_of_group(arn: str, rules: Rules) -> str:
    """Return the version of the package `arn` in the group that candidates come from.

    Raises:
        CandidateRefused: it is in no group, or in another one.
    """
    version = arn.removeprefix(rules.packages)
    if version == arn or not re.fullmatch(r"[1-9][0-9]*", version):
        msg = f"{arn} is not a version of {rules.group_arn}, where candidates of {rules.model} come from"
        raise CandidateRefused(msg)
    return version


def take(intake: Intake) -> dict[str, Any]:
    """Take the candidate, unless it or a newer one was taken before.

    Raises:
        CandidateRefused: every problem of it; nothing was written.
    """
    found = intake.manifests.find()
    if found.manifest and found.manifest.covers(intake.arn):
        return _not_taken(found.manifest)
    statement = read_statement(intake.packages.describe(intake.arn), intake.rules)
    stored = {each.file: intake.store.find(each.file) for each in statement.references}
    metrics, problems = examine(statement, stored, intake.objects)
    if problems:
        raise _refusal(intake, problems)
    manifest = _manifest(intake, statement, metrics, _copy(intake, statement.references, stored))
    for _ in range(_TRIES):
        if intake.manifests.write(manifest, instead_of=found):
            return {"taken": True, "candidate": intake.arn, "manifest": intake.manifests.uri}
        found = intake.manifests.find()
        if found.manifest and found.manifest.covers(intake.arn):
            return _not_taken(found.manifest)
    msg = f"{intake.manifests.uri} was changed by others {_TRIES} times in a row; try again later"
    raise StorageError(msg)


def _not_taken(manifest: Manifest) -> dict[str, Any]:
    return {"taken": False, "reason": f"{manifest.candidate} was taken before"}


def _copy(intake: Intake, references: Sequence[Reference], stored: Mapping[str, Stored | None]) -> dict[str, Copy]:
    """Copy what is not stored yet, and return where each file is.

    Raises:
        CandidateRefused: every object whose content is not what was stated; none of the copies has become an object.
    """
    copies, problems = {}, []
    with ExitStack() as unfinished:
        uploads: list[tuple[Reference, Upload]] = []
        for reference in references:
            if known := stored[reference.file]:
                copies[reference.file] = _where(intake, known)
                continue
            upload = unfinished.enter_context(intake.store.upload(reference.file, sha256=reference.sha256))
            upload.write(_in_time(intake, reference, intake.objects.chunks(reference)))
            uploads.append((reference, upload))
            if problem := difference(reference, upload.sha256):
                problems.append(f"{reference.file}: {problem}")
        if problems:
            raise _refusal(intake, problems)
        for reference, upload in uploads:
            copies[reference.file] = _finish(intake, reference, upload)
    return copies


def _finish(intake: Intake, reference: Reference, upload: Upload) -> Copy:
    upload.finish()
    stored = intake.store.find(reference.file)
    if stored is None or stored.sha256 != reference.sha256:
        raise _refusal(intake, [f"{reference.file} of this version was taken at the same time with other content"])
    return _where(intake, stored)


def _in_time(intake: Intake, reference: Reference, chunks: Iterable[bytes]) -> Iterator[bytes]:
    done = 0
    for chunk in chunks:
        if intake.seconds_left() < RESERVE_SECONDS:
            msg = (
                f"the time of the function is over after {done:,} bytes of {reference}; give it more, or the model less"
            )
            raise StorageError(msg)
        done += len(chunk)
        yield chunk


def _where(intake: Intake, stored: Stored) -> Copy:
    return Copy(bucket=intake.store.bucket, key=stored.key, version=stored.version)


def _manifest(intake: Intake, statement: Statement, metrics: dict[str, float], copies: Mapping[str, Copy]) -> Manifest:
    return Manifest(
        version=1,
        candidate=intake.arn,
        data=copies["data.csv"],
        model=copies["model.tar.gz"],
        metrics=metrics,
        trained_by=statement.trained_by,
        code_version=statement.code_version,
        training_job_name=statement.training_job_name,
        training_job_arn=statement.training_job_arn,
    )


def _refusal(intake: Intake, problems: Sequence[str]) -> CandidateRefused:
    listed, model = "; ".join(problems), intake.rules.model
    return CandidateRefused(
        f"candidate {intake.arn} is refused, nothing of it was taken, for {count(len(problems), 'problem')}: {listed};"
        f" hand over a complete one: mlops hand-over {model}"
    )
