"""Endpoints of the emulated SageMaker: each variant is a process that serves its model on a loopback port.

Gaps of moto that are closed here: endpoints are InService at creation and nothing serves, UpdateEndpoint is missing,
names may be used twice, weights change at once, and an update through CloudFormation deletes the endpoint first.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

from mlops.rehearsal import (
    sagemaker_api,
    sagemaker_capture,
    sagemaker_endpoint_state,
    sagemaker_fleets,
    sagemaker_guardrails,
    sagemaker_models,
)
from mlops.rehearsal.clock import CLOCK
from mlops.rehearsal.faults import FAULTS, Fault
from mlops.rehearsal.sagemaker_endpoint_state import LOCK, MOVING, announce, enter
from mlops.rehearsal.sagemaker_fleets import Fleet, Serving
from mlops.rehearsal.sagemaker_guardrails import Plan
from mlops.rehearsal.sagemaker_requests import SageMakerError, refuse
from mlops.rehearsal.sagemaker_rollout import Rollout
from mlops.rehearsal.sagemaker_serving import ServingError
from mlops.rehearsal.sagemaker_traffic import TRAFFIC
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase

NOT_REHEARSED: tuple[tuple[str, str], ...] = (
    ("instances of endpoints", "one process serves each variant, whatever its instance type and count"),
    (
        "the instances that a step of a deployment turns on",
        "a step moves exactly the part of the traffic that was asked for; SageMaker moves whole instances",
    ),
    ("restart of a container that died", "its invocations fail until the endpoint is updated"),
    ("metrics of instances (CPU, memory, disk)", "the processes share one machine with everything else"),
    (
        "how SageMaker tells of an auto-rollback alarm that is missing or may not be looked at",
        "it is not documented; the update is refused",
    ),
)
_WEIGHTS_SECONDS = 30.0
"""Emulated seconds for which an endpoint is Updating when its weights or instance counts change."""


@dataclass(frozen=True, slots=True)
class _Update:
    """What an endpoint is to become."""

    configuration: Any
    generation: int
    plan: Plan | None = None
    """How the traffic gets there; None where nothing serves yet."""
    retained: dict[str, dict[str, Any]] | None = None
    began: float = 0.0


_servings: dict[str, Serving] = {}
_threads: set[threading.Thread] = set()
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
        configuration = sagemaker_models.find_configuration(self, endpoint_config_name)
        endpoint: Any = create_in_moto(self, endpoint_name, endpoint_config_name, tags)
        endpoint.production_variants, endpoint.endpoint_status = None, "Creating"
        _spawn(self, endpoint, _Update(configuration, _generation))
        return endpoint

    def delete_endpoint(self: Any, endpoint_name: str) -> None:
        endpoint = find_endpoint(self, endpoint_name)
        if endpoint.endpoint_status in MOVING:
            refuse(f'Cannot update in-progress endpoint "{endpoint.arn}".')
        delete_in_moto(self, endpoint_name)
        with LOCK:
            serving = _servings.pop(endpoint.arn, None)
        if serving is not None:
            serving.end()
        sagemaker_capture.flush()
        endpoint.endpoint_status = "Deleting"
        announce(endpoint, Phase.INFO)

    sagemaker_api.patch(SageMakerModelBackend, create_endpoint=create_endpoint, delete_endpoint=delete_endpoint)
    sagemaker_api.serve("CreateEndpoint", _create_endpoint)
    sagemaker_api.serve("DescribeEndpoint", _describe_endpoint)
    sagemaker_api.serve("UpdateEndpoint", _update_endpoint)
    sagemaker_api.serve("DeleteEndpoint", _delete_endpoint)
    sagemaker_api.serve("UpdateEndpointWeightsAndCapacities", _update_weights)
    sagemaker_models.install()


def reset() -> None:
    """Forget what an earlier emulated AWS served."""
    shutdown()
    TRAFFIC.clear()


def shutdown() -> None:
    """End every serving process."""
    global _generation  # noqa: PLW0603 - one emulated AWS at a time
    with LOCK:
        _generation += 1
        ended = list(_servings.values())
        _servings.clear()
        threads = list(_threads)
    sagemaker_fleets.abort_starting()
    for serving in ended:
        serving.end()
    for thread in threads:
        thread.join(5)
    sagemaker_capture.flush()


def find_endpoint(backend: Any, name: str) -> Any:
    """Return moto's endpoint, or refuse as SageMaker does."""
    endpoint = backend.endpoints.get(name)
    if endpoint is None:
        refuse(f'Could not find endpoint "{sagemaker_api.arn(backend, "endpoint", name)}".')
    return endpoint


def serving_of(backend: Any, name: str) -> Serving | None:
    """Return what serves an endpoint now."""
    return _servings.get(sagemaker_api.arn(backend, "endpoint", name))


def wait(backend: Any, endpoint_name: str, *, seconds: float = 300) -> Any:
    """Return moto's endpoint as soon as it does not move any more.

    Raises:
        TimeoutError: it still moves after `seconds`.

    """
    deadline = time.monotonic() + seconds
    endpoint = find_endpoint(backend, endpoint_name)
    while endpoint.endpoint_status in MOVING:
        if time.monotonic() > deadline:
            message = f"endpoint {endpoint_name} is {endpoint.endpoint_status} after {seconds:.0f} s"
            raise TimeoutError(message)
        time.sleep(0.05)
    return endpoint


def loopback_urls() -> dict[str, str]:
    """Return where the serving process of each endpoint answers, without the SageMaker API in front of it."""
    with LOCK:
        return {
            name: f"http://127.0.0.1:{server.port}/invocations"
            for name, serving in _servings.items()
            for server in list(serving.blue.servers.values())[:1]
        }


def _spawn(backend: Any, endpoint: Any, update: _Update) -> None:
    TIMELINE.emit(Kind.JOB, endpoint.endpoint_name, Phase.STARTED, type="endpoint", arn=endpoint.arn)
    announce(endpoint, Phase.INFO)
    sagemaker_endpoint_state.begin_deployment(endpoint, update.configuration)
    _in_thread(endpoint, _deploy, backend, endpoint, update)


def _in_thread(endpoint: Any, function: Any, *arguments: Any) -> None:
    def run() -> None:
        try:
            function(*arguments)
        finally:
            with LOCK:
                _threads.discard(threading.current_thread())

    thread = threading.Thread(target=run, name=f"endpoint-{endpoint.endpoint_name}", daemon=True)
    with LOCK:
        _threads.add(thread)
    thread.start()


def _deploy(backend: Any, endpoint: Any, update: _Update) -> None:
    try:
        fleet = sagemaker_fleets.launch(
            backend, endpoint.endpoint_name, update.configuration, retained=update.retained or {}
        )
        changed = update.plan is None or _roll_out(endpoint, fleet, update, update.plan)
    except Exception as error:  # noqa: BLE001 - an endpoint that fails in an unknown way has failed, and says how
        known = isinstance(error, ServingError | SageMakerError)
        reason = str(error) if known else f"the rehearsal itself failed: {type(error).__name__}: {error}"
        _end_unchanged(endpoint, reason, update)
        return
    if changed:
        _end_changed(endpoint, fleet, update)
    else:
        _end_unchanged(endpoint, None, update)


def _roll_out(endpoint: Any, fleet: Fleet, update: _Update, plan: Plan) -> bool:
    serving = _servings.get(endpoint.arn)
    if serving is None or FAULTS.strikes(Fault.SILENT_ROLLBACK, at=endpoint.endpoint_name, times=1):
        fleet.end()
        return False
    if plan.fallback:
        text = f"the deployment configuration is not used: {plan.fallback}; all traffic moves at once, without a bake"
        TIMELINE.emit(Kind.LOG, text, Phase.INFO, source=endpoint.endpoint_name)
    rollout = Rollout(
        endpoint, serving, fleet, plan, began=update.began, current=lambda: update.generation == _generation
    )
    return rollout.run()


def _end_changed(endpoint: Any, fleet: Fleet, update: _Update) -> None:
    with LOCK:
        current = update.generation == _generation
        if current:
            _servings.setdefault(endpoint.arn, Serving(fleet))
            sagemaker_endpoint_state.serve(endpoint, fleet)
            sagemaker_endpoint_state.end_deployment(endpoint)
            enter(endpoint, "InService")
    if current:
        announce(endpoint, Phase.SUCCEEDED)
    else:
        fleet.end()


def _end_unchanged(endpoint: Any, reason: str | None, update: _Update) -> None:
    # A failed creation leaves a Failed endpoint. A failed update rolls back: the old variants go on serving, and the
    # endpoint is InService again, with its old configuration.
    if update.generation != _generation:
        return
    with LOCK:
        endpoint.failure_reason = reason
        sagemaker_endpoint_state.end_deployment(endpoint)
        enter(endpoint, "Failed" if update.plan is None else "InService")
    announce(endpoint, Phase.FAILED if reason else Phase.SUCCEEDED)


def _create_endpoint(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    endpoint = backend.create_endpoint(request["EndpointName"], request["EndpointConfigName"], request.get("Tags"))
    return {"EndpointArn": endpoint.arn}


def _describe_endpoint(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    return sagemaker_endpoint_state.described(find_endpoint(backend, request["EndpointName"]))


def _update_endpoint(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Begin to replace what an endpoint serves; the old variants serve until the new ones take over."""
    with LOCK:
        endpoint = _idle_endpoint(backend, request["EndpointName"])
        if endpoint.endpoint_status != "InService":
            refuse(f'Cannot update endpoint "{endpoint.arn}" in status {endpoint.endpoint_status}.')
        configuration = sagemaker_models.find_configuration(backend, request["EndpointConfigName"])
        deployment = request.get("DeploymentConfig")
        if deployment is None and request.get("RetainDeploymentConfig"):
            deployment = getattr(endpoint, "last_deployment_config", None)
        before = _servings[endpoint.arn].blue.configuration
        plan = sagemaker_guardrails.plan_of(deployment, before=before, after=configuration)
        sagemaker_guardrails.check_alarms(backend, configuration, plan.alarms)
        endpoint.endpoint_status, endpoint.failure_reason = "Updating", None
        endpoint.last_deployment_config = deployment
    update = _Update(configuration, _generation, plan, _retained(endpoint, request), CLOCK.seconds())
    _spawn(backend, endpoint, update)
    return {"EndpointArn": endpoint.arn}


def _retained(endpoint: Any, request: dict[str, Any]) -> dict[str, dict[str, Any]]:
    if not request.get("RetainAllVariantProperties"):
        return {}
    excluded = {one["VariantPropertyType"] for one in request.get("ExcludeRetainedVariantProperties") or ()}
    kept = [word for word in ("Weight", "InstanceCount") if f"Desired{word}" not in excluded]
    return {
        variant["VariantName"]: {
            f"{when}{word}": variant[f"Desired{word}"]
            for word in kept
            for when in ("Current", "Desired")
            if f"Desired{word}" in variant
        }
        for variant in endpoint.production_variants
    }


def _delete_endpoint(backend: Any, request: dict[str, Any]) -> None:
    backend.delete_endpoint(request["EndpointName"])


def _update_weights(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    with LOCK:
        endpoint = _idle_endpoint(backend, request["EndpointName"])
        variants = [*(endpoint.production_variants or []), *(endpoint.shadow_production_variants or [])]
        known = {variant["VariantName"]: variant for variant in variants}
        wishes = request["DesiredWeightsAndCapacities"]
        for name in (wish["VariantName"] for wish in wishes):
            if name not in known:
                refuse(
                    f'The variant name(s) "{name}" is/are not present within endpoint configuration '
                    f'"{endpoint.endpoint_config_name}".'
                )
        for wish in wishes:
            given = {word: wish.get(word) for word in ("DesiredWeight", "DesiredInstanceCount")}
            known[wish["VariantName"]] |= {word: value for word, value in given.items() if value is not None}
        enter(endpoint, "Updating")
    announce(endpoint, Phase.INFO)
    _in_thread(endpoint, _reach_desired, endpoint, list(known.values()), _generation)
    return {"EndpointArn": endpoint.arn}


def _reach_desired(endpoint: Any, variants: list[dict[str, Any]], generation: int) -> None:
    CLOCK.sleep(_WEIGHTS_SECONDS)
    with LOCK:
        if generation != _generation:
            return
        for variant in variants:
            for word in ("Weight", "InstanceCount"):
                if f"Desired{word}" in variant:
                    variant[f"Current{word}"] = variant[f"Desired{word}"]
        enter(endpoint, "InService")
    announce(endpoint, Phase.SUCCEEDED)


def _idle_endpoint(backend: Any, name: str) -> Any:
    endpoint = find_endpoint(backend, name)
    if endpoint.endpoint_status in MOVING:
        refuse(f'Cannot update in-progress endpoint "{endpoint.arn}".')
    return endpoint
