"""The charts of the report."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from mlops.report.documents import Histogram, Metric, Roc
from mlops.report.record import LearningCurve
from mlops.report.svg import Axis, Drawing, short

_WIDTH, _LEFT, _RIGHT = 360.0, 44.0, 10.0


def learning_curve(curve: LearningCurve) -> Markup:
    """Draw the metric round by round, one line for each data set."""
    height, top, bottom = 230.0, 28.0, 34.0
    values = [value for series in curve.series.values() for value in series]
    rounds = max((len(series) for series in curve.series.values()), default=0)
    if rounds == 0:
        return Markup("")
    last = {name: short(series[-1]) for name, series in curve.series.items() if series}
    drawing = Drawing(_WIDTH, height, f"{curve.metric} over {rounds} rounds; at the end {_pairs(last)}", kind="chart")
    x = Axis([1, max(2, rounds)], _LEFT, _WIDTH - _RIGHT)
    y = Axis(values, height - bottom, top, padding=0.06)
    _grid(drawing, x, y, bottom=height - bottom, x_label="round", y_label=curve.metric)
    if curve.best_round is not None:
        place = x(curve.best_round + 1)
        drawing.add("line", x1=place, x2=place, y1=top, y2=height - bottom, class_="mark")
        anchor = "end" if place > _WIDTH / 2 else "start"
        drawing.add(
            "text",
            f"best: round {curve.best_round + 1}",
            x=place + (-5 if anchor == "end" else 5),
            y=top + 10,
            class_="small",
            text_anchor=anchor,
        )
    styles = _styles(curve.series)
    place = _LEFT
    for name, series in curve.series.items():
        drawing.line(((x(at + 1), y(value)) for at, value in enumerate(series)), f"series {styles[name]}")
        drawing.add("line", x1=place, x2=place + 20, y1=10, y2=10, class_=f"series {styles[name]}")
        drawing.add("text", name, x=place + 26, y=14, class_="small")
        place += 40 + 7 * len(name)
    return drawing.markup()


def roc_curve(roc: Roc, auc: float | None) -> Markup:
    """Draw true against false positive rate."""
    height, top, bottom = 300.0, 12.0, 34.0
    words = f"area {short(auc)}" if auc is not None else "area unknown"
    drawing = Drawing(_WIDTH, height, f"ROC curve, {words}", kind="chart")
    x, y = Axis([0, 1], _LEFT, _WIDTH - _RIGHT), Axis([0, 1], height - bottom, top)
    _grid(drawing, x, y, bottom=height - bottom, x_label="false positive rate", y_label="true positive rate")
    points = [(x(a), y(b)) for a, b in zip(roc.false_positive_rate, roc.true_positive_rate, strict=False)]
    area = [(x(0), y(0)), *points, (x(1), y(0))]
    drawing.add("polygon", points=" ".join(f"{a:.1f},{b:.1f}" for a, b in area), class_="area")
    drawing.line([(x(0), y(0)), (x(1), y(1))], "mark")
    drawing.line(points, "series first")
    if auc is not None:
        drawing.add("text", f"AUC {short(auc)}", x=x(0.96), y=y(0.08), class_="strong", text_anchor="end")
    return drawing.markup()


def histogram(name: str, data: Histogram) -> Markup:
    """Draw the counts of one numeric column."""
    width, height, base = 220.0, 78.0, 60.0
    low, high = (data.edges[0], data.edges[-1]) if data.edges else (0.0, 0.0)
    drawing = Drawing(width, height, f"{name}: from {short(low)} to {short(high)}", kind="chart")
    most = max(data.counts, default=0) or 1
    slot = width / max(1, len(data.counts))
    for at, count in enumerate(data.counts):
        tall = (base - 4) * count / most
        edges = f"{short(data.edges[at])} to {short(data.edges[at + 1])}: {count:,}" if len(data.edges) > at + 1 else ""
        drawing.add("rect", tip=edges, x=at * slot + 0.75, y=base - tall, width=slot - 1.5, height=tall, class_="bar")
    drawing.add("line", x1=0, x2=width, y1=base + 0.5, y2=base + 0.5, class_="axis")
    drawing.add("text", short(low), x=0, y=height - 4, class_="small")
    drawing.add("text", short(high), x=width, y=height - 4, class_="small", text_anchor="end")
    return drawing.markup()


def interval(
    name: str, metric: Metric, *, champion: Metric | None = None, limit: float | None = None, limit_name: str = "floor"
) -> tuple[Markup, str, str]:
    """Draw a metric with its interval, the champion's below it and the limit; return it with the ends of its scale."""
    values = [
        value for one in (metric, champion) if one for value in (one.low, one.value, one.high) if value is not None
    ]
    scale = Axis([*values, *([limit] if limit is not None else [])], 3, 97, padding=0.08)
    words = f"{name} {short(metric.value)}" + (f", champion {short(champion.value)}" if champion else "")
    words += f", {limit_name} {short(limit)}" if limit is not None else ""
    height = 44 if champion else 28
    drawing = Drawing(100, height, words, kind="interval")
    if limit is not None:
        place = f"{scale(limit):.2f}%"
        drawing.add("line", x1=place, x2=place, y1=0, y2=height, class_="limit")
    _whisker(drawing, scale, metric, 14, "first")
    if champion:
        _whisker(drawing, scale, champion, 32, "second")
    # Percentages instead of a view box: the bar is as wide as its place, and its dots stay round.
    markup = str(drawing.markup()).replace(f'viewBox="0 0 100 {height}"', f'width="100%" height="{height}"', 1)
    return Markup(markup), short(scale.low), short(scale.high)  # noqa: S704 - made by Drawing, which escapes


def span(started: float, seconds: float, total: float, state: str) -> Markup:
    """Draw one bar of the waterfall."""
    total = total or 1.0
    left = max(0.0, min(100.0, 100 * started / total))
    wide = max(0.4, min(100.0 - left, 100 * seconds / total))
    kind = "failed" if state == "failed" else "done"
    return Markup(  # noqa: S704 - numbers only
        f'<svg class="span" width="100%" height="12" aria-hidden="true"><rect x="{left:.2f}%" y="1" '
        f'width="{wide:.2f}%" height="10" rx="3" class="{kind}"/></svg>'
    )


def _whisker(drawing: Drawing, scale: Axis, metric: Metric, y: float, kind: str) -> None:
    if metric.low is not None and metric.high is not None:
        left, right = f"{scale(metric.low):.2f}%", f"{scale(metric.high):.2f}%"
        drawing.add("line", x1=left, x2=right, y1=y, y2=y, class_=f"whisker {kind}")
        for end in (left, right):
            drawing.add("line", x1=end, x2=end, y1=y - 4, y2=y + 4, class_=f"whisker {kind}")
    drawing.add("circle", cx=f"{scale(metric.value):.2f}%", cy=y, r=5, class_=f"dot {kind}")


def _grid(drawing: Drawing, x: Axis, y: Axis, *, bottom: float, x_label: str, y_label: str) -> None:
    for tick in y.ticks():
        drawing.add("line", x1=x(x.low), x2=x(x.high), y1=y(tick), y2=y(tick), class_="grid")
        drawing.add("text", short(tick), x=x(x.low) - 6, y=y(tick) + 4, class_="small", text_anchor="end")
    for tick in x.ticks():
        drawing.add("text", short(tick), x=x(tick), y=bottom + 15, class_="small", text_anchor="middle")
    drawing.add("line", x1=x(x.low), x2=x(x.high), y1=bottom, y2=bottom, class_="axis")
    drawing.add("text", x_label, x=x(x.high), y=bottom + 29, class_="small", text_anchor="end")
    middle = (y(y.low) + y(y.high)) / 2
    drawing.add(
        "text", y_label, x=10, y=middle, class_="small", text_anchor="middle", transform=f"rotate(-90 10 {middle:.1f})"
    )


def _styles(series: Mapping[str, object]) -> dict[str, str]:
    ordered = sorted(series, key=lambda name: "valid" not in name)
    return {name: ("first", "second", "third")[min(at, 2)] for at, name in enumerate(ordered)}


def _pairs(values: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
