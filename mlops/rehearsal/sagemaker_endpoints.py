"""Endpoints of the emulated SageMaker: each variant is a process that serves its model on a loopback port.

Gaps of moto that are closed here: endpoints are InService at creation and nothing serves, UpdateEndpoint is missing,
names may be used twice, and an update through CloudFormation deletes the endpoint first.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from mlops.rehearsal import sagemaker_api, sagemaker_models, sagemaker_observed, sagemaker_runtime
from mlops.rehearsal.faults import FAULTS, Fault
from mlops.rehearsal.sagemaker_observed import LogStream
from mlops.rehearsal.sagemaker_requests import SageMakerError, refuse
from mlops.rehearsal.sagemaker_serving import ModelServer, ServingError
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase

NOT_REHEARSED: tuple[tuple[str, str], ...] = (
    ("instances of endpoints", "one process serves each variant, whatever its instance type and count"),
    ("canary, linear and rolling traffic shifting, alarms that roll back", "all traffic moves at once"),
    ("metrics of endpoints in CloudWatch, and autoscaling", "no metric is published, so no alarm changes its state"),
    ("restart of a container that died", "its invocations fail until the endpoint is updated"),
)
_MOVING = ("Creating", "Updating", "RollingBack", "SystemUpdating", "Deleting")
_EVENT_STATUS = {"InService": "IN_SERVICE", "RollingBack": "ROLLING_BACK", "OutOfService": "OUT_OF_SERVICE"}


@dataclass
class Deployment:
    """What serves an endpoint at a moment."""

    servers: dict[str, ModelServer] = field(default_factory=dict)
    """By the name of their variant."""
    wrong: bool = False
    """Whether the fault wrong-answers turns every probability around."""

    def end(self) -> None:
        """End every process."""
        for server in self.servers.values():
            server.end()
        self.servers = {}


_lock = threading.RLock()
_deployments: dict[str, Deployment] = {}
_threads: set[threading.Thread] = set()
_starting: set[ModelServer] = set()
_generation = 0


def install() -> None:
    """Hang the handlers into moto."""
    from moto.sagemaker.models import SageMakerModelBackend  # noqa: PLC0415 - imported when the server is there

    create_in_moto = SageMakerModelBackend.create_endpoint
    delete_in_moto = SageMakerModelBackend.delete_endpoint

    def create_endpoint(self: Any, endpoint_name: str, endpoint_config_name: str, tags: Any) -> Any:
        if endpoint_name in self.endpoints:
            arn = sagemaker_api.arn(self, "endpoint", endpoint_name)
            refuse(f'Cannot create already existing endpoint "{arn}".')
        sagemaker_models.find_configuration(self, endpoint_config_name)
        endpoint: Any = create_in_moto(self, endpoint_name, endpoint_config_name, tags)
        endpoint.production_variants, endpoint.endpoint_status = None, "Creating"
        _spawn(self, endpoint, endpoint_config_name, creating=True)
        return endpoint

    def delete_endpoint(self: Any, endpoint_name: str) -> None:
        endpoint = find_endpoint(self, endpoint_name)
        if endpoint.endpoint_status in _MOVING:
            refuse(f'Cannot update in-progress endpoint "{endpoint.arn}".')
        delete_in_moto(self, endpoint_name)
        with _lock:
            deployment = _deployments.pop(endpoint.arn, Deployment())
        deployment.end()
        endpoint.endpoint_status = "Deleting"
        _announce(endpoint, Phase.INFO)

    sagemaker_api.patch(
        SageMakerModelBackend,
        create_endpoint=create_endpoint,
        delete_endpoint=delete_endpoint,
        update_endpoint=update_endpoint,
    )
    sagemaker_api.serve("CreateEndpoint", _create_endpoint)
    sagemaker_api.serve("DescribeEndpoint", _describe_endpoint)
    sagemaker_api.serve("UpdateEndpoint", _update_endpoint)
    sagemaker_api.serve("DeleteEndpoint", _delete_endpoint)
    sagemaker_api.serve("UpdateEndpointWeightsAndCapacities", _update_weights)
    sagemaker_models.install()
    sagemaker_runtime.install()


def reset() -> None:
    """Forget what an earlier emulated AWS served."""
    shutdown()


def shutdown() -> None:
    """End every serving process."""
    global _generation  # noqa: PLW0603 - one emulated AWS at a time
    with _lock:
        _generation += 1
        ended = list(_deployments.values())
        _deployments.clear()
        threads = list(_threads)
        for server in _starting:
            server.abort()
    for deployment in ended:
        deployment.end()
    for thread in threads:
        thread.join(5)


def find_endpoint(backend: Any, name: str) -> Any:
    """Return moto's endpoint, or refuse as SageMaker does."""
    endpoint = backend.endpoints.get(name)
    if endpoint is None:
        refuse(f'Could not find endpoint "{sagemaker_api.arn(backend, "endpoint", name)}".')
    return endpoint


def deployment_of(endpoint: Any) -> Deployment | None:
    """Return what serves an endpoint now."""
    with _lock:
        return _deployments.get(endpoint.arn)


def update_endpoint(backend: Any, endpoint_name: str, endpoint_config_name: str) -> Any:
    """Begin to replace what an endpoint serves; the old variants serve until the new ones are healthy."""
    with _lock:
        endpoint = find_endpoint(backend, endpoint_name)
        if endpoint.endpoint_status in _MOVING:
            refuse(f'Cannot update in-progress endpoint "{endpoint.arn}".')
        if endpoint.endpoint_status != "InService":
            refuse(f'Cannot update endpoint "{endpoint.arn}" in status {endpoint.endpoint_status}.')
        sagemaker_models.find_configuration(backend, endpoint_config_name)
        endpoint.endpoint_status, endpoint.failure_reason = "Updating", None
    _spawn(backend, endpoint, endpoint_config_name, creating=False)
    return endpoint


def wait(backend: Any, endpoint_name: str, *, seconds: float = 300) -> Any:
    """Return moto's endpoint as soon as it does not move any more.

    Raises:
        TimeoutError: it still moves after `seconds`.

    """
    deadline = time.monotonic() + seconds
    endpoint = find_endpoint(backend, endpoint_name)
    while endpoint.endpoint_status in _MOVING:
        if time.monotonic() > deadline:
            message = f"endpoint {endpoint_name} is {endpoint.endpoint_status} after {seconds:.0f} s"
            raise TimeoutError(message)
        time.sleep(0.05)
    return endpoint


def _spawn(backend: Any, endpoint: Any, configuration_name: str, *, creating: bool) -> None:
    TIMELINE.emit(Kind.JOB, endpoint.endpoint_name, Phase.STARTED, type="endpoint", arn=endpoint.arn)
    _announce(endpoint, Phase.INFO)
    thread = threading.Thread(
        target=_deploy,
        args=(backend, endpoint, configuration_name, _generation),
        kwargs={"creating": creating},
        name=f"endpoint-{endpoint.endpoint_name}",
        daemon=True,
    )
    with _lock:
        _threads.add(thread)
    thread.start()


def _deploy(backend: Any, endpoint: Any, configuration_name: str, generation: int, *, creating: bool) -> None:
    try:
        new, variants = _start(backend, endpoint, configuration_name)
    except Exception as error:  # noqa: BLE001 - an endpoint that fails in an unknown way has failed, and says how
        known = isinstance(error, ServingError | SageMakerError)
        reason = str(error) if known else f"the rehearsal itself failed: {type(error).__name__}: {error}"
        if generation == _generation:
            _end_unchanged(endpoint, reason, creating=creating)
    else:
        if not creating and FAULTS.strikes(Fault.SILENT_ROLLBACK, at=endpoint.endpoint_name):
            new.end()
            _end_unchanged(endpoint, None, creating=False)
            return
        with _lock:
            current = generation == _generation
            old = _deployments.get(endpoint.arn, Deployment()) if current else new
            if current:
                _deployments[endpoint.arn] = new
                endpoint.endpoint_config_name = configuration_name
                endpoint.production_variants = variants
                configuration = backend.endpoint_configs[configuration_name]
                endpoint.data_capture_config = _capture_summary(configuration.data_capture_config)
                _enter(endpoint, "InService")
        old.end()
        if current:
            _announce(endpoint, Phase.SUCCEEDED)
    finally:
        with _lock:
            _threads.discard(threading.current_thread())


def _start(backend: Any, endpoint: Any, configuration_name: str) -> tuple[Deployment, list[dict[str, Any]]]:
    configuration = sagemaker_models.find_configuration(backend, configuration_name)
    deployment = Deployment(wrong=FAULTS.strikes(Fault.WRONG_ANSWERS, at=endpoint.endpoint_name))
    variants = []
    try:
        for variant in configuration.production_variants:
            container = sagemaker_models.container_of(backend, variant["ModelName"])
            name = variant["VariantName"]
            group, stream = f"/aws/sagemaker/Endpoints/{endpoint.endpoint_name}", f"{name}/i-{time.time_ns():x}"
            log = LogStream(backend, group, stream, source=endpoint.endpoint_name)
            server = ModelServer(backend, container, log, f"production variant {name}", variant=name)
            deployment.servers[name] = server
            with _lock:
                _starting.add(server)
            try:
                server.start()
            finally:
                with _lock:
                    _starting.discard(server)
            variants.append(_variant(variant, container.image))
    except Exception:
        deployment.end()
        raise
    return deployment, variants


def _variant(variant: dict[str, Any], image: str) -> dict[str, Any]:
    weight = float(variant.get("InitialVariantWeight", 1.0))
    count = int(variant.get("InitialInstanceCount", 1))
    deployed = {"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": sagemaker_api.now()}
    return {
        "VariantName": variant["VariantName"],
        "DeployedImages": [deployed],
        "CurrentWeight": weight,
        "DesiredWeight": weight,
        "CurrentInstanceCount": count,
        "DesiredInstanceCount": count,
    }


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


def _end_unchanged(endpoint: Any, reason: str | None, *, creating: bool) -> None:
    # A failed creation leaves a Failed endpoint. A failed update rolls back: the old variants go on serving, and the
    # endpoint is InService again, with its old configuration.
    with _lock:
        endpoint.failure_reason = reason
        _enter(endpoint, "Failed" if creating else "InService")
    _announce(endpoint, Phase.FAILED if reason else Phase.SUCCEEDED)


def _enter(endpoint: Any, status: str) -> None:
    endpoint.endpoint_status = status
    endpoint.last_modified_time = sagemaker_api.now()


def _announce(endpoint: Any, phase: Phase) -> None:
    status = endpoint.endpoint_status
    TIMELINE.emit(
        Kind.JOB,
        endpoint.endpoint_name,
        phase,
        type="endpoint",
        arn=endpoint.arn,
        status=status,
        configuration=endpoint.endpoint_config_name,
        reason=endpoint.failure_reason,
    )
    detail = {
        **_described(endpoint),
        "EndpointStatus": _EVENT_STATUS.get(status, status.upper()),
        "Tags": {tag["Key"]: tag["Value"] for tag in endpoint.tags},
    }
    sagemaker_observed.emit("SageMaker Endpoint State Change", detail, resources=[endpoint.arn])


def _described(endpoint: Any) -> dict[str, Any]:
    with _lock:
        described: dict[str, Any] = endpoint.response_object
    return {name: value for name, value in described.items() if value not in (None, {}, []) and name != "Tags"}


def _create_endpoint(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    endpoint = backend.create_endpoint(request["EndpointName"], request["EndpointConfigName"], request.get("Tags"))
    return {"EndpointArn": endpoint.arn}


def _describe_endpoint(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    return _described(find_endpoint(backend, request["EndpointName"]))


def _update_endpoint(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    endpoint = update_endpoint(backend, request["EndpointName"], request["EndpointConfigName"])
    if request.get("DeploymentConfig"):
        endpoint.last_deployment_config = request["DeploymentConfig"]
    return {"EndpointArn": endpoint.arn}


def _delete_endpoint(backend: Any, request: dict[str, Any]) -> None:
    backend.delete_endpoint(request["EndpointName"])


def _update_weights(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    endpoint = find_endpoint(backend, request["EndpointName"])
    if endpoint.endpoint_status in _MOVING:
        refuse(f'Cannot update in-progress endpoint "{endpoint.arn}".')
    known = {variant["VariantName"]: variant for variant in endpoint.production_variants or []}
    for wish in request["DesiredWeightsAndCapacities"]:
        name = wish["VariantName"]
        if name not in known:
            refuse(
                f'The variant name(s) "{name}" is/are not present within endpoint configuration '
                f'"{endpoint.endpoint_config_name}".'
            )
        for word in ("Weight", "InstanceCount"):
            if wish.get(f"Desired{word}") is not None:
                known[name][f"Current{word}"] = known[name][f"Desired{word}"] = wish[f"Desired{word}"]
    _enter(endpoint, "InService")
    return {"EndpointArn": endpoint.arn}


def loopback_urls() -> dict[str, str]:
    """Return where the serving process of each endpoint answers, without the SageMaker API in front of it."""
    with _lock:
        return {
            name: f"http://127.0.0.1:{server.port}/invocations"
            for name, deployment in _deployments.items()
            for server in list(deployment.servers.values())[:1]
        }
