"""Fleets of the emulated SageMaker: the processes that serve an endpoint configuration, and how traffic finds them.

During a deployment an endpoint has two: blue, which served before, and green. Both answer, and neither ends before
its last request has been answered.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol

from mlops.rehearsal import sagemaker_api, sagemaker_models
from mlops.rehearsal.faults import FAULTS, Fault
from mlops.rehearsal.sagemaker_observed import LogStream
from mlops.rehearsal.sagemaker_serving import Answer, Container, ModelServer

DRAIN_SECONDS = 60.0
"""How long a fleet waits for its requests at most: as long as a container may take for one."""
_SHADOW_THREADS = 4


class Server(Protocol):
    """What serves one variant: the process of a model, or whatever stands for it."""

    log: LogStream
    variant: str

    @property
    def container(self) -> Container:
        """The model's (first) container."""
        ...

    @property
    def port(self) -> int:
        """Where the container listens."""
        ...

    def start(self) -> None:
        """Begin to serve, or raise ServingError."""

    def abort(self) -> None:
        """Give up a start that has not ended."""

    def end(self) -> None:
        """Stop serving."""

    def kill(self) -> None:
        """Let the program die."""

    def invoke(self, body: bytes, headers: dict[str, str]) -> Answer:
        """Send one request to the container, or raise NoAnswerError."""
        ...


ServerFactory = Callable[[Any, dict[str, Any], LogStream, str], Server | None]
"""Takes moto's backend, the variant of the configuration, its log and its title; None where it is not for it."""
FACTORIES: list[ServerFactory] = []
"""Who serves variants that are not one container of one model; the first that returns a server is taken."""


@dataclass(eq=False)
class Fleet:
    """What serves one endpoint configuration."""

    endpoint_name: str
    backend: Any
    """moto's, for account and region."""
    configuration: Any
    """moto's endpoint configuration."""
    servers: dict[str, Server] = field(default_factory=dict)
    """By the name of their variant, shadow variants included."""
    production: list[dict[str, Any]] = field(default_factory=list)
    """The production variants as DescribeEndpoint shows them; their CurrentWeight decides about traffic."""
    shadows: list[dict[str, Any]] = field(default_factory=list)
    """The shadow variant as DescribeEndpoint shows it, if there is one."""
    wrong: bool = False
    """Whether the fault wrong-answers turns every probability around."""
    fault: Fault | None = None
    """The canary fault that struck this fleet."""
    numbers: count[int] = field(default_factory=lambda: count(1))
    """Numbers the requests since the fault struck."""

    def __post_init__(self) -> None:
        """Begin without requests."""
        self._idle = threading.Condition()
        self._under_way = 0
        self._copies: ThreadPoolExecutor | None = None

    @property
    def name(self) -> str:
        """The name of the endpoint configuration."""
        return str(self.configuration.endpoint_config_name)

    def enter(self) -> None:
        """Count a request that begins."""
        with self._idle:
            self._under_way += 1

    def leave(self) -> None:
        """Count a request that has been answered."""
        with self._idle:
            self._under_way -= 1
            if self._under_way == 0:
                self._idle.notify_all()

    def copy(self, function: Callable[[], None]) -> None:
        """Call `function`, which asks the shadow variant, without keeping anybody waiting."""

        def called() -> None:
            try:
                function()
            finally:
                self.leave()

        self.enter()
        with self._idle:
            if self._copies is None:
                self._copies = ThreadPoolExecutor(_SHADOW_THREADS, thread_name_prefix=f"shadow-{self.name}")
        try:
            self._copies.submit(called)
        except RuntimeError:  # the endpoint is being deleted: nobody will look at copies any more
            self.leave()

    def choose(self, target: str | None) -> Server | None:
        """Return the server of the variant `target`, or one by the weights; None where there is none."""
        if target is not None:
            known = any(variant["VariantName"] == target for variant in self.production)
            return self.servers[target] if known else None
        if len(self.production) == 1:
            variant = self.production[0]
            return self.servers[variant["VariantName"]] if variant["CurrentWeight"] > 0 else None
        weights = [float(variant["CurrentWeight"]) for variant in self.production]
        if not any(weights):
            return None
        drawn = random.choices(self.production, weights)[0]  # noqa: S311 - no secret depends on it
        return self.servers[drawn["VariantName"]]

    def shadow(self) -> Server | None:
        """Return the server of the shadow variant if this request is one of those that it gets a copy of.

        The part of the requests is the weight of the shadow variant in relation to that of the production variant.
        """
        for variant in self.shadows:
            of_production = float(self.production[0]["CurrentWeight"]) or 1.0
            if random.random() < float(variant["CurrentWeight"]) / of_production:  # noqa: S311 - a sample
                return self.servers[variant["VariantName"]]
        return None

    def summary(self, variant: str) -> dict[str, Any]:
        """Return what DescribeEndpoint shows of a variant."""
        return next(one for one in (*self.production, *self.shadows) if one["VariantName"] == variant)

    def drain(self) -> None:
        """Wait until every request has been answered."""
        deadline = time.monotonic() + DRAIN_SECONDS
        with self._idle:
            while self._under_way > 0 and (left := deadline - time.monotonic()) > 0:
                self._idle.wait(left)

    def end(self) -> None:
        """End every process."""
        if self._copies is not None:
            self._copies.shutdown(wait=False, cancel_futures=True)
        for server in self.servers.values():
            server.end()


class Serving:
    """Where the traffic of one endpoint goes: to the blue fleet and, during a deployment, in part to the green one."""

    def __init__(self, blue: Fleet) -> None:
        self.blue = blue
        self.green: Fleet | None = None
        self._share = 0.0
        self._lock = threading.Lock()

    def enter(self, target: str | None) -> Fleet:
        """Return the fleet for a request, which has to leave it when it has been answered."""
        with self._lock:
            fleet = self.blue
            if self.green is not None:
                drawn = self._share > 0 and random.random() < self._share  # noqa: S311 - no secret depends on it
                fleet = self.green if drawn else self.blue
                if target is not None and target not in fleet.servers:
                    fleet = self.blue if drawn else self.green
            fleet.enter()
            return fleet

    def begin(self, green: Fleet) -> None:
        """Let a second fleet stand by, without traffic."""
        with self._lock:
            self.green, self._share = green, 0.0

    def shift(self, share: float) -> None:
        """Send the part `share` of the traffic, 0 to 1, to the green fleet from now on."""
        with self._lock:
            self._share = share

    def settle(self, *, on_green: bool) -> None:
        """Send everything to one fleet, and end the other when its last request has been answered."""
        with self._lock:
            if self.green is None:
                return
            kept, ended = (self.green, self.blue) if on_green else (self.blue, self.green)
            self.blue, self.green, self._share = kept, None, 0.0
        ended.drain()
        ended.end()

    def end(self) -> None:
        """End both fleets at once."""
        with self._lock:
            fleets = [fleet for fleet in (self.blue, self.green) if fleet is not None]
        for fleet in fleets:
            fleet.end()


_lock = threading.Lock()
_starting: set[Server] = set()


def launch(backend: Any, endpoint_name: str, configuration: Any, *, retained: dict[str, dict[str, Any]]) -> Fleet:
    """Start the processes of a configuration and return them as a fleet when all of them are healthy.

    `retained` has weights and instance counts, by variant, that take the place of those of the configuration.

    Raises:
        ServingError: one of them cannot serve.
        SageMakerError: a model is gone, or is none that the rehearsal serves.

    """
    fleet = Fleet(endpoint_name, backend, configuration)
    fleet.wrong = FAULTS.strikes(Fault.WRONG_ANSWERS, at=endpoint_name, times=1)
    try:
        for variant in configuration.production_variants:
            server = _started(fleet, variant, f"production variant {variant['VariantName']}")
            summary = summarize(variant, server.container.image)
            fleet.production.append(summary | retained.get(variant["VariantName"], {}))
        for variant in shadows_of(configuration):
            server = _started(fleet, variant, f"shadow variant {variant['VariantName']}")
            fleet.shadows.append(summarize(variant, server.container.image))
    except Exception:
        fleet.end()
        raise
    return fleet


def shadows_of(configuration: Any) -> list[dict[str, Any]]:
    """Return the shadow variants of an endpoint configuration."""
    return list(getattr(configuration, "shadow_production_variants", None) or [])


def abort_starting() -> None:
    """Give up every start that has not ended."""
    with _lock:
        for server in _starting:
            server.abort()


def _started(fleet: Fleet, variant: dict[str, Any], title: str) -> Server:
    name = variant["VariantName"]
    group, stream = f"/aws/sagemaker/Endpoints/{fleet.endpoint_name}", f"{name}/i-{time.time_ns():x}"
    log = LogStream(fleet.backend, group, stream, source=fleet.endpoint_name)
    made = (factory(fleet.backend, variant, log, title) for factory in FACTORIES)
    server = next((one for one in made if one is not None), None)
    if server is None:
        container = sagemaker_models.container_of(fleet.backend, variant["ModelName"])
        server = ModelServer(fleet.backend, container, log, title, variant=name)
    fleet.servers[name] = server
    with _lock:
        _starting.add(server)
    try:
        server.start()
    finally:
        with _lock:
            _starting.discard(server)
    return server


def summarize(variant: dict[str, Any], image: str) -> dict[str, Any]:
    """Return what DescribeEndpoint shows of a variant that serves as its configuration says."""
    weight = float(variant.get("InitialVariantWeight", 1.0))
    deployed = {"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": sagemaker_api.now()}
    summary = {
        "VariantName": variant["VariantName"],
        "DeployedImages": [deployed],
        "CurrentWeight": weight,
        "DesiredWeight": weight,
    }
    if variant.get("ServerlessConfig"):
        serverless = variant["ServerlessConfig"]
        return summary | {"CurrentServerlessConfig": serverless, "DesiredServerlessConfig": serverless}
    instances = int(variant.get("InitialInstanceCount", 1))
    return summary | {"CurrentInstanceCount": instances, "DesiredInstanceCount": instances}
