"""Which version an environment goes back to, and by which way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlops_constructs.settings import Environments, ModelSettings, Stage
from mlops_constructs.settings.problems import listed

REJECTED, APPROVED = "Rejected", "Approved"
NONE = "none"
"""What the parameters of a candidate are where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the command works, by the names that the stacks give."""

    account: str
    region: str
    model: str
    environment: str
    group: str
    pipeline: str | None
    """None at stage repeatable, which has none."""
    stack: str | None
    """None where the environment is in another account or region than the pipeline."""
    approved_only: bool
    """Whether only approved versions are deployed there."""

    @property
    def stage(self) -> str:
        """The stage of the pipeline that deploys there."""
        return self.environment.capitalize()

    @classmethod
    def of(cls, environments: Environments, model: ModelSettings, environment: str) -> Place:
        """Name it as the stacks do.

        Raises:
            ValueError: the model is not deployed to the environment.

        """
        deployed = [target.value for target in model.deployed_environments]
        if environment not in deployed:
            msg = f"{model.name} is not deployed to {environment!r}, only to {listed(deployed)}; name one of these"
            raise ValueError(msg)
        name, before = f"{environments.project}-{model.name}", model.deploy.approval_before.value
        approved_from = deployed.index(before) if before in deployed else len(deployed)
        return cls(
            account=environments.tools.account,
            region=environments.tools.region,
            model=model.name,
            environment=environment,
            group=name,
            pipeline=None if model.stage == Stage.REPEATABLE else name,
            stack=None if environments.is_remote(environment) else f"{name}-{environment}",
            approved_only=deployed.index(environment) >= approved_from,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A model package."""

    number: int
    arn: str
    status: str
    image: str
    data_url: str

    def may_serve(self, place: Place) -> bool:
        """Whether it may be deployed in `place`."""
        return self.status == APPROVED if place.approved_only else self.status != REJECTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What the stage has deployed with success."""

    execution: str
    version: int
    ended: datetime
    is_rollback: bool
    is_current_structure: bool
    """Whether CodePipeline can go back to the execution: the pipeline has not been changed since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the command will do."""

    serving: int
    target: Version
    execution: str | None
    """Through the pipeline, to this execution; None: by an update of the stack."""
    deployed: datetime | None
    because: str


class NoWayError(Exception):
    """There is nothing to go back to, or no way; the text is for the person."""


def plan(
    place: Place,
    *,
    serving: int | None,
    versions: Mapping[int, Version],
    deployments: Sequence[Deployment],
    wanted: int | None,
) -> Plan | None:
    """Choose the version and the way; None where the version that is wanted serves already.

    Args:
        place: where.
        serving: the version that serves there now; None: none does.
        versions: the registry by number.
        deployments: of the pipeline's stage, the last one first; none at stage repeatable.
        wanted: the version that the person names; None: the last one before the present one that was well there.

    Raises:
        NoWayError: the version may not serve there, or cannot be reached.

    """
    if serving is None:
        msg = f"{place.model} serves nothing in {place.environment}: there is nothing to take back"
        raise NoWayError(msg)
    if wanted == serving:
        return None
    target = _wanted(place, wanted, versions) if wanted is not None else None
    by_execution = [one for one in deployments if not one.is_rollback]
    if target is None:
        target = _last_good(place, serving, versions, by_execution)
    runs = [one for one in by_execution if one.version == target.number]
    if place.pipeline and not runs:
        msg = (
            f"version {target.number} of {place.model} was never deployed to {place.environment} with success; "
            "only the pipeline brings it there, with its gates"
        )
        raise NoWayError(msg)
    current = next((one for one in runs if one.is_current_structure), None)
    if current is None and place.stack is None:
        msg = (
            f"version {target.number} was not deployed to {place.environment} since the pipeline was changed last, and "
            "CodePipeline goes back to no execution from before. The stack of the environment is in another account: "
            "bring the data and code of that version through the pipeline again"
        )
        raise NoWayError(msg)
    return Plan(
        serving=serving,
        target=target,
        execution=current.execution if current else None,
        deployed=runs[0].ended if runs else None,
        because=_because(place, wanted, runs),
    )


def _wanted(place: Place, number: int, versions: Mapping[int, Version]) -> Version:
    target = versions.get(number)
    if target is None:
        known = listed([str(one) for one in sorted(versions, reverse=True)]) or "no version"
        msg = f"--to: the registry has no version {number} of {place.model}, but {known}; name one of these"
        raise NoWayError(msg)
    if not target.may_serve(place):
        needed = APPROVED if place.approved_only else f"anything but {REJECTED}"
        msg = (
            f"--to: version {number} of {place.model} is {target.status}, and a version in {place.environment} has to "
            f"be {needed}; approve it in the registry, or name another one"
        )
        raise NoWayError(msg)
    return target


def _last_good(
    place: Place, serving: int, versions: Mapping[int, Version], deployments: Sequence[Deployment]
) -> Version:
    """The last earlier version that was well there; without a pipeline the registry alone knows of earlier ones."""
    order = [one.version for one in deployments] if place.pipeline else sorted(versions, reverse=True)
    earlier = [number for number in dict.fromkeys(order) if number < serving]
    for number in earlier:
        if number in versions and versions[number].may_serve(place):
            return versions[number]
    refused = [f"{one} ({versions[one].status if one in versions else 'deleted'})" for one in earlier]
    reason = f"none of those before may serve there: {listed(refused)}" if refused else "there was none before"
    msg = (
        f"version {serving} of {place.model} serves in {place.environment}, and {reason}; approve one of them, or name "
        "a version with --to"
    )
    raise NoWayError(msg)


def _because(place: Place, wanted: int | None, runs: Sequence[Deployment]) -> str:
    if wanted is not None:
        return "you name it"
    return "it is the last version before that was well there" if runs else f"it is the last of {place.group} before"


def parameters(stack: Mapping[str, Any], target: Version, release: str) -> list[dict[str, Any]]:
    """Return the parameters with which the serving stack `stack` serves `target`, without a candidate, at once."""
    wanted = {
        "ModelPackageArn": target.arn,
        "ModelDataUrl": target.data_url,
        "ImageUri": target.image,
        "Release": release,
        "Mode": "immediate",
    }
    names = [one["ParameterKey"] for one in stack.get("Parameters", [])]
    wanted |= {name: NONE for name in names if name.startswith("Candidate")}
    return [
        {"ParameterKey": name, "ParameterValue": wanted[name]}
        if name in wanted
        else {"ParameterKey": name, "UsePreviousValue": True}
        for name in names
    ]
