"""Traffic that never was: a canary that fails, is noticed and goes."""

from __future__ import annotations

from typing import Any

from mlops.report.traffic import Moment, Mood, Series, Traffic

INTERVALS = 80


def canary_that_fails(**changes: Any) -> Traffic:
    new = tuple(50 * (20 <= at < 36) * 2 // 10 for at in range(INTERVALS))
    failed = tuple(count // 3 for count in new)
    traffic: dict[str, Any] = {
        "endpoint": "mlops-churn-prod",
        "rate": 200.0,
        "scale": 120.0,
        "began": 61.5,
        "interval": 0.25,
        "versions": (
            Series(name="v1", requests=tuple(50 - count for count in new)),
            Series(name="v2", requests=new),
        ),
        "failed": failed,
        "lost": tuple(0 for _ in failed),
        "wrong": tuple(1 if at == 30 else 0 for at in range(INTERVALS)),
        "p50_ms": tuple(None if at == 50 else 3.0 + at % 3 / 4 for at in range(INTERVALS)),
        "p99_ms": tuple(None if at == 50 else 8.0 + (30.0 if 20 <= at < 36 else at % 5) for at in range(INTERVALS)),
        "moments": (
            Moment(at=66.5, what="v2 gets 20 % of the traffic", emulated_minutes=10.0),
            Moment(at=66.9, what="Execute began", emulated_minutes=10.8),
            Moment(at=70.5, what="alarm mlops-churn-prod-model-errors", mood=Mood.ALARM, emulated_minutes=18.0),
            Moment(at=70.6, what="rolled back", mood=Mood.BAD, emulated_minutes=18.2),
        ),
        "sent": 50 * INTERVALS,
        "requests_lost": 0,
        "requests_wrong": 1,
        "requests_retried": sum(failed),
        "attempts_failed": sum(failed),
        "overall_p50_ms": 3.4,
        "overall_p99_ms": 38.0,
        "detection_minutes": 8.2,
    }
    return Traffic(**(traffic | changes))
