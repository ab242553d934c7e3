"""The traffic of an endpoint while a version replaced another, as the report shows it.

Times are seconds of the run, as everywhere in a record; what waits in AWS is told in emulated minutes.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import model_validator

from mlops.report.documents import Part


class Mood(StrEnum):
    """How a moment is meant."""

    STEP = "step"
    ALARM = "alarm"
    GOOD = "good"
    BAD = "bad"


class Moment(Part):
    """Something that happened or was decided, at a second of the run."""

    at: float
    what: str
    mood: Mood = Mood.STEP
    emulated_minutes: float = 0.0
    """Since the first moment."""


class Series(Part):
    """Requests of one version in each interval; those of a shadow are copies."""

    name: str
    requests: tuple[int, ...]
    shadow: bool = False


class Traffic(Part):
    """The requests to one endpoint, interval by interval around what was decided, and all of them in numbers.

    `failed` counts tries without a good answer, `lost` requests that got none in the end, `wrong` answers that no
    version gives. An interval without an answer has no latency.
    """

    endpoint: str
    rate: float
    scale: float
    """Emulated seconds per second."""
    began: float
    interval: float
    versions: tuple[Series, ...]
    failed: tuple[int, ...]
    lost: tuple[int, ...]
    wrong: tuple[int, ...]
    p50_ms: tuple[float | None, ...]
    p99_ms: tuple[float | None, ...]
    moments: tuple[Moment, ...] = ()
    sent: int
    requests_lost: int
    requests_wrong: int
    requests_retried: int
    attempts_failed: int
    overall_p50_ms: float | None = None
    overall_p99_ms: float | None = None
    detection_minutes: float | None = None
    """Emulated, from the first request to the new version until it was out again; None where it stayed."""

    @model_validator(mode="after")
    def _check_lengths(self) -> Traffic:
        columns = [self.failed, self.lost, self.wrong, self.p50_ms, self.p99_ms]
        lengths = {len(one) for one in columns} | {len(series.requests) for series in self.versions}
        if len(lengths) > 1:
            msg = f"every column of a traffic record has a value for each interval, got lengths {sorted(lengths)}"
            raise ValueError(msg)
        return self

    @property
    def intervals(self) -> int:
        """How many there are."""
        return len(self.failed)

    @property
    def ended(self) -> float:
        """Second of the run at which the last interval ends."""
        return self.began + self.intervals * self.interval
