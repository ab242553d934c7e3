"""Looks at the objects of a candidate without copying any: are they there, and does the report hold metrics?"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from lambdas.intake.statement import METRICS
from lambdas.shared.errors import CandidateRefused
from lambdas.shared.metrics import finite, json_object, metrics_of
from lambdas.shared.storage import JSON_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambdas.intake.candidates import CandidateObjects
    from lambdas.intake.statement import Reference, Statement
    from lambdas.intake.store import Stored


def examine(
    statement: Statement, stored: Mapping[str, Stored | None], objects: CandidateObjects
) -> tuple[dict[str, float], list[str]]:
    """Return the claimed metrics, and all problems that can be seen without copying."""
    problems, metrics = list(statement.problems), {}
    for reference in statement.references:
        known = stored[reference.file]
        if known and known.sha256 != reference.sha256:
            problems.append(f"{reference.file} of this version was taken before with other content ({known.sha256})")
        try:
            size = objects.size(reference)
            if size == 0:
                problems.append(f"{reference.file}: {reference} is empty")
            elif reference.file == METRICS:
                metrics = _metrics(reference, size, objects)
        except CandidateRefused as problem:
            problems.append(f"{reference.file}: {problem}")
    return metrics, problems


def _metrics(reference: Reference, size: int, objects: CandidateObjects) -> dict[str, float]:
    """Return the metrics of the report, which is read as a whole.

    Raises:
        CandidateRefused: it is not what was stated, or no report of an evaluation.
    """
    if size > JSON_LIMIT:
        msg = f"{reference} has {size:,} bytes, too many for the report of an evaluation ({JSON_LIMIT:,} at most)"
        raise CandidateRefused(msg)
    content = b"".join(objects.chunks(reference))
    if problem := difference(reference, hashlib.sha256(content).hexdigest()):
        raise CandidateRefused(problem)
    try:
        report = json_object(json.loads(content))
    except (ValueError, RecursionError) as error:
        msg = f"{reference} is not JSON: {error}"
        raise CandidateRefused(msg) from error
    values = {name: finite(json_object(entry).get("value")) for name, entry in metrics_of(report).items()}
    metrics = {name: value for name, value in values.items() if value is not None}
    if not metrics:
        msg = f"{reference} is no report of an evaluation: it has no metric"
        raise CandidateRefused(msg)
    return metrics


def difference(reference: Reference, sha256: str) -> str | None:
    """Return in words that the content of `reference` has another digest than was stated; None if it has not."""
    if sha256 == reference.sha256:
        return None
    return f"{reference} has the SHA-256 {sha256}, {reference.sha256} was stated"
