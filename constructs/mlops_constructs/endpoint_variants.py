"""How the settings of a way of serving become production variants: what depends on the kind is decided here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from aws_cdk import aws_sagemaker as sagemaker

from mlops_constructs.settings import Asynchronous, RealTime, Serverless, Serving

Variant: TypeAlias = sagemaker.CfnEndpointConfig.ProductionVariantProperty
_PROVISION_SECONDS = 1_800
"""How long SageMaker tries the types of an instance pool, over and over; a deployment may take twice as long."""


@dataclass(frozen=True, kw_only=True)
class AsynchronousPlace:
    """Where the answers of an asynchronous endpoint go."""

    uri: str
    """A folder, without a slash at the end; `input`, `output` and `failures` are below it."""
    key_arn: str
    """The key that encrypts them."""


def production_variant(
    settings: Serving, *, name: str, model_name: str, weight: float, instance_count: int | None = None
) -> Variant:
    """Return the variant `name` of an endpoint.

    Args:
        settings: How it serves.
        name: Of the variant.
        model_name: Of the SageMaker model.
        weight: Its share of the requests, relative to the weights of the others.
        instance_count: Instead of the settings' own, such as 1 for a preview; nothing to serverless endpoints.

    Raises:
        TypeError: a kind without an endpoint.
    """
    common: dict[str, Any] = {"variant_name": name, "model_name": model_name, "initial_variant_weight": weight}
    if isinstance(settings, Serverless):
        capacity = sagemaker.CfnEndpointConfig.ServerlessConfigProperty(
            memory_size_in_mb=settings.memory_mb,
            max_concurrency=settings.max_concurrency,
            provisioned_concurrency=settings.provisioned_concurrency,
        )
        return Variant(**common, serverless_config=capacity)
    if isinstance(settings, RealTime | Asynchronous):
        return Variant(**common, **_instances(settings, instance_count or settings.instance_count))
    msg = f"serving of type {settings.type} has no endpoint, so it has no production variant"
    raise TypeError(msg)


def _instances(settings: RealTime | Asynchronous, count: int) -> dict[str, Any]:
    if settings.instance_type is not None:
        return {"initial_instance_count": count, "instance_type": settings.instance_type}
    pool = sagemaker.CfnEndpointConfig.InstancePoolProperty
    pools = [pool(instance_type=each, priority=place) for place, each in enumerate(settings.instance_pools, start=1)]
    return {
        "initial_instance_count": count,
        "instance_pools": pools,
        "variant_instance_provision_timeout_in_seconds": _PROVISION_SECONDS,
    }


def async_config(
    settings: Serving, place: AsynchronousPlace | None
) -> sagemaker.CfnEndpointConfig.AsyncInferenceConfigProperty | None:
    """Return where an asynchronous endpoint answers to, None for the other kinds.

    Raises:
        ValueError: an asynchronous endpoint without a place.
    """
    if not isinstance(settings, Asynchronous):
        return None
    if place is None:
        msg = "an asynchronous endpoint needs a place for its answers; pass one"
        raise ValueError(msg)
    config = sagemaker.CfnEndpointConfig
    topics = {
        name: topic
        for name, topic in (("success_topic", settings.success_topic), ("error_topic", settings.error_topic))
        if topic is not None
    }
    return config.AsyncInferenceConfigProperty(
        client_config=config.AsyncInferenceClientConfigProperty(
            max_concurrent_invocations_per_instance=settings.concurrency
        )
        if settings.concurrency
        else None,
        output_config=config.AsyncInferenceOutputConfigProperty(
            kms_key_id=place.key_arn,
            s3_output_path=f"{place.uri}/output",
            s3_failure_path=f"{place.uri}/failures",
            notification_config=config.AsyncInferenceNotificationConfigProperty(**topics) if topics else None,
        ),
    )


def is_guarded(settings: Serving) -> bool:
    """Tell whether deployment guardrails hold: not for serverless endpoints, whose updates they do not know.

    Source: "Exclusions" of deployment guardrails, SageMaker developer guide.
    """
    return isinstance(settings, RealTime | Asynchronous)


def is_isolated(settings: Serving) -> bool:
    """Tell whether the containers can be kept from the network, and may stand in a VPC: not those without instances.

    Source: "Feature exclusions" of serverless inference, SageMaker developer guide.
    """
    return not isinstance(settings, Serverless)


def is_scaled(settings: Serving) -> bool:
    """Tell whether something other than the settings decides how many instances there are."""
    if isinstance(settings, RealTime):
        return settings.autoscaling is not None or bool(settings.schedules)
    return isinstance(settings, Asynchronous) and settings.autoscaling is not None


def retained(settings: Serving) -> dict[str, Any]:
    """Return the options of an endpoint that keep its number of instances when a new version takes over.

    Without them an update brings the number that the settings begin with, however many the traffic needs just then.
    Weights and data capture are those of the new configuration. An asynchronous endpoint begins anew: it may have had
    no instance, on which nothing could be tried out, and meanwhile requests wait in the queue.
    Source: RetainAllVariantProperties of UpdateEndpoint.
    """
    if not isinstance(settings, RealTime) or not is_scaled(settings):
        return {}
    excluded = sagemaker.CfnEndpoint.VariantPropertyProperty
    return {
        "retain_all_variant_properties": True,
        "exclude_retained_variant_properties": [
            excluded(variant_property_type=each) for each in ("DesiredWeight", "DataCaptureConfig")
        ],
    }
