"""Decides what an event is about, and with which versions of data and code it starts the workflow."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from pydantic import Field

from lambdas.shared.errors import EventError
from lambdas.shared.events import Document, Text, read
from lambdas.shared.object_created import ObjectCreated
from lambdas.shared.text import clip

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_CODE = "none"
"""In place of a version: no image is built for this model."""
_RUN_LENGTH = 32


class Sources(Document):
    """The objects of the data bucket that a run is made of."""

    data_bucket: Text
    data_key: Text
    code_key: str
    """Empty where nothing is built."""

    def uri(self, key: str) -> str:
        """Return the object `key` as a person writes it."""
        return f"s3://{self.data_bucket}/{key}"


class Trigger(StrEnum):
    """What starts a run."""

    DATA = "data"
    SCHEDULE = "schedule"
    MANUAL = "manual"


class ScheduledEvent(Document):
    """What EventBridge sends when a schedule is due."""

    time: Text
    resources: Annotated[list[Text], Field(min_length=1)]
    """The rule."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Occasion:
    """Why a run starts."""

    trigger: Trigger
    run: str
    """Id of the run and name of the execution: the same for deliveries of the same occasion."""
    data_version: str | None = None
    """Of the data that has arrived."""


class Versions(Protocol):
    """Current versions of objects."""

    def current(self, bucket: str, key: str) -> str | None:
        """Return the id of the current version, or None when there is no such object."""


class Machine(Protocol):
    """The workflow that is started."""

    def start(self, name: str, document: Mapping[str, Any]) -> str | None:
        """Start the execution `name` and return its ARN, or None when there was one of this name."""


def occasion(event: object, sources: Sources) -> Occasion:
    """Return what `event` is about.

    Raises:
        EventError: something else than new data, a due schedule, or an empty object.
    """
    if event == {}:
        return Occasion(trigger=Trigger.MANUAL, run=uuid.uuid4().hex)
    kind = event.get("detail-type") if isinstance(event, dict) else None
    if kind == "Object Created":
        return _new_data(read(ObjectCreated, event).identity, sources)
    if kind == "Scheduled Event":
        due = read(ScheduledEvent, event)
        # Not the id: a schedule that comes twice for the same time has two.
        return Occasion(trigger=Trigger.SCHEDULE, run=_digest(*due.resources, due.time))
    got = clip(repr(kind)[:400], length=100)
    msg = f"field 'detail-type': must be 'Object Created' or 'Scheduled Event', or the event empty (by hand), got {got}"
    raise EventError(msg)


def start(why: Occasion, sources: Sources, *, versions: Versions, machine: Machine) -> dict[str, Any]:
    """Start the run, unless data or code is missing, newer data has arrived, or the run was started before."""
    keys = [key for key in (sources.data_key, sources.code_key) if key]
    found = {key: versions.current(sources.data_bucket, key) for key in keys}
    missing = [sources.uri(key) for key, version in found.items() if version is None]
    if missing:
        return {"started": False, "waiting_for": missing}
    newest = found[sources.data_key]
    if why.data_version not in {None, newest}:
        # The event of the newer version starts a run of its own; this one could end after it, with the older data.
        return {"started": False, "superseded_by": newest}
    document = {
        "run": why.run,
        "trigger": why.trigger,
        "data": {"bucket": sources.data_bucket, "key": sources.data_key, "version": newest},
        "code": {"version": found.get(sources.code_key, NO_CODE)},
    }
    execution = machine.start(why.run, document)
    if execution is None:
        return {"started": False, "reason": f"the run {why.run} was started before"}
    return {"started": True, "execution": execution, "run": why.run}


def _new_data(identity: Mapping[str, str], sources: Sources) -> Occasion:
    arrived = (identity["bucket"], identity["key"])
    if arrived != (sources.data_bucket, sources.data_key):
        msg = f"s3://{'/'.join(arrived)} is not the data of this model, which is {sources.uri(sources.data_key)}"
        raise EventError(msg)
    version = identity["version"]
    return Occasion(trigger=Trigger.DATA, run=_digest(*arrived, version), data_version=version)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:_RUN_LENGTH]
