"""Drawings as inline SVG: coordinates and classes only, the colours are the page's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

from markupsafe import Markup

Number = float | int | str


class Drawing:
    """An SVG picture with a name for people who do not see it."""

    def __init__(self, width: float, height: float, label: str, *, kind: str = "") -> None:
        """Begin a picture of `width` by `height` units that scales to its place."""
        self.width, self.height = width, height
        self._label, self._kind = label, kind
        self._parts: list[str] = []

    def add(self, tag: str, text: str | None = None, *, tip: str | None = None, **attributes: Number) -> None:
        """Add an element; `class_` is its class, `stroke_width` its stroke-width, `tip` what a pointer shows."""
        pairs = "".join(
            f' {name.rstrip("_").replace("_", "-")}="{escape(_text(value), quote=True)}"'
            for name, value in attributes.items()
        )
        inner = f"<title>{escape(tip)}</title>" if tip else ""
        inner += escape(text) if text is not None else ""
        self._parts.append(f"<{tag}{pairs}>{inner}</{tag}>" if inner else f"<{tag}{pairs}/>")

    def line(self, points: Iterable[tuple[float, float]], class_: str) -> None:
        """Add a line through `points`."""
        self.add("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points), class_=class_)

    def markup(self) -> Markup:
        """Return the picture as it goes into the page."""
        head = (
            f'<svg class="{escape(self._kind, quote=True)}" viewBox="0 0 {_text(self.width)} {_text(self.height)}" '
            f'role="img" aria-label="{escape(self._label, quote=True)}">'
        )
        return Markup(head + "".join(self._parts) + "</svg>")  # noqa: S704 - every text and attribute is escaped above


class Axis:
    """Maps values to places."""

    def __init__(self, values: Sequence[float], start: float, end: float, *, padding: float = 0.0) -> None:
        """Map the range of `values` to the places from `start` to `end`."""
        finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
        low, high = min(finite), max(finite)
        spread = (high - low) or abs(high) or 1.0
        self.low, self.high = low - padding * spread, high + padding * spread
        if self.low == self.high:
            self.high = self.low + 1.0
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        """Return the place of `value`."""
        return self._start + (value - self.low) / (self.high - self.low) * (self._end - self._start)

    def ticks(self, about: int = 4) -> list[float]:
        """Return round values on the axis."""
        rough = (self.high - self.low) / max(1, about)
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        return [at * step for at in range(first, math.floor(self.high / step + 1e-9) + 1)]


def short(value: float) -> str:
    """Return a number as people write it."""
    if not math.isfinite(value):
        return "not a number"
    if value == int(value) and abs(value) < 1e15:  # noqa: PLR2004 - whole numbers that a float holds exactly
        return f"{int(value):,}"
    digits = 3 if abs(value) < 1 else 2 if abs(value) < 100 else 1  # noqa: PLR2004 - three figures or so
    return f"{value:,.{digits}f}".rstrip("0").rstrip(".")


def _text(value: Number) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
