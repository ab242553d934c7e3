"""The manifest: the candidate that is taken. It starts the pipeline, so it is written last and only if it is newer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import StringConstraints

from lambdas.shared.events import Event, Text, read
from lambdas.shared.registry import version_of
from lambdas.shared.storage import JSON_LIMIT, explain, interrupted
from lambdas.shared.versions import S3Versions

_OTHERS_WERE_FASTER = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})


class Copy(Event):
    """A version of an object of a candidate, in the bucket of the pipeline."""

    bucket: Text
    key: Text
    version: Text


class Manifest(Event):
    """A candidate that was taken."""

    version: Literal[1]
    candidate: Annotated[str, StringConstraints(pattern=r"^arn:.+:model-package/.+/\d+$")]
    data: Copy
    model: Copy
    metrics: dict[str, float]
    """As whoever trained the model claims them."""
    trained_by: Text
    code_version: Text
    training_job_name: Text
    training_job_arn: Text

    def covers(self, arn: str) -> bool:
        """Return whether the package `arn` is this candidate, or an older version in its group."""
        group = arn.rpartition("/")[0]
        return self.candidate.rpartition("/")[0] == group and version_of(self.candidate) >= version_of(arn)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """The manifest as it is now, or that there is none; what is written next depends on it."""

    manifest: Manifest | None
    etag: str | None


class Manifests:
    """The manifest of one model."""

    def __init__(self, s3: Any, *, bucket: str, key: str) -> None:
        """Use the client `s3`."""
        self._s3, self._bucket, self._key = s3, bucket, key
        self.uri = f"s3://{bucket}/{key}"

    def find(self) -> Found:
        """Return the manifest as it is now."""
        if not S3Versions(self._s3).is_listed(self._bucket, self._key):
            return Found(manifest=None, etag=None)
        try:
            response = self._s3.get_object(Bucket=self._bucket, Key=self._key)
            body = response["Body"].read(JSON_LIMIT)
        except ClientError as error:
            raise explain(self.uri, "read", error) from error
        except BotoCoreError as error:
            raise interrupted(self.uri, error) from error
        return Found(manifest=read(Manifest, _parse(body), what=f"the manifest {self.uri}"), etag=response["ETag"])

    def write(self, manifest: Manifest, *, instead_of: Found) -> bool:
        """Write `manifest`; return False, and write nothing, when `instead_of` is not what is there any more."""
        condition = {"IfMatch": instead_of.etag} if instead_of.etag else {"IfNoneMatch": "*"}
        body = json.dumps(manifest.model_dump(mode="json", by_alias=True), indent=2, sort_keys=True).encode()
        try:
            self._s3.put_object(
                Bucket=self._bucket, Key=self._key, Body=body, ContentType="application/json", **condition
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in _OTHERS_WERE_FASTER:
                return False
            raise explain(self.uri, "written", error) from error
        except BotoCoreError as error:
            raise interrupted(self.uri, error) from error
        return True


def _parse(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
