"""The rollout of a model as SageMaker's `DeploymentConfig`, as CloudFormation writes it.

https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlops_constructs.settings.rollout import AbTest, AllAtOnce, Canary, Linear, Rolling, Rollout, Shadow

AT_ONCE: dict[str, Any] = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0},
        "TerminationWaitInSeconds": 0,
        "MaximumExecutionTimeoutInSeconds": 3600,
    }
}
"""All traffic at once, whatever the alarms say: the way back to a version that was well."""


def guarded(rollout: Rollout, alarms: Sequence[str]) -> dict[str, Any]:
    """Return the deployment configuration of `rollout`, which the alarms with the names `alarms` roll back."""
    rollback = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": alarm} for alarm in alarms]}}
    timeout = rollout.timeout_minutes * 60
    if isinstance(rollout, Rolling):
        policy = {
            "MaximumBatchSize": _capacity(rollout.batch_percent),
            "WaitIntervalInSeconds": rollout.batch_minutes * 60,
            # The way back need not be slow.
            "RollbackMaximumBatchSize": _capacity(100),
            "MaximumExecutionTimeoutInSeconds": timeout,
        }
        return {"RollingUpdatePolicy": policy, **rollback}
    policy = {
        "TrafficRoutingConfiguration": _routing(rollout),
        "TerminationWaitInSeconds": rollout.bake_minutes * 60,
        "MaximumExecutionTimeoutInSeconds": timeout,
    }
    return {"BlueGreenUpdatePolicy": policy, **rollback}


def _routing(rollout: AllAtOnce | Canary | Linear | Shadow | AbTest) -> dict[str, Any]:
    match rollout:
        case Canary() | Shadow():
            return {
                "Type": "CANARY",
                "CanarySize": _capacity(rollout.size_percent),
                "WaitIntervalInSeconds": rollout.canary_minutes * 60,
            }
        case Linear():
            return {
                "Type": "LINEAR",
                "LinearStepSize": _capacity(rollout.step_percent),
                "WaitIntervalInSeconds": rollout.step_minutes * 60,
            }
        case AllAtOnce() | AbTest():
            # A test begins and ends with other variants than before, which guardrails exclude: SageMaker would do this
            # anyway, without saying so. The challenger begins with no traffic, and ends with what it was tested with.
            return {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}


def _capacity(percent: int) -> dict[str, Any]:
    return {"Type": "CAPACITY_PERCENT", "Value": percent}
