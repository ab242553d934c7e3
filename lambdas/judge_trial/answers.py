"""One captured answer, and whether two of them agree."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from lambdas.shared.errors import EventError
from lambdas.shared.events import Event, Text
from lambdas.shared.metrics import finite


class Output(Event):
    """What was answered."""

    data: str
    encoding: Text
    """CSV and JSON are text as it was; everything else is BASE64."""


class CaptureData(Event):
    """What was captured of a request."""

    endpoint_output: Output


class EventMetadata(Event):
    """Which request it was."""

    event_id: Text
    inference_id: Text | None = None


class Captured(Event):
    """A line of a file of captures."""

    capture_data: CaptureData
    event_metadata: EventMetadata

    @property
    def key(self) -> str:
        """What the answers of two variants to one request have in common."""
        return self.event_metadata.inference_id or self.event_metadata.event_id

    def answer(self) -> str:
        """Return the answer as text.

        Raises:
            EventError: it is no base64, although it says so.

        """
        output = self.capture_data.endpoint_output
        if output.encoding.upper() != "BASE64":
            return output.data
        try:
            return base64.b64decode(output.data, validate=True).decode(errors="replace")
        except ValueError as error:
            msg = f"the captured answer to request {self.key} is no base64: {error}"
            raise EventError(msg) from error


def differ(one: str, other: str, tolerance: float) -> bool:
    """Return whether two answers differ: in any number by more than `tolerance`, or in anything else."""
    if one == other:
        return False
    numbers = _numbers(one), _numbers(other)
    if numbers[0] is None or numbers[1] is None or len(numbers[0]) != len(numbers[1]):
        return True
    return any(not abs(a - b) <= tolerance for a, b in zip(numbers[0], numbers[1], strict=True))


def _numbers(text: str) -> list[float] | None:
    """Return the numbers of an answer in their order; None where there is anything but numbers."""
    try:
        return [float(cell) for cell in re.split(r"[,\s]+", text.strip())]
    except ValueError:
        pass
    try:
        found = [finite(leaf) for leaf in _leaves(json.loads(text))]
    except ValueError:
        return None
    known = [number for number in found if number is not None]
    return known if len(known) == len(found) else None


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for name in sorted(value) for leaf in _leaves(value[name])]
    if isinstance(value, list):
        return [leaf for each in value for leaf in _leaves(each)]
    return [value]
