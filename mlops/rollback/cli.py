"""What the person sees of `mlops rollback`: what it will do and why, then each step of it, then how it ended."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from mlops.rollback.account import Account, AccountError
from mlops.rollback.plan import NoWayError, Place, Plan, plan
from mlops_constructs.settings import SettingsError, load_settings

ROLLED_BACK, NOT_ROLLED_BACK, WRONG_INPUT = 0, 1, 2
ROOT = Path(__file__).resolve().parents[2]
POLL_SECONDS = 5.0
_RUNNING = ("InProgress", "Stopping")


def roll_back(  # noqa: D417 - the others are what they are called
    name: str, *, environment: str, to: int | None = None, yes: bool = False, root: Path = ROOT
) -> int:
    """Take an environment of the model `name` back to an earlier version and return the exit status.

    Args:
        to: The version; None for the last one before that was well there.
        yes: Do not ask.
        root: The project, with its folder config.

    """
    try:
        settings = load_settings(root / "config", models=[name])
        place = Place.of(settings.environments, settings.models[name], environment)
    except (SettingsError, ValueError) as error:
        return _refused(str(error), WRONG_INPUT)
    try:
        account = Account(place)
        number, person = account.caller()
        if number != place.account:
            problem = f"you are {person}, and the pipeline of {name} is in account {place.account}; sign in there"
            return _refused(problem, WRONG_INPUT)
        return _planned(place, account, to=to, yes=yes)
    except AccountError as error:
        return _refused(str(error), NOT_ROLLED_BACK)


def _planned(place: Place, account: Account, *, to: int | None, yes: bool) -> int:
    deployments, versions = account.deployments(), account.versions()
    serving = account.serving(deployments)
    try:
        chosen = plan(place, serving=serving, versions=versions, deployments=deployments, wanted=to)
    except NoWayError as error:
        return _refused(str(error), WRONG_INPUT if to is not None else NOT_ROLLED_BACK)
    if chosen is None:
        _say(f"{place.model} serves version {to} in {place.environment} already: nothing is done")
        return ROLLED_BACK
    for line in _described(place, chosen):
        _say(line)
    if not yes:
        if not sys.stdin.isatty():
            return _refused("nobody is here to be asked; say --yes to roll back", WRONG_INPUT)
        if input("Roll back? [y/N] ").strip().lower() not in {"y", "yes"}:
            return _refused("nothing is done", NOT_ROLLED_BACK)
    if chosen.execution is not None:
        return _by_pipeline(place, account, chosen.execution, chosen)
    return _by_stack(place, account, chosen)


def _described(place: Place, chosen: Plan) -> Iterator[str]:
    target = chosen.target
    when = f", deployed there {chosen.deployed:%Y-%m-%d %H:%M} UTC" if chosen.deployed else ""
    yield f"{place.model} in {place.environment} ({place.account}, {place.region})"
    yield f"  from  version {chosen.serving}, which serves now"
    yield f"  to    version {target.number}, {target.status}{when}: {chosen.because}"
    if chosen.execution is not None:
        yield f"  by    stage {place.stage} of the pipeline {place.pipeline}, back to execution {chosen.execution}"
    else:
        yield f"  by    an update of the stack {place.stack}, all at once"
        if place.pipeline is not None:
            yield "        (CodePipeline goes back to no execution from before the last change of the pipeline)"


def _by_pipeline(place: Place, account: Account, execution: str, chosen: Plan) -> int:
    identifier = account.roll_back_stage(execution)
    _say(f"execution {identifier} has begun; to leave this command does not stop it")
    told: set[tuple[str, str]] = set()
    while True:
        status, actions = account.execution(identifier)
        for action in actions:
            step = (str(action["actionExecutionId"]), str(action["status"]))
            if step not in told:
                told.add(step)
                _say(f"  {action['actionName']}: {action['status']}")
        if status not in _RUNNING:
            break
        time.sleep(POLL_SECONDS)
    if status != "Succeeded":
        failed = [action for action in actions if action["status"] == "Failed"]
        causes = [action["output"]["executionResult"].get("externalExecutionSummary", "") for action in failed]
        cause = next((cause for cause in causes if cause), "no action tells why")
        return _refused(f"the execution {identifier} is {status}: {cause}", NOT_ROLLED_BACK)
    return _checked(place, account, chosen)


def _by_stack(place: Place, account: Account, chosen: Plan) -> int:
    before = account.update_stack(chosen.target)
    _say(f"the update of {place.stack} has begun; to leave this command does not stop it")
    status = ""
    while not status or status.endswith("_IN_PROGRESS"):
        if status:
            time.sleep(POLL_SECONDS)
        now = str(account.stack()["StackStatus"])
        if now != status:
            _say(f"  {now}")
        status = now
    if status != "UPDATE_COMPLETE":
        causes = account.failures_since(before)
        return _refused(f"{place.stack} is {status}: {causes[0] if causes else 'see its events'}", NOT_ROLLED_BACK)
    return _checked(place, account, chosen)


def _checked(place: Place, account: Account, chosen: Plan) -> int:
    """Ask what serves: SageMaker may have gone back to the configuration before, and says nothing about it."""
    number = chosen.target.number
    if place.stack is not None:
        serving = account.serving([])
        outputs = {one["OutputKey"]: one["OutputValue"] for one in account.stack().get("Outputs", [])}
        if serving != number:
            return _refused(f"{place.stack} says that version {serving} serves, not {number}", NOT_ROLLED_BACK)
        if "EndpointConfigName" in outputs:
            status, configuration = account.endpoint(outputs["EndpointName"])
            if (status, configuration) != ("InService", outputs["EndpointConfigName"]):
                problem = f"the endpoint is {status} with {configuration}, not with {outputs['EndpointConfigName']}"
                return _refused(problem, NOT_ROLLED_BACK)
    _say(f"{place.model} serves version {number} in {place.environment}; version {chosen.serving} is still registered:")
    _say("reject it in the registry if it shall not come back")
    return ROLLED_BACK


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _refused(text: str, status: int) -> int:
    sys.stderr.write(f"{text}\n")
    return status
