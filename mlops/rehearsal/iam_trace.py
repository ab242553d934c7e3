"""The decisions of IAM so far: who wanted what, whether that was allowed, and by which statements."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from mlops.rehearsal.timeline import TIMELINE, Kind, Phase


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision: what a role wanted, whether it may, because of what, and when."""

    role_arn: str
    action: str
    resource: str
    allowed: bool
    at: float
    reason: str = ""
    because: tuple[tuple[str, str], ...] = ()
    """The statements that allowed it, on the side of the caller and on that of the resource: (policy, Sid).

    A statement without a Sid is known by its place in its policy: "#1" is the first one.
    """

    @property
    def message(self) -> str:
        """The refusal in the words of AWS."""
        return f"User: {self.role_arn} is not authorized to perform: {self.action} on resource: {self.resource}" + (
            f" because {self.reason}" if not self.reason.startswith("with ") else f" {self.reason}"
        )


class Trace:
    """An append-only, thread-safe list of decisions; refusals are told to the timeline."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._decisions: list[Decision] = []
        self._known: set[tuple[object, ...]] = set()

    def add(self, decision: Decision) -> Decision:
        """Keep a decision."""
        with self._lock:
            self._decisions.append(decision)
        if not decision.allowed:
            TIMELINE.emit(
                Kind.IAM,
                decision.action,
                Phase.FAILED,
                role=decision.role_arn,
                action=decision.action,
                resource=decision.resource,
                reason=decision.reason,
            )
        return decision

    def add_once(self, decision: Decision) -> Decision:
        """Keep a decision unless the same was made before; a refusal is always kept."""
        known = (decision.role_arn, decision.action, decision.resource, decision.because)
        with self._lock:
            seen = decision.allowed and known in self._known
            self._known.add(known)
        return decision if seen else self.add(decision)

    def all(self) -> list[Decision]:
        """Return the decisions, in order."""
        with self._lock:
            return list(self._decisions)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._decisions.clear()
            self._known.clear()


TRACE = Trace()
"""The decisions of this process."""
