"""Decides where a copy goes: the same key, so that the copy still tells which run trained the model."""

from __future__ import annotations

from typing import Annotated, Protocol

from pydantic import StringConstraints

from lambdas.shared.events import Event, S3Uri
from lambdas.shared.storage import split_uri


class ReplicateParameters(Event):
    """User parameters of the action."""

    model_data_url: S3Uri
    bucket: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
    region: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-\d+$")]
    """Of the bucket."""
    preprocessor: bool = False
    """Whether the run has a preprocessor that goes with the model."""


PREPROCESSOR = "prepared/preprocessor/model.tar.gz"
"""Where it lies, below the folder of the run: `<model>/runs/<run>`."""
_RUN_PARTS = 3


class Copies(Protocol):
    """Copies objects."""

    def copy(self, *, bucket: str, key: str, to: str) -> None:
        """Copy the object `key` of `bucket` to the same key of the bucket `to`."""


def replicate(asked: ReplicateParameters, copies: Copies) -> dict[str, str]:
    """Copy the model and what goes with it, and return the output variables of the action."""
    bucket, key = split_uri(asked.model_data_url)
    if asked.preprocessor:
        run = "/".join(key.split("/")[:_RUN_PARTS])
        copies.copy(bucket=bucket, key=f"{run}/{PREPROCESSOR}", to=asked.bucket)
    copies.copy(bucket=bucket, key=key, to=asked.bucket)
    return {"ModelDataUrl": f"s3://{asked.bucket}/{key}"}
