"""The pipeline as a diagram: stages from left to right on a screen, from top to bottom on a phone."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from mlops.report.record import Action, Stage, State
from mlops.report.svg import Drawing

SIGNS = {
    State.SUCCEEDED: "✓",
    State.FAILED: "✕",
    State.RUNNING: "…",
    State.STOPPED: "■",
    State.SKIPPED: "-",
    State.NOT_STARTED: "·",
}
"""A sign for each state, always beside its name: never colour alone."""


def duration(seconds: float | None) -> str:
    """Return a duration as people say it."""
    if seconds is None:
        return ""
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def css(state: State) -> str:
    """Return the class of a state."""
    return str(state).replace(" ", "-")


def wide(stages: Sequence[Stage]) -> Markup:
    """Draw the stages side by side."""
    width, gap, box, step = 1080.0, 22.0, 46.0, 54.0
    column = (width - gap * (len(stages) - 1)) / max(1, len(stages))
    rows = max((len(stage.actions) for stage in stages), default=1)
    drawing = Drawing(width, 44 + rows * step, _label(stages), kind="diagram wide")
    for at, stage in enumerate(stages):
        left = at * (column + gap)
        drawing.add("text", stage.name, x=left + 2, y=16, class_="strong")
        drawing.add("text", _words(stage.state, stage.seconds), x=left + 2, y=31, class_="small")
        if at:
            _arrow(drawing, left - gap + 4, left - 4, 44 + box / 2)
        for row, action in enumerate(stage.actions):
            top = 44 + row * step
            _box(drawing, stage, action, left=left, top=top, width=column, height=box)
            drawing.add("text", f"{SIGNS[action.state]} {action.name}", x=left + 12, y=top + 19, class_="name")
            drawing.add("text", _words(action.state, action.seconds), x=left + 12, y=top + 35, class_="small")
    return drawing.markup()


def narrow(stages: Sequence[Stage]) -> Markup:
    """Draw the stages below one another."""
    width, box, step, head, gap = 340.0, 32.0, 38.0, 24.0, 12.0
    height = sum(head + len(stage.actions) * step + gap for stage in stages)
    drawing = Drawing(width, max(height, 1.0), _label(stages), kind="diagram narrow")
    top = 0.0
    for stage in stages:
        drawing.add("text", stage.name, x=2, y=top + 16, class_="strong")
        drawing.add(
            "text", _words(stage.state, stage.seconds), x=width - 2, y=top + 16, class_="small", text_anchor="end"
        )
        top += head
        for action in stage.actions:
            _box(drawing, stage, action, left=0.5, top=top, width=width - 1, height=box)
            drawing.add("text", f"{SIGNS[action.state]} {action.name}", x=12, y=top + 21, class_="name")
            words = _words(action.state, action.seconds)
            drawing.add("text", words, x=width - 12, y=top + 21, class_="small", text_anchor="end")
            top += step
        top += gap
    return drawing.markup()


def _box(
    drawing: Drawing, stage: Stage, action: Action, *, left: float, top: float, width: float, height: float
) -> None:
    tip = f"{stage.name} / {action.name} ({action.provider or 'action'}): {_words(action.state, action.seconds)}"
    tip += f": {action.cause}" if action.cause else ""
    drawing.add(
        "rect",
        tip=tip,
        x=left + 0.5,
        y=top + 0.5,
        width=width - 1,
        height=height - 1,
        rx=7,
        class_=f"box {css(action.state)}",
    )


def _arrow(drawing: Drawing, start: float, end: float, y: float) -> None:
    drawing.add("line", x1=start, x2=end, y1=y, y2=y, class_="axis")
    drawing.line([(end - 4, y - 3.5), (end, y), (end - 4, y + 3.5)], "axis open")


def _words(state: State, seconds: float | None) -> str:
    return " · ".join(filter(None, [str(state), duration(seconds)]))


def _label(stages: Sequence[Stage]) -> str:
    return "The pipeline: " + "; ".join(f"{stage.name} {stage.state}" for stage in stages)
