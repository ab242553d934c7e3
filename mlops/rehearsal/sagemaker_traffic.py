"""What the endpoints of the emulated SageMaker answered, and how their traffic moved: for reports and benchmarks."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import NamedTuple

from mlops.rehearsal.clock import CLOCK
from mlops.rehearsal.timeline import TIMELINE

COMPLETED = "completed"
ROLLED_BACK = "rolled back"


class Sample(NamedTuple):
    """One invocation, or one copy of it for a shadow variant.

    Attributes:
        at: when it was answered, in seconds of the timeline.
        configuration: the name of the endpoint configuration that answered.
        variant: of that configuration.
        shadow: whether it was a copy, whose answer nobody saw.
        status: what the client saw (200, 424, ...); what the container answered to a copy, 0 for no answer.
        latency_ms: from the request to the answer, inside the emulated SageMaker.

    """

    at: float
    configuration: str
    variant: str
    shadow: bool
    status: int
    latency_ms: float


class Shift(NamedTuple):
    """One step of a deployment.

    Attributes:
        at: seconds of the timeline.
        emulated: seconds of the emulated clock.
        blue: the configuration that served when the deployment began.
        green: the new configuration.
        share: the part of the traffic that goes to green from now on, 0 to 1.
        decision: "completed" or "rolled back" where that was decided here, else "".
        cause: why it was rolled back: "alarm NAME" or the timeout.

    """

    at: float
    emulated: float
    blue: str
    green: str
    share: float
    decision: str
    cause: str


class TrafficRecorder:
    """Everything that was invoked and shifted since the start, by endpoint; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._samples: dict[str, list[Sample]] = defaultdict(list)
        self._shifts: dict[str, list[Shift]] = defaultdict(list)

    def invoked(
        self, endpoint: str, configuration: str, variant: str, *, shadow: bool, status: int, latency_ms: float
    ) -> None:
        """Record one invocation."""
        # Appending to a list is atomic, and so is the look-up of one that exists.
        self._samples[endpoint].append(Sample(TIMELINE.elapsed(), configuration, variant, shadow, status, latency_ms))

    def shifted(
        self, endpoint: str, *, blue: str, green: str, share: float, decision: str = "", cause: str = ""
    ) -> Shift:
        """Record one step of a deployment."""
        shift = Shift(TIMELINE.elapsed(), CLOCK.seconds(), blue, green, share, decision, cause)
        with self._lock:
            self._shifts[endpoint].append(shift)
        return shift

    def endpoints(self) -> list[str]:
        """Return the names of the endpoints that were invoked or updated."""
        return sorted({*self._samples, *self._shifts})

    def samples(self, endpoint: str) -> list[Sample]:
        """Return the invocations of an endpoint, in the order in which they were answered."""
        return list(self._samples.get(endpoint, ()))

    def shifts(self, endpoint: str) -> list[Shift]:
        """Return the steps of the deployments of an endpoint, in order."""
        with self._lock:
            return list(self._shifts.get(endpoint, ()))

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._samples = defaultdict(list)
            self._shifts = defaultdict(list)


TRAFFIC = TrafficRecorder()
"""The traffic of this process: one emulated AWS at a time."""
