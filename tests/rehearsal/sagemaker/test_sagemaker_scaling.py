"""Application Auto Scaling of endpoints: on requests, on a queue from nothing, and by the clock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlops.rehearsal import credentials
from mlops.rehearsal.clock import CLOCK
from tests.rehearsal.cloudformation_world import Stack
from tests.rehearsal.endpoints_world import Endpoints
from tests.rehearsal.iam_world import allow, role
from tests.rehearsal.sagemaker.test_sagemaker_asynchronous import asynchronous, capacity, send, written

DIMENSION = "sagemaker:variant:DesiredInstanceCount"
Waiting = Callable[..., Any]


@pytest.fixture
def quickly() -> Iterator[None]:
    """A minute of the emulated clock is a twentieth of a second."""
    CLOCK.reset(1200)
    yield
    CLOCK.reset()


def place(name: str) -> dict[str, str]:
    resource = f"endpoint/{name}/variant/A"
    return {"ServiceNamespace": "sagemaker", "ResourceId": resource, "ScalableDimension": DIMENSION}


def instances(endpoints: Endpoints, name: str) -> int:
    return int(endpoints.described(name)["ProductionVariants"][0]["CurrentInstanceCount"])


def targets_of(scaling: Any, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = scaling.describe_scalable_targets(
        ServiceNamespace="sagemaker", ResourceIds=[place(name)["ResourceId"]]
    )["ScalableTargets"]
    return found


def tracking(name: str, **specification: Any) -> dict[str, Any]:
    config = {"TargetValue": 2.0, "ScaleInCooldown": 60, "ScaleOutCooldown": 60, **specification}
    return {
        **place(name),
        "PolicyName": f"{name}-load",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": config,
    }


@pytest.mark.usefixtures("quickly")
def test_instances_follow_the_requests_up_and_down(endpoints: Endpoints, waiting: Waiting) -> None:
    scaling, name = endpoints.account.client("application-autoscaling"), endpoints.in_service()
    scaling.register_scalable_target(**place(name), MinCapacity=1, MaxCapacity=3)
    requests = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
    scaling.put_scaling_policy(**tracking(name, PredefinedMetricSpecification=requests))
    stopped = threading.Event()

    def ask() -> None:
        while not stopped.is_set():
            endpoints.invoke(name)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        waiting(lambda: instances(endpoints, name) == 3)
    finally:
        stopped.set()
        asking.join()
    waiting(lambda: instances(endpoints, name) == 1)
    done = scaling.describe_scaling_activities(**place(name))["ScalingActivities"]
    assert {one["Cause"] for one in done} == {f"policy {name}-load"}
    assert {one["StatusCode"] for one in done} == {"Successful"}
    scaling.deregister_scalable_target(**place(name))
    assert scaling.describe_scaling_policies(**place(name))["ScalingPolicies"] == []


@pytest.mark.usefixtures("quickly")
def test_a_queue_wakes_an_endpoint_without_instances_which_goes_to_sleep_again(
    endpoints: Endpoints, waiting: Waiting
) -> None:
    account, name = endpoints.account, asynchronous(endpoints)
    capacity(endpoints, name, 0)
    template = scaling_template(name)
    stack = Stack()
    assert stack.deploy(template)["StackStatus"] == "CREATE_COMPLETE"
    accepted = send(endpoints, name)
    assert waiting(written(endpoints, accepted["OutputLocation"])) == b"0.5"
    waiting(lambda: instances(endpoints, name) == 0)
    scaling = account.client("application-autoscaling")
    activities = scaling.describe_scaling_activities(**place(name))["ScalingActivities"]
    assert [one["Cause"] for one in reversed(activities)] == ["policy wake", "policy load"]
    account.client("cloudformation").delete_stack(StackName=stack.name)
    waiting(lambda: not targets_of(scaling, name))


def scaling_template(name: str) -> dict[str, Any]:
    """As the construct makes it, for the variant A."""
    dimensions = [{"Name": "EndpointName", "Value": name}]
    backlog = {
        "Namespace": "AWS/SageMaker",
        "MetricName": "ApproximateBacklogSizePerInstance",
        "Statistic": "Average",
        "Dimensions": dimensions,
    }
    wake = {
        "AdjustmentType": "ChangeInCapacity",
        "Cooldown": 300,
        "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}],
    }
    policy, target = "AWS::ApplicationAutoScaling::ScalingPolicy", {"ScalingTargetId": {"Ref": "Target"}}
    track = {"TargetValue": 5, "CustomizedMetricSpecification": backlog, "ScaleInCooldown": 60}
    resources: dict[str, Any] = {
        "Target": {
            "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
            "Properties": {**place(name), "MinCapacity": 0, "MaxCapacity": 2},
        },
        "Load": {
            "Type": policy,
            "Properties": {
                **target,
                "PolicyName": "load",
                "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": track,
            },
        },
        "Wake": {
            "Type": policy,
            "Properties": {
                **target,
                "PolicyName": "wake",
                "PolicyType": "StepScaling",
                "StepScalingPolicyConfiguration": wake,
            },
        },
        "Waiting": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "Namespace": "AWS/SageMaker",
                "MetricName": "HasBacklogWithoutCapacity",
                "Dimensions": dimensions,
                "Statistic": "Average",
                "Period": 60,
                "EvaluationPeriods": 2,
                "Threshold": 1,
                "ComparisonOperator": "GreaterThanOrEqualToThreshold",
                "AlarmActions": [{"Ref": "Wake"}],
            },
        },
    }
    return {"Resources": resources}


@pytest.mark.usefixtures("quickly")
def test_a_schedule_changes_the_limits(endpoints: Endpoints, waiting: Waiting) -> None:
    scaling, name = endpoints.account.client("application-autoscaling"), endpoints.in_service()
    scaling.register_scalable_target(**place(name), MinCapacity=1, MaxCapacity=1)
    scaling.put_scheduled_action(
        **place(name),
        ScheduledActionName="more",
        Schedule="rate(10 minutes)",
        Timezone="Europe/Berlin",
        ScalableTargetAction={"MinCapacity": 2, "MaxCapacity": 4},
    )
    waiting(lambda: instances(endpoints, name) == 2)
    (target,) = targets_of(scaling, name)
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 4)
    scaling.deregister_scalable_target(**place(name))
    assert scaling.describe_scheduled_actions(**place(name))["ScheduledActions"] == []


def test_only_variants_with_instances_can_be_scaled_within_limits(endpoints: Endpoints) -> None:
    scaling, name = endpoints.account.client("application-autoscaling"), endpoints.in_service()
    with pytest.raises(ClientError, match="No SageMaker endpoint variant found"):
        scaling.register_scalable_target(**place("nobody"), MinCapacity=1, MaxCapacity=2)
    with pytest.raises(ClientError, match="Maximum capacity cannot be less"):
        scaling.register_scalable_target(**place(name), MinCapacity=3, MaxCapacity=2)
    with pytest.raises(ClientError, match="Both MinCapacity and MaxCapacity"):
        scaling.register_scalable_target(**place(name), MinCapacity=3)
    with pytest.raises(ClientError, match="No scalable target registered"):
        scaling.put_scaling_policy(**tracking(name, PredefinedMetricSpecification={"PredefinedMetricType": "x"}))


def test_a_policy_keeps_its_name_when_it_is_put_again(endpoints: Endpoints) -> None:
    scaling, name = endpoints.account.client("application-autoscaling"), endpoints.in_service()
    scaling.register_scalable_target(**place(name), MinCapacity=1, MaxCapacity=2)
    requests = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
    policy = tracking(name, PredefinedMetricSpecification=requests)
    first, second = (scaling.put_scaling_policy(**policy)["PolicyARN"] for _ in range(2))
    scaling.deregister_scalable_target(**place(name))
    assert first == second


def test_a_role_scales_only_what_its_condition_names(endpoints: Endpoints) -> None:
    name = endpoints.in_service()
    targets = "arn:aws:application-autoscaling:eu-west-1:111122223333:scalable-target/*"

    def register(namespace: str) -> None:
        condition = {"StringEquals": {"application-autoscaling:service-namespace": namespace}}
        arn = role(allow("application-autoscaling:RegisterScalableTarget", on=targets, Condition=condition))
        client = credentials.client("application-autoscaling", role_arn=arn, principal="lambda.amazonaws.com")
        client.register_scalable_target(**place(name), MinCapacity=1, MaxCapacity=2)

    with pytest.raises(ClientError, match="AccessDenied"):
        register("ecs")
    register("sagemaker")
    endpoints.account.client("application-autoscaling").deregister_scalable_target(**place(name))
