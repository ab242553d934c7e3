"""Decides whether a new object starts the pipeline, and with which versions of all sources."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from pydantic import Field

from lambdas.shared.errors import EventError
from lambdas.shared.events import Document, Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class S3Source(Document):
    """A source action of the pipeline and the object it reads."""

    action: Text
    bucket: Text
    key: Text

    @property
    def uri(self) -> str:
        """The object as a person writes it."""
        return f"s3://{self.bucket}/{self.key}"


class Sources(Document):
    """The S3 sources of the pipeline."""

    sources: Annotated[list[S3Source], Field(min_length=1)]


class Versions(Protocol):
    """Current versions of objects."""

    def current(self, bucket: str, key: str) -> str | None:
        """Return the id of the current version, or None when there is no such object."""


class Pipeline(Protocol):
    """The pipeline that is started."""

    def start(self, *, token: str, versions: Mapping[str, str]) -> str:
        """Start an execution with a version for each source action and return its id."""


def start(identity: Mapping[str, str], sources: Sequence[S3Source], *, versions: Versions, pipeline: Pipeline) -> Any:
    """Start the pipeline for the new object `identity`, unless a source is missing or a newer version has arrived.

    The token is made of all versions: the events of two sources that arrive together start one execution, not two.
    """
    mine = [source for source in sources if (source.bucket, source.key) == (identity["bucket"], identity["key"])]
    if not mine:
        known = ", ".join(source.uri for source in sources)
        msg = f"s3://{identity['bucket']}/{identity['key']} is not a source of this pipeline, which has {known}"
        raise EventError(msg)
    current = {source: versions.current(source.bucket, source.key) for source in sources}
    missing = [source.uri for source, version in current.items() if version is None]
    if missing:
        return {"started": False, "waiting_for": missing}
    newest = current[mine[0]]
    if newest != identity["version"]:
        # The event of the newer version starts the pipeline; starting this one too could end with the older data.
        return {"started": False, "superseded_by": newest}
    revisions = {source.action: version for source, version in current.items() if version is not None}
    return {"started": True, "execution": pipeline.start(token=_token(revisions), versions=revisions)}


def _token(revisions: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(revisions, sort_keys=True).encode()).hexdigest()
