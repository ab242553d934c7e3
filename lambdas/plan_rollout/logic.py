"""The plan of a deployment, from what the serving stack asks for now and what its endpoint really serves."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import StringConstraints

from lambdas.shared.access import Access
from lambdas.shared.errors import JobRefused
from lambdas.shared.events import Event, S3Uri, Text
from lambdas.shared.registry import REJECTED, version_of

NONE = "none"
"""For no candidate: variables of CodePipeline are not empty."""
GUARDED, IMMEDIATE = "guarded", "immediate"
RELEASE_LENGTH = 4
PackageArn = Annotated[
    str, StringConstraints(pattern=r"^arn:[a-z-]+:sagemaker:[a-z0-9-]+:\d{12}:model-package/.+/\d+$")
]
StackName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z][-a-zA-Z0-9]*$", max_length=128)]


class PlanParameters(Event):
    """User parameters of the action."""

    run: Text
    """The execution of the pipeline."""
    stack_name: StackName
    model_package_arn: PackageArn
    """The version to deploy."""
    model_data_url: S3Uri
    image_uri: Text
    tries: bool
    """Whether a new version is tried out before it serves."""
    access: Access
    """To the account and region of the stack."""


@dataclass(frozen=True, kw_only=True)
class Present:
    """How the stack is now; empty where it does not exist."""

    parameters: Mapping[str, str]
    asked_configurations: frozenset[str] = frozenset()
    """The endpoint configuration that the stack asked for: of the version in service, or with a candidate beside it."""
    served_configuration: str = ""
    """The one that the endpoint serves: another one, if SageMaker rolled an update back."""

    @property
    def out_of_step(self) -> bool:
        """Whether the endpoint serves something else than it was asked to."""
        return bool(self.parameters) and self.served_configuration not in self.asked_configurations


def plan(asked: PlanParameters, present: Present, *, approval_status: str) -> dict[str, str]:
    """Return the parameters of the stack for the first step of the deployment.

    The first version, and the way back to an older one, serve at once. A new version beside a champion is tried out
    first where the rollout says so. The version that serves already stays as it is, and a candidate beside it goes.

    Raises:
        JobRefused: the version has been rejected.
    """
    if approval_status == REJECTED:
        msg = f"{asked.model_package_arn} has been rejected; approve it again, or deploy another version"
        raise JobRefused(msg)
    before = present.parameters
    served = before.get("ModelPackageArn", "")
    new = {
        "PackageArn": asked.model_package_arn,
        "DataUrl": asked.model_data_url,
        "ImageUri": asked.image_uri,
        "Release": _release(asked, present),
    }
    back = bool(served) and version_of(asked.model_package_arn) < version_of(served)
    stays = served == asked.model_package_arn
    trial = asked.tries and bool(served) and not back and not stays
    champion = {
        "PackageArn": served,
        "DataUrl": before.get("ModelDataUrl", ""),
        "ImageUri": before.get("ImageUri", ""),
        "Release": before.get("Release", ""),
    }
    nothing = dict.fromkeys(new, NONE)
    live, candidate = (champion, new) if trial else (new, nothing)
    # A candidate that goes may be why alarms ring: they must not keep it.
    leaves = stays and (present.out_of_step or before.get("CandidateModelPackageArn", NONE) != NONE)
    mode = before.get("Mode", GUARDED) if stays else GUARDED
    return {
        **{f"Live{name}": value for name, value in live.items()},
        **{f"Candidate{name}": value for name, value in candidate.items()},
        "Release": new["Release"],
        "Mode": IMMEDIATE if back or leaves else mode,
        "Trial": GUARDED if trial else IMMEDIATE,
    }


def _release(asked: PlanParameters, present: Present) -> str:
    """Return a part of names: that of the version that serves already, or one that belongs to this run.

    After SageMaker has rolled an update back, the same parameters again would change nothing: then it is another one.
    """
    stays = present.parameters.get("ModelPackageArn") == asked.model_package_arn
    if stays and not present.out_of_step:
        return present.parameters.get("Release", "")
    release = _digest(asked.run)
    if present.parameters.get("Release") == release:
        return _digest(f"{asked.run} after {present.served_configuration}")
    return release


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:RELEASE_LENGTH]
