"""The faults that a rehearsal can inject: what production does sooner or later."""

from __future__ import annotations

import threading
from enum import StrEnum

from mlops.rehearsal.timeline import TIMELINE, Kind, Phase


class Fault(StrEnum):
    """A fault by the name that `--fault` takes."""

    TRAINING_FAILURE = "training-failure"
    """The training program exits with 1 and writes a failure file: a container of the project gets garbled data."""
    THROTTLING = "throttling"
    """The first two calls of every SageMaker Create API answer ThrottlingException."""
    CAPACITY_ERROR = "capacity-error"
    """The first instance type of the training job has no capacity."""
    LAMBDA_CRASH = "lambda-crash"
    """The process of the quality gate's function dies during every invocation."""
    DUPLICATE_EVENT = "duplicate-event"
    """The S3 event of the data upload is delivered twice."""
    BLANK_LABEL = "blank-label"
    """One row of the uploaded data has no label."""
    WORSE_CHALLENGER = "worse-challenger"
    """The uploaded data has shuffled labels in part, so the new model is worse than the champion."""
    WRONG_ANSWERS = "wrong-answers"
    """The first update of an endpoint leaves one that answers 1 - p instead of p."""
    SILENT_ROLLBACK = "silent-rollback"
    """The first update of an endpoint ends InService with the old configuration and no failure reason."""
    IMAGE_BUILD_FAILURE = "image-build-failure"
    """The command that builds the container image fails."""
    CRITICAL_FINDING = "critical-finding"
    """The scan of the image finds a critical vulnerability."""
    SERVE_UNHEALTHY = "serve-unhealthy"
    """The serving container never answers /ping with 200, in a transform job or behind an endpoint."""
    SERVE_DIES = "serve-dies"
    """The serving process of the first endpoint that is invoked is killed."""
    CANARY_ERRORS = "canary-errors"
    """The new version answers every third request with 500 as soon as a part of the traffic moves to it."""
    CANARY_SLOW = "canary-slow"
    """The new version takes two seconds longer as soon as a part of the traffic moves to it."""
    CANARY_WRONG = "canary-wrong"
    """The new version answers 1 - p instead of p as soon as a part of the traffic moves to it."""
    CANARY_DIES = "canary-dies"
    """The new version's serving process is killed at the 20th request of the traffic that moves to it."""


CANARY_FAULTS = (Fault.CANARY_ERRORS, Fault.CANARY_SLOW, Fault.CANARY_WRONG, Fault.CANARY_DIES)
"""They strike deployments that move the traffic in steps, never one that moves all of it at once."""


class FaultPlan:
    """The faults that are switched on, and how often each one took effect."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: Fault | None = None
        self._uses: dict[str, int] = {}

    def activate(self, fault: Fault | None) -> None:
        """Switch `fault` on (None: all off) and forget the counts."""
        with self._lock:
            self._active = fault
            self._uses.clear()

    def strikes(self, fault: Fault, *, at: str, times: int | None = None) -> bool:
        """Whether `fault` takes effect now; at most `times` times for each place `at`."""
        with self._lock:
            if self._active is not fault:
                return False
            used = self._uses.get(at, 0)
            if times is not None and used >= times:
                return False
            self._uses[at] = used + 1
        TIMELINE.emit(Kind.FAULT, fault, Phase.INFO, at=at)
        return True


FAULTS = FaultPlan()
"""The fault plan of this process."""
