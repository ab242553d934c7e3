"""What a report shows of a load: requests by version, failures, latency, and what was decided meanwhile."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from mlops.rehearsal.clock import CLOCK
from mlops.rehearsal.load import Request
from mlops.rehearsal.load_tally import Versions, percentile, tally
from mlops.rehearsal.sagemaker_traffic import COMPLETED, ROLLED_BACK, TRAFFIC, Sample, Shift
from mlops.rehearsal.timeline import TIMELINE, Event, Kind, Phase
from mlops.report.traffic import Moment, Mood, Series, Traffic
from mlops_constructs.settings.serving import VARIANT

_AROUND_SECONDS = 6.0
"""How much is shown before the first moment and after the last."""
_INTERVALS = 120
"""How many intervals a picture has at most."""
_INTERVAL_SECONDS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
_NAME = re.compile(r"-(?P<version>v\d+)-[0-9a-f]+(?P<candidate>-c)?$")
_ENDS = {"Promoted": Mood.GOOD, "TrialLost": Mood.BAD, "PreviewFailed": Mood.BAD, "ChallengerFailed": Mood.BAD}
"""The states by which a trial ends."""
ItemT = TypeVar("ItemT")


@dataclass(frozen=True)
class _Span:
    """The seconds of the timeline that are shown, cut into intervals."""

    began: float
    interval: float
    intervals: int

    def columns(self, items: Iterable[ItemT], at: Callable[[ItemT], float]) -> list[list[ItemT]]:
        """Return the items of each interval; those outside of the span are left out."""
        found: list[list[ItemT]] = [[] for _ in range(self.intervals)]
        for item in items:
            number = math.floor((at(item) - self.began) / self.interval)
            if 0 <= number < self.intervals:
                found[number].append(item)
        return found


def version_of(configuration: str, variant: str, champion: str) -> str:
    """Return the version ("v2") that a variant of an endpoint configuration serves, by the names of the serving stack.

    `champion` is that of the variant `live` beside a candidate.
    """
    match = _NAME.search(configuration)
    if match is None:
        return configuration
    return champion if match["candidate"] and variant == VARIANT else match["version"]


def traffic_of(endpoint: str, requests: Sequence[Request], versions: Versions, *, rate: float) -> Traffic:
    """Return the record of the `requests` to `endpoint`, drawn from shortly before the first moment.

    The part of each version is what the endpoint itself counted, labelled rows of the bake included; the rest is what
    the client saw.

    Raises:
        ValueError: there were no requests.

    """
    if not requests:
        msg = f"no request to {endpoint} ended, so there is nothing to report"
        raise ValueError(msg)
    first, last = min(one.due for one in requests), max(one.ended for one in requests)
    samples = [sample for sample in TRAFFIC.samples(endpoint) if first <= sample.at <= last]
    champion = _champion(samples)
    shifts = [shift for shift in TRAFFIC.shifts(endpoint) if first <= shift.at <= last]
    moments = _moments(endpoint, shifts, champion, first, last)
    span = _span(first, last, moments)
    ended = span.columns(requests, lambda one: one.ended)
    waited = [[one.milliseconds for one in column] for column in ended]
    counted = tally(requests, versions)
    return Traffic(
        endpoint=endpoint,
        rate=rate,
        scale=CLOCK.scale,
        began=span.began,
        interval=span.interval,
        versions=tuple(_series(samples, span, champion)),
        failed=tuple(sum(one.failed for request in column for one in request.attempts) for column in ended),
        lost=tuple(sum(one.answer is None for one in column) for column in ended),
        wrong=tuple(sum(versions.wrong(one) for one in column) for column in ended),
        p50_ms=tuple(_percentile(column, 0.5) for column in waited),
        p99_ms=tuple(_percentile(column, 0.99) for column in waited),
        moments=tuple(_timed(moments)),
        sent=counted.sent,
        requests_lost=counted.lost,
        requests_wrong=counted.wrong,
        requests_retried=counted.retried,
        attempts_failed=counted.failed_attempts,
        overall_p50_ms=counted.p50_ms,
        overall_p99_ms=counted.p99_ms,
        detection_minutes=_detection_minutes(samples, shifts, champion),
    )


def _span(first: float, last: float, moments: Sequence[Moment]) -> _Span:
    """Return the seconds around the moments; all of them where nothing happened."""
    began = max(first, moments[0].at - _AROUND_SECONDS) if moments else first
    ended = min(last, moments[-1].at + _AROUND_SECONDS) if moments else last
    interval = next(
        (one for one in _INTERVAL_SECONDS if (ended - began) / one <= _INTERVALS), (ended - began) / _INTERVALS
    )
    return _Span(began, interval, max(1, math.ceil((ended - began) / interval)))


def _champion(samples: Sequence[Sample]) -> str:
    """Return the version that served first."""
    return version_of(samples[0].configuration, samples[0].variant, "v?") if samples else ""


def _series(samples: Sequence[Sample], span: _Span, champion: str) -> Iterator[Series]:
    kinds = dict.fromkeys((version_of(one.configuration, one.variant, champion), one.shadow) for one in samples)
    for name, shadow in kinds:
        mine = [
            one
            for one in samples
            if one.shadow == shadow and version_of(one.configuration, one.variant, champion) == name
        ]
        columns = span.columns(mine, lambda one: one.at)
        yield Series(name=name, shadow=shadow, requests=tuple(len(column) for column in columns))


def _percentile(values: Sequence[float], share: float) -> float | None:
    return round(percentile(values, share), 2) if values else None


def _detection_minutes(samples: Sequence[Sample], shifts: Sequence[Shift], champion: str) -> float | None:
    """Return how long a new version was in that does not serve any more, in emulated minutes.

    Where its traffic was brought back, from its first traffic until then; otherwise, from its first to its last answer.
    """
    back = next((shift for shift in shifts if shift.decision == ROLLED_BACK), None)
    if back is not None:
        first = next(shift for shift in shifts if shift.green == back.green)
        return round((back.emulated - first.emulated) / 60, 1)
    answered = [one for one in samples if not one.shadow]
    new = [one for one in answered if version_of(one.configuration, one.variant, champion) != champion]
    if not new or answered[-1] is new[-1]:
        return None
    return round((new[-1].at - new[0].at) * CLOCK.scale / 60, 1)


def _moments(endpoint: str, shifts: Sequence[Shift], champion: str, first: float, last: float) -> list[Moment]:
    """Return the shifts of traffic, and what else happened between two seconds, from shortly before the shifts."""
    since = max(first, shifts[0].at - _AROUND_SECONDS) if shifts else first
    others = [one for one in (*_alarms(endpoint), *_trials(endpoint)) if since <= one.at <= last]
    return sorted([*(_shifted(shift, champion) for shift in shifts), *others], key=lambda moment: moment.at)


def _timed(moments: Sequence[Moment]) -> Iterator[Moment]:
    """Yield `moments` with the emulated minutes since the first of them."""
    for moment in moments:
        minutes = (moment.at - moments[0].at) * CLOCK.scale / 60
        yield moment.model_copy(update={"emulated_minutes": round(minutes, 1)})


def _shifted(shift: Shift, champion: str) -> Moment:
    new, old = (version_of(name, VARIANT, champion) for name in (shift.green, shift.blue))
    what = new if new != old else f"{new} in another configuration"
    beside = _NAME.search(shift.green)
    if beside and beside["candidate"]:
        what = f"{new} with {beside['version']} beside it"
    if shift.decision == ROLLED_BACK:
        return Moment(at=shift.at, what=f"rolled back to {old}: {shift.cause}", mood=Mood.BAD)
    if shift.decision == COMPLETED:
        return Moment(at=shift.at, what=f"{what} serves alone", mood=Mood.GOOD)
    part = "all" if shift.share >= 1 else f"{100 * shift.share:g} %"
    return Moment(at=shift.at, what=f"{what} gets {part} of the traffic")


def _alarms(endpoint: str) -> Iterator[Moment]:
    for event in TIMELINE.events(Kind.ALARM):
        if event.name.startswith(f"{endpoint}-") and event.phase is Phase.FAILED:
            yield Moment(at=event.at, what=f"alarm {event.name} goes off", mood=Mood.ALARM)


def _trials(endpoint: str) -> Iterator[Moment]:
    model = endpoint.rpartition("-")[0]
    for event in TIMELINE.events(Kind.STATE):
        mood = _ENDS.get(event.name)
        if mood is not None and event.phase is not Phase.STARTED and _is_trial(event, model):
            yield Moment(at=event.at, what=f"the trial ends: {event.name}", mood=mood)


def _is_trial(event: Event, model: str) -> bool:
    return str(event.detail.get("machine", "")).startswith(f"{model}-")
