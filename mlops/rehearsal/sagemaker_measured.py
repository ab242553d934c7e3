"""The metrics that the emulated SageMaker publishes for every invocation, in the namespace AWS/SageMaker.

Names, units and zeros are those of the developer guide's page on CloudWatch metrics; the dimension EndpointConfigName,
by which an alarm tells the new fleet from the old one, is that of its page on auto-rollback configuration.
"""

from __future__ import annotations

from mlops.rehearsal.cloudwatch_metrics import METRICS
from mlops.rehearsal.sagemaker_fleets import Fleet, Server

_NAMESPACE = "AWS/SageMaker"
_MICROSECONDS = 1e6
_CLIENT_ERROR, _SERVER_ERROR, _END = 400, 500, 600
_GOOD = range(200, 300)
_REALTIME_ONLY = frozenset({"Invocations", "InvocationsPerInstance", "OverheadLatency"})


def publish(fleet: Fleet, server: Server, *, status: int, model: float, overhead: float) -> None:
    """Publish one invocation of a variant.

    `status` is that of the container, 0 where it did not answer; `model` and `overhead` are seconds. A request without
    an answer counts as InvocationModelErrors only: the container returned neither 4xx nor 5xx.
    """
    instances = int(fleet.summary(server.variant).get("CurrentInstanceCount") or 1)
    values = {
        "Invocations": (1.0, "None"),
        "InvocationsPerInstance": (1.0 / instances, "None"),
        "Invocation4XXErrors": (float(_CLIENT_ERROR <= status < _SERVER_ERROR), "None"),
        "Invocation5XXErrors": (float(_SERVER_ERROR <= status < _END), "None"),
        "InvocationModelErrors": (float(status not in _GOOD), "None"),
        "ModelLatency": (model * _MICROSECONDS, "Microseconds"),
        "OverheadLatency": (overhead * _MICROSECONDS, "Microseconds"),
    }
    if fleet.configuration.async_inference_config:
        values = {name: value for name, value in values.items() if name not in _REALTIME_ONLY}
    variant = {"EndpointName": fleet.endpoint_name, "VariantName": server.variant}
    account, region = fleet.backend.account_id, fleet.backend.region_name
    for dimensions in (variant, variant | {"EndpointConfigName": fleet.name}):
        for name, (value, unit) in values.items():
            METRICS.put(account, region, _NAMESPACE, name, dimensions, value, unit=unit)
