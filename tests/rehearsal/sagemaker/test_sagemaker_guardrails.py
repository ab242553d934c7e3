from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.rehearsal import sagemaker_guardrails
from mlops.rehearsal.sagemaker_guardrails import Plan
from mlops.rehearsal.sagemaker_requests import SageMakerError


def configuration(*names: str, instances: int = 4, **changes: Any) -> Any:
    variants = [
        {"VariantName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": instances, **changes}
        for name in names or ("live",)
    ]
    return SimpleNamespace(production_variants=variants)


def percent(value: int) -> dict[str, Any]:
    return {"Type": "CAPACITY_PERCENT", "Value": value}


def blue_green(kind: str, *, wait: int = 60, termination: int = 300, **routing: Any) -> dict[str, Any]:
    return {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {"Type": kind, "WaitIntervalInSeconds": wait, **routing},
            "TerminationWaitInSeconds": termination,
            "MaximumExecutionTimeoutInSeconds": 3600,
        },
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]},
    }


def rolling(batch: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"RollingUpdatePolicy": {"MaximumBatchSize": batch, "WaitIntervalInSeconds": 60, **more}}


def plan(config: dict[str, Any] | None, *, before: Any = None, after: Any = None) -> Plan:
    return sagemaker_guardrails.plan_of(
        config, before=before or configuration("live"), after=after or configuration("live")
    )


@pytest.mark.parametrize(
    ("config", "steps"),
    [
        (None, [(1.0, 0.0)]),
        (blue_green("ALL_AT_ONCE"), [(1.0, 300.0)]),
        (blue_green("CANARY", CanarySize=percent(10)), [(0.1, 60.0), (1.0, 300.0)]),
        (blue_green("CANARY", CanarySize={"Type": "INSTANCE_COUNT", "Value": 1}), [(0.25, 60.0), (1.0, 300.0)]),
        (
            blue_green("LINEAR", LinearStepSize=percent(40)),
            [(0.4, 60.0), (0.8, 60.0), (1.0, 300.0)],
        ),
        (rolling(percent(50)), [(0.5, 60.0), (1.0, 60.0)]),
    ],
)
def test_a_deployment_configuration_becomes_steps(
    config: dict[str, Any] | None, steps: list[tuple[float, float]]
) -> None:
    assert [(step.share, step.wait) for step in plan(config).steps] == steps


@given(size=st.integers(10, 50), wait=st.integers(0, 100))
def test_linear_steps_are_of_one_size_and_reach_everything(size: int, wait: int) -> None:
    steps = plan(blue_green("LINEAR", wait=wait, LinearStepSize=percent(size))).steps
    shares = [0.0, *(step.share for step in steps)]
    moved = [after - before for before, after in pairwise(shares)]
    assert shares[-1] == 1.0
    assert all(0 < part <= size / 100 + 1e-6 for part in moved)
    assert all(abs(part - size / 100) < 1e-5 for part in moved[:-1])


def test_a_rolling_deployment_goes_back_in_batches_of_its_own() -> None:
    assert plan(rolling(percent(25))).back == (0.0,)
    assert plan(rolling(percent(25), RollbackMaximumBatchSize=percent(50))).back == (0.5, 0.0)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (blue_green("CANARY"), ["CanarySize is required for type CANARY"]),
        (blue_green("CANARY", CanarySize=percent(51)), ["between 1% and 50%", "it is 51%"]),
        (
            blue_green("CANARY", CanarySize={"Type": "INSTANCE_COUNT", "Value": 3}),
            ["of the 4 instance(s) of variant live, it is 75%"],
        ),
        (
            blue_green("CANARY", CanarySize=percent(60), LinearStepSize=percent(10)),
            ["2 validation errors", "it is 60%", "LinearStepSize is not allowed for type CANARY"],
        ),
        (blue_green("LINEAR", LinearStepSize=percent(5)), ["between 10% and 50%"]),
        (blue_green("ALL_AT_ONCE", CanarySize=percent(10)), ["CanarySize is not allowed for type ALL_AT_ONCE"]),
        (rolling(percent(51)), ["between 5% and 50%"]),
        (rolling(percent(50)) | blue_green("ALL_AT_ONCE"), ["only one of"]),
        (
            blue_green("LINEAR", wait=1200, termination=0, LinearStepSize=percent(25)),
            ["must be more than the 3600 seconds of all waits, got 3600"],
        ),
    ],
)
def test_a_deployment_configuration_that_sagemaker_refuses_is_refused(config: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(SageMakerError) as refused:
        plan(config)
    assert refused.value.code == "ValidationException"
    assert all(word in refused.value.message for word in words)


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (configuration("live"), configuration("live", "challenger"), "change their names"),
        (configuration("live"), configuration("other"), "change their names"),
        (configuration("live"), configuration("live", ServerlessConfig={"MemorySizeInMB": 1024}), "serverless"),
        (configuration("live"), configuration("live", InstanceType="ml.inf1.xlarge"), "ml.inf1.xlarge"),
    ],
)
def test_what_is_excluded_from_guardrails_moves_at_once_and_watches_no_alarm(before: Any, after: Any, why: str) -> None:
    found = plan(blue_green("CANARY", CanarySize=percent(10)), before=before, after=after)
    assert [(step.share, step.wait) for step in found.steps] == [(1.0, 0.0)]
    assert found.alarms == ()
    assert why in found.fallback


def test_two_variants_may_be_blue_and_green_but_not_rolling() -> None:
    two = configuration("live", "challenger")
    assert plan(blue_green("CANARY", CanarySize=percent(10)), before=two, after=two).gradual
    assert plan(rolling(percent(50)), before=two, after=two).fallback == "a rolling deployment takes one variant"
