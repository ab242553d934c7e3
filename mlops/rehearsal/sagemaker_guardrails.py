"""Deployment guardrails of the emulated SageMaker: what an UpdateEndpoint asks for, as steps, and whether it may.

The rules are those of the API reference (BlueGreenUpdatePolicy, RollingUpdatePolicy, CapacitySize) and of the developer
guide's pages on deployment guardrails; what an endpoint may not use falls back to all at once without a bake, silently,
as the page on exclusions says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mlops.rehearsal import iam, sagemaker_models
from mlops.rehearsal.sagemaker_requests import refuse

_LONGEST_SECONDS = 28800.0
"""MaximumExecutionTimeoutInSeconds where it is not given: its maximum."""
_CANARY_PERCENT = 50
_LINEAR_PERCENT = (10, 50)
_BATCH_PERCENT = (5, 50)
_ALL_PERCENT = 100
_EXCLUDED_FAMILIES = ("ml.inf1.",)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a deployment: a share of the traffic moves, then alarms are watched for a while."""

    share: float
    """The part of the traffic that the new fleet gets, 0 to 1."""
    wait: float
    """Emulated seconds."""
    wait_name: str
    """The setting that the wait comes from."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a deployment goes on when the new fleet is healthy."""

    steps: tuple[Step, ...]
    alarms: tuple[str, ...] = ()
    timeout: float = _LONGEST_SECONDS
    """Emulated seconds after which the deployment is rolled back."""
    back: tuple[float, ...] = (0.0,)
    """The shares of the new fleet by which a rollback goes back."""
    fallback: str = ""
    """Why this is not what was asked for."""

    @property
    def gradual(self) -> bool:
        """Whether the new fleet gets a part of the traffic before it gets all of it."""
        return any(step.share < 1 for step in self.steps)


def plan_of(config: dict[str, Any] | None, *, before: Any, after: Any) -> Plan:
    """Return how to move from one endpoint configuration to another.

    Raises:
        SageMakerError: the deployment configuration contradicts itself or the limits of SageMaker.

    """
    config = config or {}
    problems = _problems(config, after)
    if problems:
        noun = "error" if len(problems) == 1 else "errors"
        refuse(f"{len(problems)} validation {noun} detected: {'; '.join(problems)}")
    excluded = _excluded(config, before, after)
    if excluded is not None:
        return Plan((Step(1.0, 0.0, ""),), fallback=excluded if config else "")
    alarms = tuple(alarm["AlarmName"] for alarm in (config.get("AutoRollbackConfiguration") or {}).get("Alarms", ()))
    policy = config.get("RollingUpdatePolicy") or config.get("BlueGreenUpdatePolicy") or {}
    timeout = float(policy.get("MaximumExecutionTimeoutInSeconds", _LONGEST_SECONDS))
    instances = _instances(after)
    back: tuple[float, ...] = (0.0,)
    if "RollingUpdatePolicy" in config and policy.get("RollbackMaximumBatchSize"):
        size = _share(policy["RollbackMaximumBatchSize"], instances)
        back = tuple(1.0 - share for share in _shares(size))
    return Plan(_steps(config, instances), alarms, timeout, back)


def check_alarms(backend: Any, configuration: Any, alarms: tuple[str, ...]) -> None:
    """Refuse alarms that do not exist, or that the execution roles of the models may not look at.

    The developer guide asks for cloudwatch:DescribeAlarms in the execution role. How SageMaker tells that an alarm is
    missing is not documented; here the update is refused, because an alarm with a misspelled name protects nobody.

    Raises:
        SageMakerError: as said.

    """
    from moto.cloudwatch.models import cloudwatch_backends  # noqa: PLC0415 - moto is imported when the server is there

    known = cloudwatch_backends[backend.account_id][backend.region_name].alarms
    for name in alarms:
        arn = f"arn:aws:cloudwatch:{backend.region_name}:{backend.account_id}:alarm:{name}"
        if name not in known:
            refuse(f"The auto-rollback alarm {arn} does not exist.")
        for variant in configuration.production_variants:
            role = sagemaker_models.find_model(backend, variant["ModelName"]).execution_role_arn
            decision = iam.check(role, "cloudwatch:DescribeAlarms", arn, region=backend.region_name)
            if not decision.allowed:
                refuse(f"The execution role may not look at the auto-rollback alarms: {decision.message}")


def _steps(config: dict[str, Any], instances: int) -> tuple[Step, ...]:
    if rolling := config.get("RollingUpdatePolicy"):
        wait = float(rolling["WaitIntervalInSeconds"])
        shares = _shares(_share(rolling["MaximumBatchSize"], instances))
        return tuple(Step(share, wait, "WaitIntervalInSeconds") for share in shares)
    policy = config.get("BlueGreenUpdatePolicy") or {}
    routing = policy.get("TrafficRoutingConfiguration") or {"Type": "ALL_AT_ONCE"}
    wait = float(routing.get("WaitIntervalInSeconds", 0))
    last = Step(1.0, float(policy.get("TerminationWaitInSeconds", 0)), "TerminationWaitInSeconds")
    match routing["Type"]:
        case "CANARY":
            shares = [_share(routing["CanarySize"], instances)]
        case "LINEAR":
            shares = [share for share in _shares(_share(routing["LinearStepSize"], instances)) if share < 1]
        case _:
            shares = []
    return (*(Step(share, wait, "WaitIntervalInSeconds") for share in shares), last)


def _shares(size: float) -> list[float]:
    """Return the shares after each step of one size; the last one is 1."""
    shares: list[float] = []
    while (share := round(size * (len(shares) + 1), 6)) < 1:
        shares.append(share)
    return [*shares, 1.0]


def _share(capacity: dict[str, Any], instances: int) -> float:
    value = float(capacity["Value"])
    share = value / instances if capacity["Type"] == "INSTANCE_COUNT" else value / _ALL_PERCENT
    return min(share, 1.0)


def _instances(configuration: Any) -> int:
    return max(int(variant.get("InitialInstanceCount", 1)) for variant in configuration.production_variants)


def _excluded(config: dict[str, Any], before: Any, after: Any) -> str | None:
    names = [{variant["VariantName"] for variant in one.production_variants} for one in (before, after)]
    if names[0] != names[1]:
        return f"the variants change their names from {sorted(names[0])} to {sorted(names[1])}"
    for variant in after.production_variants:
        if variant.get("ServerlessConfig"):
            return f"variant {variant['VariantName']} is serverless"
        if str(variant.get("InstanceType", "")).startswith(_EXCLUDED_FAMILIES):
            return f"variant {variant['VariantName']} has instances of type {variant['InstanceType']}"
    if config.get("RollingUpdatePolicy") and len(after.production_variants) > 1:
        return "a rolling deployment takes one variant"
    return None


def _problems(config: dict[str, Any], after: Any) -> list[str]:
    blue_green, rolling = config.get("BlueGreenUpdatePolicy"), config.get("RollingUpdatePolicy")
    if blue_green and rolling:
        return ["only one of BlueGreenUpdatePolicy and RollingUpdatePolicy may be given"]
    found: list[str] = []
    if rolling:
        found += _size(rolling["MaximumBatchSize"], _BATCH_PERCENT, "RollingUpdatePolicy.MaximumBatchSize", after)
        back = rolling.get("RollbackMaximumBatchSize")
        if back:
            found += _size(back, (1, _ALL_PERCENT), "RollingUpdatePolicy.RollbackMaximumBatchSize", after)
    if blue_green:
        found += _routing(blue_green["TrafficRoutingConfiguration"], after)
    if not found and (blue_green or rolling):
        found += _too_long(config, "RollingUpdatePolicy" if rolling else "BlueGreenUpdatePolicy", _instances(after))
    return found


def _routing(routing: dict[str, Any], after: Any) -> Iterator[str]:
    where = "BlueGreenUpdatePolicy.TrafficRoutingConfiguration"
    wanted = {"CANARY": "CanarySize", "LINEAR": "LinearStepSize"}.get(routing["Type"])
    for name in ("CanarySize", "LinearStepSize"):
        if (name in routing) != (name == wanted):
            yield f"{where}.{name} {'is required' if name == wanted else 'is not allowed'} for type {routing['Type']}"
        elif name == wanted:
            bounds = (1, _CANARY_PERCENT) if name == "CanarySize" else _LINEAR_PERCENT
            yield from _size(routing[name], bounds, f"{where}.{name}", after)


def _size(capacity: dict[str, Any], bounds: tuple[int, int], where: str, after: Any) -> Iterator[str]:
    low, high = bounds
    for variant in after.production_variants:
        instances = int(variant.get("InitialInstanceCount", 1))
        percent = 100 * float(capacity["Value"]) / (instances if capacity["Type"] == "INSTANCE_COUNT" else _ALL_PERCENT)
        if not low <= percent <= high:
            yield (
                f"{where} must be between {low}% and {high}% of the {instances} instance(s) of variant "
                f"{variant['VariantName']}, it is {percent:g}%"
            )


def _too_long(config: dict[str, Any], where: str, instances: int) -> Iterator[str]:
    timeout = config[where].get("MaximumExecutionTimeoutInSeconds")
    waits = sum(step.wait for step in _steps(config, instances))
    if timeout is not None and timeout <= waits:
        name = f"{where}.MaximumExecutionTimeoutInSeconds"
        yield f"{name} must be more than the {waits:g} seconds of all waits, got {timeout}"
