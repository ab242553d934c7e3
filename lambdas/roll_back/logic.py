"""Decides which stages deploy something that was rejected, and what they go back to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Protocol

from pydantic import Field

from lambdas.shared.events import Document, Text
from lambdas.shared.registry import APPROVED, REJECTED, version_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambdas.roll_back.adapter import Deployment

SHOWN = 5


class Stage(Document):
    """A stage that deploys."""

    name: Text
    last_action: Text
    """With its success the stage has succeeded."""
    approved: bool
    """Whether it deploys approved versions only: it comes after the approval."""

    @property
    def environment(self) -> str:
        """The environment as the settings name it."""
        return self.name.lower()


class Stages(Document):
    """The stages of the pipeline that deploy, in their order."""

    stages: Annotated[list[Stage], Field(min_length=1)]


class Pipeline(Protocol):
    """The pipeline and its history."""

    @property
    def version(self) -> int:
        """Version of the pipeline's structure."""

    def is_busy(self, stage: str) -> bool:
        """Whether an execution is in the stage, or a rollback is on its way to it."""

    def failed_rollback(self, stage: str) -> Deployment | None:
        """Return what a rollback was to deploy that failed and was the last execution in the stage."""

    def deployments(self, stage: str, last_action: str) -> Iterator[Deployment]:
        """Yield what the stage has deployed with success, which its last action shows, the last one first."""

    def roll_back(self, stage: str, *, to: str) -> str:
        """Run the stage again with what the execution `to` brought; return the id of the new execution."""


class Approvals(Protocol):
    """The registry."""

    def status(self, package_arn: str) -> str | None:
        """Return the approval status of a package, None where there is no such package any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """What a stage with a rejected version can do."""

    leaving: Deployment
    target: Deployment | None
    reason: str
    """In words, for people."""


def look(stage: Stage, pipeline: Pipeline, approvals: Approvals) -> tuple[Deployment | None, str]:
    """Return the deployment that a stage has to leave, None where there is nothing to do, and why.

    When a stage fails, CodePipeline goes back to the last success by itself, and fails again if that was rejected: then
    the version that failed still serves.
    """
    if pipeline.is_busy(stage.name):
        return None, "another execution is in the stage; its end is looked at again"
    failed = pipeline.failed_rollback(stage.name)
    if failed is not None and approvals.status(failed.package_arn) == REJECTED:
        return failed, f"the way back to version {version_of(failed.package_arn)} failed, which is {REJECTED}"
    serving = next(pipeline.deployments(stage.name, stage.last_action), None)
    if serving is None:
        return None, "it has deployed nothing"
    status, version = approvals.status(serving.package_arn), version_of(serving.package_arn)
    why = f"it serves version {version}, which is {status or 'gone from the registry'}"
    return (serving if status == REJECTED else None), why


def way_back(stage: Stage, leaving: Deployment, pipeline: Pipeline, approvals: Approvals) -> Way:
    """Choose what the stage goes back to: the last deployment of an earlier version that may be deployed there.

    A later version that the stage has left is none: somebody had a reason to leave it. So this ends, too, when one
    rollback after the other fails.
    """
    outdated: Deployment | None = None
    refused: dict[int, str] = {}
    for one in pipeline.deployments(stage.name, stage.last_action):
        version = version_of(one.package_arn)
        if one.is_rollback or version >= version_of(leaving.package_arn):
            continue
        status = approvals.status(one.package_arn)
        if not (status == APPROVED if stage.approved else status not in {REJECTED, None}):
            refused[version] = status or "gone from the registry"
        elif one.pipeline_version == pipeline.version:
            return Way(leaving=leaving, target=one, reason=f"version {version} is {status} and was well there")
        else:
            outdated = outdated or one
    if outdated is not None:
        reason = (
            "CodePipeline goes back to no execution from before the last change of the pipeline, and version "
            f"{version_of(outdated.package_arn)} was deployed before; `mlops rollback` can update the stack itself"
        )
        return Way(leaving=leaving, target=None, reason=reason)
    known = ", ".join(f"{version} is {status}" for version, status in [*refused.items()][:SHOWN])
    none = f"no earlier version may be deployed ({known})" if known else "no earlier version was ever deployed there"
    return Way(leaving=leaving, target=None, reason=none)


def told(way: Way, stage: Stage, *, model: str, execution: str | None) -> tuple[str, str]:
    """Return the subject and the text for people, about a rollback that has begun, or that is impossible."""
    version, where = version_of(way.leaving.package_arn), f"{model} in {stage.environment}"
    rejected = f"Version {version} of {model} was rejected, and {stage.environment} went last to it"
    if way.target is not None:
        target = version_of(way.target.package_arn)
        text = (
            f"{rejected}. The stage {stage.name} of the pipeline goes back to version {target} in execution "
            f"{execution}: {way.reason}."
        )
        return f"{where}: back to version {target}", text
    text = (
        f"{rejected}. There is nothing to go back to by itself: {way.reason}. Approve a version that was well and run "
        f"`mlops rollback {model} --environment {stage.environment}`, or bring a better one through the pipeline."
    )
    return f"{where}: version {version} is rejected and nothing takes its place", text
