"""The state of an emulated endpoint as others see it: its description, its pending deployment, its events."""

from __future__ import annotations

import math
import threading
from typing import Any

from mlops.rehearsal import sagemaker_api, sagemaker_observed
from mlops.rehearsal.sagemaker_fleets import Fleet, shadows_of
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase

LOCK = threading.RLock()
"""Guards the state of every endpoint."""
MOVING = ("Creating", "Updating", "RollingBack", "SystemUpdating", "Deleting")
_EVENT_STATUS = {"InService": "IN_SERVICE", "RollingBack": "ROLLING_BACK", "OutOfService": "OUT_OF_SERVICE"}


def described(endpoint: Any) -> dict[str, Any]:
    """Return what DescribeEndpoint answers."""
    with LOCK:
        everything: dict[str, Any] = endpoint.response_object
    return {name: value for name, value in everything.items() if value not in (None, {}, []) and name != "Tags"}


def enter(endpoint: Any, status: str) -> None:
    """Change the status of an endpoint."""
    endpoint.endpoint_status = status
    endpoint.last_modified_time = sagemaker_api.now()


def serve(endpoint: Any, fleet: Fleet) -> None:
    """Let an endpoint be what a fleet serves."""
    configuration = fleet.configuration
    endpoint.endpoint_config_name = fleet.name
    endpoint.production_variants = fleet.production
    endpoint.shadow_production_variants = fleet.shadows
    endpoint.data_capture_config = _capture_summary(configuration.data_capture_config)
    endpoint.async_inference_config = configuration.async_inference_config


def announce(endpoint: Any, phase: Phase) -> None:
    """Tell the timeline and EventBridge of the status of an endpoint."""
    _tell(endpoint, phase)
    _emit(endpoint, "SageMaker Endpoint State Change")


def begin_deployment(endpoint: Any, configuration: Any) -> None:
    """Show a pending deployment whose instances are being launched."""
    variants = [_pending(variant) for variant in configuration.production_variants]
    shadows = [_pending(variant) for variant in shadows_of(configuration)]
    endpoint.pending_deployment_summary = {
        "EndpointConfigName": configuration.endpoint_config_name,
        "ProductionVariants": variants,
        **({"ShadowProductionVariants": shadows} if shadows else {}),
        "StartTime": sagemaker_api.now(),
    }
    tell_deployment(endpoint, "Creating", "Launching {total} instance(s).", share=0.0)


def tell_deployment(endpoint: Any, status: str, message: str, *, share: float) -> None:
    """Show what a pending deployment does; `message` may name the instances with traffic and the {total}."""
    with LOCK:
        pending = endpoint.pending_deployment_summary
        for variant in pending["ProductionVariants"]:
            total = variant.get("DesiredInstanceCount", 1)
            active = math.ceil(share * total)
            text = message.format(active=active, total=total)
            if "DesiredInstanceCount" in variant:
                variant["CurrentInstanceCount"] = active
            since = sagemaker_api.now()
            variant["VariantStatus"] = [{"Status": status, "StatusMessage": text, "StartTime": since}]
    _tell(endpoint, Phase.INFO, deployment=status, pending=pending["EndpointConfigName"], share=share)
    _emit(endpoint, "SageMaker Endpoint Deployment State Change")


def end_deployment(endpoint: Any) -> None:
    """Show no pending deployment any more."""
    endpoint.pending_deployment_summary = None


def _pending(variant: dict[str, Any]) -> dict[str, Any]:
    pending = {
        "VariantName": variant["VariantName"],
        "DesiredWeight": float(variant.get("InitialVariantWeight", 1.0)),
    }
    if variant.get("ServerlessConfig"):
        return pending | {"DesiredServerlessConfig": variant["ServerlessConfig"]}
    kind = {"InstanceType": variant["InstanceType"]} if variant.get("InstanceType") else {}
    instances = int(variant.get("InitialInstanceCount", 1))
    return pending | kind | {"CurrentInstanceCount": 0, "DesiredInstanceCount": instances}


def _capture_summary(configured: dict[str, Any] | None) -> dict[str, Any] | None:
    if not configured:
        return None
    summary = {
        "EnableCapture": bool(configured.get("EnableCapture")),
        "CaptureStatus": "Started" if configured.get("EnableCapture") else "Stopped",
        "CurrentSamplingPercentage": configured["InitialSamplingPercentage"],
        "DestinationS3Uri": configured["DestinationS3Uri"],
    }
    return summary | {"KmsKeyId": configured.get("KmsKeyId") or ""}


def _tell(endpoint: Any, phase: Phase, **more: Any) -> None:
    TIMELINE.emit(
        Kind.JOB,
        endpoint.endpoint_name,
        phase,
        type="endpoint",
        arn=endpoint.arn,
        status=endpoint.endpoint_status,
        configuration=endpoint.endpoint_config_name,
        reason=endpoint.failure_reason,
        **more,
    )


def _emit(endpoint: Any, detail_type: str) -> None:
    status = endpoint.endpoint_status
    detail = {
        **described(endpoint),
        "EndpointStatus": _EVENT_STATUS.get(status, status.upper()),
        "Tags": {tag["Key"]: tag["Value"] for tag in endpoint.tags},
    }
    sagemaker_observed.emit(detail_type, detail, resources=[endpoint.arn])
