"""What the way to production must satisfy: the sections `deploy` and `triggers`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlops_constructs.settings.environments import EnvironmentName
from mlops_constructs.settings.findings import repeated
from mlops_constructs.settings.model import Stage
from mlops_constructs.settings.problems import Finding
from mlops_constructs.settings.schedule import misfit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlops_constructs.settings.model import ModelSettings


def check_deployment(model: ModelSettings) -> Iterator[Finding]:
    """Require environments in the order of promotion, with the approval before one of them."""
    environments = model.deploy.environments
    order = [name for name in EnvironmentName if name in environments]
    path = ("deploy", "environments")
    doubles = list(repeated(environments, path))
    yield from doubles
    if not doubles and list(environments) != order:
        allowed = f"the order {', '.join(EnvironmentName)}"
        remedy = f"write [{', '.join(order)}]"
        yield Finding(path=path, message="is not in the order of promotion", allowed=allowed, remedy=remedy)
    if model.deploy.approval_before not in environments:
        message = f"is {model.deploy.approval_before}, which is not deployed to"
        allowed = f"one of {', '.join(environments)}"
        remedy = f"write 'approval_before: {environments[-1]}', or add the environment"
        yield Finding(path=("deploy", "approval_before"), message=message, allowed=allowed, remedy=remedy)


def check_deployed_environments(model: ModelSettings) -> Iterator[Finding]:
    """Require an environment before the approval where nobody approves."""
    environments, approval = model.deploy.environments, model.deploy.approval_before
    if model.stage == Stage.REPEATABLE and environments[0] == approval:
        others = environments[1:]
        if others:
            allowed, remedy = f"one of {', '.join(others)}", f"write 'approval_before: {others[-1]}'"
        else:
            allowed = "an environment with another one before it"
            remedy = f"list both, such as environments: [dev, {'prod' if approval == 'dev' else approval}]"
        yield Finding(
            path=("deploy", "approval_before"),
            message="leaves nothing to deploy to: nobody approves at stage repeatable, which ends before it",
            allowed=allowed,
            remedy=f"{remedy}, or move to stage reliable",
        )


def check_schedule(model: ModelSettings) -> Iterator[Finding]:
    """Require a schedule that EventBridge accepts."""
    schedule = model.triggers.schedule
    wrong = misfit(schedule) if schedule is not None else None
    if wrong is not None:
        path = ("triggers", "schedule")
        yield Finding(path=path, message=wrong.message, allowed=wrong.allowed, remedy=wrong.remedy)


def check_scheduled_stage(model: ModelSettings) -> Iterator[Finding]:
    """Refuse a schedule at the stage whose pipeline starts with a change alone."""
    if model.triggers.schedule is not None and model.stage == Stage.RELIABLE:
        message = "is not available yet at stage reliable, where new data and new code start the pipeline"
        remedy = "remove the line, or move to stage repeatable"
        path = ("triggers", "schedule")
        yield Finding(path=path, message=message, allowed="only at stage repeatable", remedy=remedy)


RELEASE_RULES: Final[tuple[Callable[[ModelSettings], Iterator[Finding]], ...]] = (
    check_deployment,
    check_deployed_environments,
    check_schedule,
    check_scheduled_stage,
)
