"""The event "Object Created" that S3 sends through EventBridge."""

from __future__ import annotations

from pydantic import Field

from lambdas.shared.events import Document, Event, Text


class _Bucket(Document):
    name: Text


class _Object(Document):
    key: Text
    version_id: Text = Field(alias="version-id")
    """A bucket without versioning sends none: then nobody could say which data a run has used."""


class _Detail(Document):
    bucket: _Bucket
    object: _Object


class ObjectCreated(Event):
    """The event "Object Created" of S3, as far as it is used."""

    detail: _Detail

    @property
    def identity(self) -> dict[str, str]:
        """What makes two deliveries of one event equal."""
        detail = self.detail
        return {"bucket": detail.bucket.name, "key": detail.object.key, "version": detail.object.version_id}
