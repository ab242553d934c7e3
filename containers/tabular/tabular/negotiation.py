"""Content-Type and Accept: what the body is and what the answer shall be."""

from __future__ import annotations

import functools
from enum import StrEnum


class Format(StrEnum):
    """A format of requests and answers, by its media type."""

    CSV = "text/csv"
    JSON = "application/json"


_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


@functools.lru_cache(maxsize=256)
def format_of(content_type: bytes) -> Format | None:
    """Return the format that a Content-Type names; None if it is none that is read here."""
    media_type, *parameters = content_type.decode("latin-1").split(";")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in _CHARSETS:
            return None
    name = media_type.strip().lower()
    return Format(name) if name in list(Format) else None


@functools.lru_cache(maxsize=256)
def accepted(accept: bytes, asked_in: Format) -> Format | None:
    """Return the format of the answer: the one that is liked best, that of the request if all are liked.

    None means that no format is accepted which can be written here.
    """
    if not accept.strip():
        return asked_in
    weights: dict[Format, tuple[int, float]] = {}
    for part in accept.decode("latin-1").split(","):
        pattern, *parameters = part.split(";")
        name = pattern.strip().lower()
        for one in Format:
            exactness = {one.value: 2, f"{one.value.partition('/')[0]}/*": 1, "*/*": 0}.get(name)
            if exactness is not None and exactness >= weights.get(one, (0, 0.0))[0]:
                weights[one] = (exactness, _quality(parameters))
    best = max((weight for _, weight in weights.values()), default=0.0)
    if best <= 0:
        return None
    liked = [one for one, (_, weight) in weights.items() if weight == best]
    return asked_in if asked_in in liked else liked[0]


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0
