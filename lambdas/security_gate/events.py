"""The event of the security gate."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from lambdas.shared.events import Document, Event, S3Uri, Text

ANY: Final = "any"
"""Any number of findings. Not null, which no state machine can hand over, and not nothing, which is a mistake."""


def _unlimited(value: object) -> object:
    return None if value == ANY else value


Limit = Annotated[Annotated[int, Field(ge=0)] | None, BeforeValidator(_unlimited)]


class Maximum(Document):
    """How many findings of each severity an image may have; None is any number."""

    critical: Limit
    high: Limit
    medium: Limit
    low: Limit


class Allowed(Document):
    """A finding that a person has looked at and that does not count for a while."""

    id: Text
    reason: Text
    expires: Annotated[date, Field(strict=False)]
    """The last day (UTC) on which it does not count."""


class ScanRules(Document):
    """What the settings say of scans (`container.scan`)."""

    maximum: Maximum
    allow: list[Allowed]


class SecurityEvent(Event):
    """Judge an image by what ECR has found in it."""

    run: Text
    image_uri: Text
    decision_uri: S3Uri
    scan: ScanRules
