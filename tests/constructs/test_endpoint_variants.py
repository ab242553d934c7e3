"""Production variants and their scaling, as CloudFormation gets them."""

from __future__ import annotations

from typing import Any

import pytest
from aws_cdk import CfnCondition, Fn, Stack
from aws_cdk import aws_sagemaker as sagemaker
from aws_cdk.assertions import Template

from mlops_constructs.autoscaling import scale
from mlops_constructs.endpoint_variants import (
    AsynchronousPlace,
    async_config,
    is_guarded,
    is_isolated,
    is_scaled,
    production_variant,
    retained,
)
from mlops_constructs.settings import Asynchronous, RealTime, Serverless, Serving
from mlops_constructs.settings.serving import Autoscaling, BacklogAutoscaling, CapacitySchedule

KEY = "arn:aws:kms:eu-west-1:111122223333:key/1"
PLACE = AsynchronousPlace(uri="s3://bucket/churn/endpoints/dev", key_arn=KEY)
FIXED = RealTime(instance_type="ml.m5.large")
POOLS = RealTime(instance_pools=("ml.m5.large", "ml.c5.large"), instance_count=3)
SCALED = RealTime(
    instance_type="ml.m5.large",
    autoscaling=Autoscaling(minimum=2, maximum=6, invocations_per_instance=600),
    schedules=(CapacitySchedule(cron="cron(0 20 * * ? *)", timezone="Europe/Berlin", minimum=1, maximum=1),),
)
QUEUE = Asynchronous(
    type="asynchronous",
    instance_type="ml.m5.large",
    concurrency=4,
    error_topic="arn:aws:sns:eu-west-1:111122223333:failures",
    autoscaling=BacklogAutoscaling(maximum=3),
)
LAMBDA_LIKE = Serverless(type="serverless", memory_mb=3072, max_concurrency=9, provisioned_concurrency=2)


def configured(settings: Serving, **options: Any) -> dict[str, Any]:
    """Return the properties of a configuration with one variant."""
    stack = Stack()
    sagemaker.CfnEndpointConfig(
        stack,
        "Configuration",
        production_variants=[production_variant(settings, name="live", model_name="model", weight=1, **options)],
        async_inference_config=async_config(settings, PLACE),
    )
    found = Template.from_stack(stack).find_resources("AWS::SageMaker::EndpointConfig")
    properties: dict[str, Any] = next(iter(found.values()))["Properties"]
    return properties


COMMON = {"VariantName": "live", "ModelName": "model", "InitialVariantWeight": 1}


@pytest.mark.parametrize(
    ("settings", "capacity"),
    [
        (FIXED, {"InstanceType": "ml.m5.large", "InitialInstanceCount": 2}),
        (
            POOLS,
            {
                "InstancePools": [
                    {"InstanceType": "ml.m5.large", "Priority": 1},
                    {"InstanceType": "ml.c5.large", "Priority": 2},
                ],
                "InitialInstanceCount": 3,
                "VariantInstanceProvisionTimeoutInSeconds": 1800,
            },
        ),
        (
            LAMBDA_LIKE,
            {"ServerlessConfig": {"MemorySizeInMB": 3072, "MaxConcurrency": 9, "ProvisionedConcurrency": 2}},
        ),
        (QUEUE, {"InstanceType": "ml.m5.large", "InitialInstanceCount": 1}),
    ],
)
def test_each_kind_has_its_own_capacity(settings: Serving, capacity: dict[str, Any]) -> None:
    assert configured(settings)["ProductionVariants"] == [COMMON | capacity]


def test_a_preview_has_fewer_instances() -> None:
    (variant,) = configured(FIXED, instance_count=1)["ProductionVariants"]
    assert variant["InitialInstanceCount"] == 1


def test_only_an_asynchronous_endpoint_answers_to_a_bucket() -> None:
    assert "AsyncInferenceConfig" not in configured(FIXED)
    assert configured(QUEUE)["AsyncInferenceConfig"] == {
        "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 4},
        "OutputConfig": {
            "KmsKeyId": KEY,
            "S3OutputPath": f"{PLACE.uri}/output",
            "S3FailurePath": f"{PLACE.uri}/failures",
            "NotificationConfig": {"ErrorTopic": QUEUE.error_topic},
        },
    }
    with pytest.raises(ValueError, match="needs a place"):
        async_config(QUEUE, None)


def test_what_holds_of_each_kind() -> None:
    kinds = (FIXED, SCALED, QUEUE, LAMBDA_LIKE)
    assert [is_guarded(kind) for kind in kinds] == [True, True, True, False]
    assert [is_isolated(kind) for kind in kinds] == [True, True, True, False]
    assert [is_scaled(kind) for kind in kinds] == [False, True, True, False]
    assert [bool(retained(kind)) for kind in kinds] == [False, True, False, False]


def scaled(settings: Serving) -> Template:
    """Return the template of a stack with an endpoint and its scaling."""
    stack = Stack()
    exists = CfnCondition(stack, "HasModel", expression=Fn.condition_equals("a", "a"))
    endpoint = sagemaker.CfnEndpoint(
        stack, "Endpoint", endpoint_config_name="c", endpoint_name="churn-dev", **retained(settings)
    )
    scale(stack, endpoint=endpoint, name="churn-dev", settings=settings, exists=exists)
    return Template.from_stack(stack)


def test_instances_follow_the_requests_and_the_clock() -> None:
    template = scaled(SCALED)
    template.has_resource(
        "AWS::ApplicationAutoScaling::ScalableTarget",
        {
            "Condition": "HasModel",
            "DependsOn": ["Endpoint"],
            "Properties": {
                "MinCapacity": 2,
                "MaxCapacity": 6,
                "ResourceId": "endpoint/churn-dev/variant/live",
                "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
                "ScheduledActions": [
                    {
                        "Schedule": "cron(0 20 * * ? *)",
                        "ScalableTargetAction": {"MinCapacity": 1, "MaxCapacity": 1},
                        "ScheduledActionName": "schedule-1",
                        "Timezone": "Europe/Berlin",
                    }
                ],
            },
        },
    )
    tracking = {
        "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
        "TargetValue": 600,
        "ScaleInCooldown": 300,
        "ScaleOutCooldown": 60,
    }
    policy = {"PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": tracking}
    template.has_resource_properties("AWS::ApplicationAutoScaling::ScalingPolicy", policy)
    template.resource_count_is("AWS::CloudWatch::Alarm", 0)


def test_an_update_keeps_the_instances_that_the_traffic_asked_for() -> None:
    scaled(SCALED).has_resource_properties(
        "AWS::SageMaker::Endpoint",
        {
            "RetainAllVariantProperties": True,
            "ExcludeRetainedVariantProperties": [
                {"VariantPropertyType": "DesiredWeight"},
                {"VariantPropertyType": "DataCaptureConfig"},
            ],
        },
    )


def test_a_schedule_alone_keeps_the_number_between_its_times() -> None:
    alone = FIXED.model_copy(update={"schedules": SCALED.schedules})
    template = scaled(alone)
    template.has_resource_properties(
        "AWS::ApplicationAutoScaling::ScalableTarget", {"MinCapacity": 2, "MaxCapacity": 2}
    )
    template.resource_count_is("AWS::ApplicationAutoScaling::ScalingPolicy", 0)


def test_a_queue_wakes_the_first_instance_and_then_decides_how_many() -> None:
    template = scaled(QUEUE)
    target = {"MinCapacity": 0, "MaxCapacity": 3}
    template.has_resource_properties("AWS::ApplicationAutoScaling::ScalableTarget", target)
    dimensions = [{"Name": "EndpointName", "Value": "churn-dev"}]
    backlog = {
        "Namespace": "AWS/SageMaker",
        "MetricName": "ApproximateBacklogSizePerInstance",
        "Statistic": "Average",
        "Dimensions": dimensions,
    }
    tracking = {"CustomizedMetricSpecification": backlog, "TargetValue": 5}
    template.has_resource_properties(
        "AWS::ApplicationAutoScaling::ScalingPolicy", {"TargetTrackingScalingPolicyConfiguration": tracking}
    )
    (step,) = template.find_resources(
        "AWS::ApplicationAutoScaling::ScalingPolicy", {"Properties": {"PolicyType": "StepScaling"}}
    )
    waiting = {"MetricName": "HasBacklogWithoutCapacity", "Dimensions": dimensions, "AlarmActions": [{"Ref": step}]}
    template.has_resource_properties("AWS::CloudWatch::Alarm", waiting)


@pytest.mark.parametrize("settings", [FIXED, LAMBDA_LIKE])
def test_nothing_scales_what_has_a_fixed_size(settings: Serving) -> None:
    scaled(settings).resource_count_is("AWS::ApplicationAutoScaling::ScalableTarget", 0)
