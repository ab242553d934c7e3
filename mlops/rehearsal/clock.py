"""The clock of the emulated AWS: one real second is `scale` emulated ones, so that an hour of baking is half a minute.

What waits in AWS (state machines, traffic shifts, alarms, cooldowns) waits on this clock, and what CloudWatch stamps is
stamped with it. Programs and their SDKs stay on the real clock: a request takes as long as it takes.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

DEFAULT_SCALE = 120.0


@dataclass(frozen=True, slots=True)
class _Run:
    """The clock between two resets; replaced as a whole, so that readers need no lock."""

    scale: float
    began: float = field(default_factory=time.monotonic)
    began_timestamp: float = field(default_factory=time.time)
    ended: threading.Event = field(default_factory=threading.Event)


class Clock:
    """Emulated time; begins at the real time of the last reset."""

    def __init__(self) -> None:
        self._run = _Run(DEFAULT_SCALE)

    @property
    def scale(self) -> float:
        """Emulated seconds per real second."""
        return self._run.scale

    def now(self) -> datetime:
        """Return the emulated time, in UTC."""
        return datetime.fromtimestamp(self.timestamp(), UTC)

    def timestamp(self) -> float:
        """Return the emulated time in seconds since 1970."""
        run = self._run
        return run.began_timestamp + (time.monotonic() - run.began) * run.scale

    def seconds(self) -> float:
        """Return the emulated seconds since the last reset."""
        run = self._run
        return (time.monotonic() - run.began) * run.scale

    def sleep(self, seconds: float) -> bool:
        """Wait for emulated seconds; False if the clock was stopped before they had passed."""
        run = self._run
        return not run.ended.wait(max(seconds, 0.0) / run.scale)

    def stop(self) -> None:
        """Wake everything that sleeps; until the next reset nothing sleeps any more."""
        self._run.ended.set()

    def reset(self, scale: float = DEFAULT_SCALE) -> None:
        """Begin again at the real time, with `scale` emulated seconds per real second; whatever sleeps wakes up.

        Raises:
            ValueError: the scale is no positive number.

        """
        if not (math.isfinite(scale) and scale > 0):
            msg = f"the time scale must be a positive number of emulated seconds per real second, got {scale}"
            raise ValueError(msg)
        run, self._run = self._run, _Run(float(scale))
        run.ended.set()


CLOCK = Clock()
"""The clock of this process: one emulated AWS at a time."""
