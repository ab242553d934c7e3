"""Times in requests to CloudWatch: programs stay on the real clock, metrics are on the emulated one.

A program that asks for the last ten minutes means ten minutes before its own now. A time in a request is therefore
taken to be of that clock whose now it is nearer to, and moved by what lies between the two. What a program stored hours
of emulated time ago is on neither.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from mlops.rehearsal.clock import CLOCK


def shift(moment: datetime) -> timedelta:
    """Return by how much to move a time of a request, to have it on the emulated clock."""
    real, emulated = datetime.now(UTC), CLOCK.now()
    return emulated - real if abs(moment - real) <= abs(moment - emulated) else timedelta(0)


def shift_of_range(end: datetime) -> timedelta:
    """Return by how many whole minutes to move a range of times that ends at `end`; its end is never cut off."""
    return timedelta(minutes=math.ceil(shift(end) / timedelta(minutes=1)))


def aware(moment: datetime) -> datetime:
    """Return a time of a request with its zone; without one it is UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def on_the_clock(moment: datetime) -> datetime:
    """Return a time of a request on the emulated clock."""
    moment = aware(moment)
    return moment + shift(moment)
