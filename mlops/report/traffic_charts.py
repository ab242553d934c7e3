"""The picture of a rollout: traffic by version, failures and latency on one time line, with the decisions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from markupsafe import Markup

from mlops.report.svg import Axis, Drawing, short
from mlops.report.traffic import Moment, Mood, Traffic

_WIDE, _NARROW = 1040.0, 400.0
_LEFT, _RIGHT, _TOP, _MARK = 52.0, 12.0, 52.0, 12.0
_HIGH, _FLAT, _GAP, _BOTTOM = 190.0, 84.0, 40.0, 36.0
_FILLS = ("old", "new", "third")
_MARK_ROOM = 28.0
"""Units that the label of a moment needs beside its neighbour."""


def wide(traffic: Traffic) -> Markup:
    """Draw it for a screen."""
    return _draw(traffic, _WIDE, "wide")


def narrow(traffic: Traffic) -> Markup:
    """Draw it for a telephone."""
    return _draw(traffic, _NARROW, "narrow")


def _draw(traffic: Traffic, width: float, kind: str) -> Markup:
    if not traffic.intervals:
        return Markup("")
    height = _TOP + _HIGH + 2 * (_GAP + _FLAT) + _BOTTOM
    drawing = Drawing(width, height, _words(traffic), kind=f"rollout {kind}")
    x = Axis([traffic.began, traffic.ended], _LEFT, width - _RIGHT)
    first, second = _TOP + _HIGH, _TOP + _HIGH + _GAP + _FLAT
    third = second + _GAP + _FLAT
    _versions(drawing, traffic, x, top=_TOP, bottom=first)
    _failures(drawing, traffic, x, top=second - _FLAT, bottom=second)
    _latency(drawing, traffic, x, top=third - _FLAT, bottom=third)
    for tick in x.ticks(8 if kind == "wide" else 4):
        drawing.add("text", short(tick), x=x(tick), y=third + 15, class_="small", text_anchor="middle")
    drawing.add("text", "seconds of the run", x=x(x.high), y=third + 30, class_="small", text_anchor="end")
    _moments(drawing, traffic, x, bottom=third)
    return drawing.markup()


def _words(traffic: Traffic) -> str:
    totals = ", ".join(f"{one.name} {sum(one.requests):,}" for one in traffic.versions)
    return (
        f"Requests to {traffic.endpoint} by version: {totals}; {traffic.requests_lost} of {traffic.sent:,} lost, "
        f"{traffic.requests_wrong} wrong; {len(traffic.moments)} moments"
    )


def _versions(drawing: Drawing, traffic: Traffic, x: Axis, *, top: float, bottom: float) -> None:
    """Draw the requests per second, one version upon the other; copies for a shadow are a line of their own."""
    stacked = [one for one in traffic.versions if not one.shadow]
    per_second = [[count / traffic.interval for count in one.requests] for one in stacked]
    sums = [sum(column) for column in zip(*per_second, strict=True)]
    copies = [count / traffic.interval for one in traffic.versions if one.shadow for count in one.requests]
    y = Axis([0.0, *sums, *copies, traffic.rate], bottom, top)
    _panel(drawing, x, y, "requests per second")
    below = [0.0] * traffic.intervals
    for at, values in enumerate(per_second):
        above = [low + value for low, value in zip(below, values, strict=True)]
        upper, lower = _stairs(traffic, above, x, y), _stairs(traffic, below, x, y)
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in [*upper, *reversed(lower)])
        drawing.add("polygon", points=points, class_=f"share {_FILLS[min(at, 2)]}")
        below = above
    for one in traffic.versions:
        if one.shadow:
            values = [count / traffic.interval for count in one.requests]
            drawing.line(_stairs(traffic, values, x, y), "series second")


def _failures(drawing: Drawing, traffic: Traffic, x: Axis, *, top: float, bottom: float) -> None:
    worst = max(a + b for a, b in zip(traffic.failed, traffic.wrong, strict=True)) / traffic.interval
    y = Axis([0.0, max(1.0, worst)], bottom, top)
    _panel(drawing, x, y, "failed tries, wrong answers per second")
    slot = x(traffic.began + traffic.interval) - x(traffic.began)
    for at, (failed, wrong) in enumerate(zip(traffic.failed, traffic.wrong, strict=True)):
        left, base = x(traffic.began + at * traffic.interval), bottom
        for count, kind, what in ((failed, "bad", "tries failed"), (wrong, "wrong", "answers were wrong")):
            if count:
                tall = bottom - y(count / traffic.interval)
                tip = f"{count} {what} at {short(traffic.began + at * traffic.interval)} s"
                base -= tall
                drawing.add("rect", tip=tip, x=left, y=base, width=max(1.0, slot - 0.5), height=tall, class_=kind)
    if not any(traffic.failed) and not any(traffic.wrong):
        drawing.add("text", "none", x=x(x.low) + 8, y=bottom - 8, class_="small")


def _latency(drawing: Drawing, traffic: Traffic, x: Axis, *, top: float, bottom: float) -> None:
    known = [value for value in (*traffic.p50_ms, *traffic.p99_ms) if value is not None]
    y = Axis([0.0, *known], bottom, top)
    _panel(drawing, x, y, "milliseconds that a client waited")
    for values, class_ in ((traffic.p99_ms, "series third"), (traffic.p50_ms, "series first")):
        for run in _runs(values):
            middle = [(x(traffic.began + (at + 0.5) * traffic.interval), y(value)) for at, value in run]
            drawing.line(middle, class_)


def _moments(drawing: Drawing, traffic: Traffic, x: Axis, *, bottom: float) -> None:
    """Mark each moment by the number that it has in the list; those that would touch share a label."""
    groups: list[list[tuple[int, float, Moment]]] = []
    for number, moment in enumerate(traffic.moments, start=1):
        place = min(max(x(moment.at), x(x.low)), x(x.high))
        if not groups or place - groups[-1][-1][1] > _MARK_ROOM:
            groups.append([])
        groups[-1].append((number, place, moment))
    for group in groups:
        for _, place, moment in group:
            drawing.add("line", x1=place, x2=place, y1=_MARK + 9, y2=bottom, class_=f"moment {moment.mood}")
        numbers = [number for number, _, _ in group]
        label = f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]}\u2013{numbers[-1]}"
        middle, half = (group[0][1] + group[-1][1]) / 2, 9.0 if len(numbers) == 1 else 17.0
        moods = [moment.mood for _, _, moment in group]
        mood = next(mood for mood in (Mood.BAD, Mood.ALARM, Mood.GOOD, Mood.STEP) if mood in moods)
        drawing.add(
            "rect",
            tip="; ".join(moment.what for _, _, moment in group),
            x=middle - half,
            y=_MARK - 9,
            width=2 * half,
            height=18,
            rx=9,
            class_=f"moment {mood}",
        )
        drawing.add("text", label, x=middle, y=_MARK + 4, class_="count", text_anchor="middle")


def _panel(drawing: Drawing, x: Axis, y: Axis, title: str) -> None:
    for tick in y.ticks(3):
        drawing.add("line", x1=x(x.low), x2=x(x.high), y1=y(tick), y2=y(tick), class_="grid")
        drawing.add("text", short(tick), x=x(x.low) - 8, y=y(tick) + 4, class_="small", text_anchor="end")
    drawing.add("line", x1=x(x.low), x2=x(x.high), y1=y(y.low), y2=y(y.low), class_="axis")
    drawing.add("text", title, x=x(x.low), y=y(y.high) - 8, class_="small")


def _stairs(traffic: Traffic, values: Sequence[float], x: Axis, y: Axis) -> list[tuple[float, float]]:
    edges = [traffic.began + at * traffic.interval for at in range(traffic.intervals + 1)]
    return [(x(edge), y(value)) for pair, value in zip(pairwise(edges), values, strict=True) for edge in pair]


def _runs(values: Iterable[float | None]) -> list[list[tuple[int, float]]]:
    """Return the stretches of `values` without a gap, each value with its position."""
    runs: list[list[tuple[int, float]]] = [[]]
    for at, value in enumerate(values):
        if value is not None:
            runs[-1].append((at, value))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]
