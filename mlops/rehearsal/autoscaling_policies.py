"""What a scaling policy wants: pure functions of what was measured, as Application Auto Scaling documents them.

Target tracking scales out when three minutes in a row are above the target, and in when fifteen are below nine tenths
of it; step scaling adds what its steps say while its alarm is on. Sources: "How target tracking scaling works" and "How
step scaling works", Application Auto Scaling User Guide; the numbers are those of the alarms that the service makes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

OUT_MINUTES, IN_MINUTES = 3, 15
_LOW = 0.9


def tracked(measured: Sequence[float | None], *, target: float, current: int, scale_in: bool = True) -> int | None:
    """Return how many instances target tracking wants; None where it leaves things as they are.

    Args:
        measured: The metric by the minute, the latest last; None for a minute without data.
        target: Where the metric should be.
        current: How many instances there are.
        scale_in: Whether the policy may remove instances.

    """
    high, low = measured[-OUT_MINUTES:], measured[-IN_MINUTES:]
    above = len(high) == OUT_MINUTES and all(each is not None and each > target for each in high)
    below = len(low) == IN_MINUTES and all(each is not None and each < _LOW * target for each in low)
    latest = measured[-1] if measured else None
    if latest is None or not (above or (below and scale_in)):
        return None
    # In proportion to how far the metric is off; of no instances, as of one.
    wanted = math.ceil(max(current, 1) * latest / target)
    return max(wanted, current) if above else min(wanted, current)


def stepped(configuration: Mapping[str, Any], *, excess: float, current: int) -> int | None:
    """Return how many instances step scaling wants when its metric is `excess` above the threshold of its alarm."""
    for step in configuration.get("StepAdjustments", ()):
        low, high = step.get("MetricIntervalLowerBound"), step.get("MetricIntervalUpperBound")
        if (low is None or excess >= low) and (high is None or excess < high):
            adjustment = int(step["ScalingAdjustment"])
            match configuration.get("AdjustmentType"):
                case "ExactCapacity":
                    return adjustment
                case "PercentChangeInCapacity":
                    change = math.trunc(current * adjustment / 100)
                    return current + (change or (1 if adjustment > 0 else -1))
                case _:
                    return current + adjustment
    return None
