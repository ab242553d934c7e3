"""All rules of the contract, checked against an image."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from mlops.container import dockerfile_checks, engines
from mlops.container.dockerfile import Dockerfile
from mlops.container.rules import SERVE, Finding, Part, Status
from mlops.container.running import Limits
from mlops.container.sample import Sample
from mlops.container.serving_checks import ServingChecks
from mlops.container.store import StoredImage
from mlops.container.training_checks import TrainingChecks


def check(
    image: StoredImage,
    dockerfile: Dockerfile,
    sample: Sample,
    *,
    only: Part | None = None,
    limits: Limits | None = None,
    progress: Callable[[Finding], None] | None = None,
) -> list[Finding]:
    """Return what there is to say about the image, about each rule once; `progress` gets it as it is found."""
    found = []
    for finding in _findings(image, dockerfile, sample, only, limits or Limits()):
        found.append(finding)
        if progress is not None:
            progress(finding)
    return found


def passed(findings: list[Finding]) -> bool:
    """Whether no rule is broken."""
    return all(finding.status is not Status.FAILED for finding in findings)


def _findings(
    image: StoredImage, dockerfile: Dockerfile, sample: Sample, only: Part | None, limits: Limits
) -> Iterator[Finding]:
    if only in {None, Part.DOCKERFILE}:
        yield from dockerfile_checks.findings(dockerfile)
    if only is Part.DOCKERFILE:
        return
    isolates = engines.engine(image.rung).isolates
    with tempfile.TemporaryDirectory(prefix="mlops-model-") as folder:
        model = Path(folder) / "model"
        training = TrainingChecks(image, sample, isolates=isolates, limits=limits, model=model)
        if only is Part.SERVE:
            ended = training.first()
            if ended is None:
                yield from (one for one in training.findings_of_first if one.status is Status.FAILED)
        else:
            yield from training.findings()
        if only is Part.TRAIN:
            return
        if not training.succeeded:
            for rule in SERVE.values():
                yield Finding(rule, Status.NOT_CHECKED, "there is no model: the training with the sample fails")
            return
        yield from ServingChecks(image, sample, isolates=isolates, limits=limits, model=model).findings()
