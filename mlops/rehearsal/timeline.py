"""What happened during a rehearsal, in order: every adapter tells it here, the display and the report listen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What an event is about."""

    STEP = "step"  # of the rehearsal itself: synth, start, deploy, upload
    STAGE = "stage"  # of the pipeline
    ACTION = "action"  # of a stage; detail: stage
    STATE = "state"  # of a state machine; detail: machine, execution
    JOB = "job"  # training or processing job, endpoint; detail: type
    LAMBDA = "lambda"  # one invocation; detail: function, request_id
    LOG = "log"  # one line of a running program; detail: source
    IAM = "iam"  # one denied call; detail: role, action, resource
    FAULT = "fault"  # an injected fault took effect
    EVENT = "event"  # an event was delivered to a target
    APPROVAL = "approval"  # a manual approval waits or was given
    ALARM = "alarm"  # changed its state; detail: state, before, reason


class Phase(StrEnum):
    """Where the thing that an event is about stands."""

    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, `at` seconds after the timeline began."""

    at: float
    kind: Kind
    name: str
    phase: Phase
    detail: dict[str, Any] = field(default_factory=dict)


class Timeline:
    """An append-only, thread-safe list of events with listeners."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._events: list[Event] = []
        self._listeners: list[Callable[[Event], None]] = []

    def emit(self, kind: Kind, name: str, phase: Phase, **detail: Any) -> Event:
        """Record an event and tell every listener, in the caller's thread."""
        event = Event(time.monotonic() - self._began, kind, name, phase, detail)
        with self._lock:
            self._events.append(event)
            listeners = list(self._listeners)
        for listener in listeners:
            listener(event)
        return event

    def subscribe(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` for every later event."""
        with self._lock:
            self._listeners.append(listener)

    def silence(self) -> None:
        """Tell nobody of later events; for signal handlers, hence without the lock."""
        self._listeners = []

    def events(self, *kinds: Kind) -> list[Event]:
        """Return the events so far, only of `kinds` if any are given."""
        with self._lock:
            return [event for event in self._events if not kinds or event.kind in kinds]

    def elapsed(self) -> float:
        """Return the seconds since the timeline began."""
        return time.monotonic() - self._began

    def reset(self) -> None:
        """Forget everything and begin again at zero."""
        with self._lock:
            self._began = time.monotonic()
            self._events.clear()
            self._listeners.clear()


TIMELINE = Timeline()
"""The timeline of this process: one rehearsal runs in one process."""
