"""How far a rehearsal has come, as its timeline tells it: the state behind the live display."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

from mlops.rehearsal.timeline import Event, Kind, Phase
from mlops.report.record import State

_STATES = {
    Phase.STARTED: State.RUNNING,
    Phase.SUCCEEDED: State.SUCCEEDED,
    Phase.FAILED: State.FAILED,
    Phase.SKIPPED: State.SKIPPED,
}
_LOG_LINES = 6


@dataclass
class Item:
    """Something that begins and ends."""

    name: str
    started: float
    state: State = State.RUNNING
    ended: float | None = None
    cause: str = ""

    def seconds(self, now: float) -> float:
        """Return how long it took, or has taken so far."""
        return max(0.0, (self.ended if self.ended is not None else now) - self.started)


@dataclass
class Run:
    """One execution of the pipeline."""

    execution: str
    stages: dict[str, dict[str, Item]] = field(default_factory=dict)


class Progress:
    """Takes the events of a timeline, from whatever thread; says what changed in one line, or nothing."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.lock = threading.RLock()
        self.steps: dict[str, Item] = {}
        self.runs: dict[str, Run] = {}
        self.states: dict[str, Item] = {}
        self.jobs: dict[str, Item] = {}
        self.notes: list[str] = []
        self.waiting: str | None = None
        self._logs: dict[str, deque[str]] = {}
        self._last_log: str | None = None

    @property
    def run(self) -> Run | None:
        """The newest execution."""
        return next(reversed(self.runs.values()), None)

    def log(self) -> tuple[str, list[str]]:
        """Return the program that wrote last, and its last lines."""
        with self.lock:
            return (self._last_log or "", list(self._logs.get(self._last_log or "", ())))

    def take(self, event: Event) -> str | None:
        """Remember an event, and return the line that tells of it."""
        with self.lock:
            if event.kind is Kind.STEP:
                return self._item(self.steps, event.name, event, event.name)
            if event.kind is Kind.ACTION:
                return self._action(event)
            if event.kind is Kind.STATE:
                return self._state(event)
            if event.kind is Kind.JOB:
                what = f"{event.detail.get('type', 'job')} {event.name}"
                return self._item(self.jobs, event.name, event, what)
            if event.kind is Kind.LOG:
                self._log(event)
                return None
            return self._note(event)

    def _action(self, event: Event) -> str | None:
        execution, stage = str(event.detail.get("execution", "")), str(event.detail.get("stage", ""))
        if execution not in self.runs:
            self.states.clear()
        run = self.runs.setdefault(execution, Run(execution))
        return self._item(run.stages.setdefault(stage, {}), event.name, event, f"{stage} / {event.name}")

    def _state(self, event: Event) -> str | None:
        machine = str(event.detail.get("machine", ""))
        place = f"{event.detail.get('execution', machine)}/{event.name}"
        return self._item(self.states, place, event, f"{machine} / {event.name}".strip(" /"))

    def _item(self, items: dict[str, Item], key: str, event: Event, what: str) -> str | None:
        state = _STATES.get(event.phase)
        if state is None:
            return None
        if state is State.RUNNING:
            items.pop(key, None)  # tried again: it moves to the end
            items[key] = Item(event.name, event.at)
            return f"{what}: started"
        item = items.setdefault(key, Item(event.name, event.at))
        item.state, item.ended = state, event.at
        item.cause = str(event.detail.get("cause") or event.detail.get("reason") or "")
        why = f": {item.cause}" if item.cause and state is State.FAILED else ""
        return f"{what}: {state} after {item.seconds(event.at):.1f} s{why}"

    def _log(self, event: Event) -> None:
        source = str(event.detail.get("source", ""))
        self._last_log = source
        self._logs.setdefault(source, deque(maxlen=_LOG_LINES)).append(event.name)

    def _note(self, event: Event) -> str | None:
        detail = event.detail
        if event.kind is Kind.APPROVAL:
            self.waiting = event.name if event.phase is Phase.STARTED else None
            word = {Phase.STARTED: "waits for an answer", Phase.SUCCEEDED: "approved"}.get(event.phase, "not approved")
            by = f" by {detail['by']}" if detail.get("by") else ""
            return f"Approval {event.name}: {word}{by}"
        if event.kind is Kind.IAM and event.phase is Phase.FAILED:
            action, resource = detail.get("action", event.name), detail.get("resource", "?")
            note = f"Denied: {action} on {resource} for {detail.get('role', '?')}"
        elif event.kind is Kind.ALARM and event.phase is Phase.FAILED:
            note = f"Alarm {event.name}: {detail.get('reason', '')}"
        elif event.kind is Kind.FAULT:
            note = f"Fault {event.name} takes effect{' at ' + str(detail['at']) if detail.get('at') else ''}"
        else:
            return None
        self.notes.append(note)
        return note
