"""The event of the verification."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from lambdas.shared.access import Access
from lambdas.shared.events import Event, S3Uri, Text
from lambdas.shared.gates import VerifyGates
from lambdas.shared.metrics import Task
from lambdas.shared.storage import split_uri

VariantName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$")]
TargetModel = Annotated[str, StringConstraints(pattern=r"^[^\s/][\x20-\x7e]*$", max_length=1024)]


class Expected(Event):
    """What the deployment asked for."""

    model_data_url: S3Uri
    image_uri: Text
    endpoint_config_name: Text


class Asynchronous(Event):
    """How an asynchronous endpoint is called: a request and its answer are objects of S3."""

    input_uri: S3Uri
    """Where the requests are written, without a slash at the end; the endpoint's role reads them there."""


class Target(Event):
    """What of an endpoint is tried out, where it serves more than one model, or not at once."""

    variant: VariantName | None = None
    """The production variant to call; without it, SageMaker chooses one by weight, and all of them are expected."""
    model: TargetModel | None = None
    """The model of a multi-model endpoint, as the part of its S3 URI below the model data of the endpoint."""
    of_bucket: bool = False
    """Whether a multi-model endpoint serves what a bucket holds: its models are called by their whole keys."""
    asynchronous: Asynchronous | None = None
    """Given for an asynchronous endpoint, which answers to S3."""

    def of(self, expected: Expected) -> Target:
        """Return the same with the model named, where that is the key of what is expected."""
        if not self.of_bucket:
            return self
        return self.model_copy(update={"model": split_uri(expected.model_data_url)[1]})


class VerifyEvent(Event):
    """An endpoint to try out, and what it has to be."""

    run: Text
    task: Annotated[Task, Field(strict=False)]
    environment: Text
    endpoint_name: Text
    access: Access
    """To the account and region of the endpoint."""
    expected: Expected
    test_uri: S3Uri
    predictions_uri: S3Uri
    record_uri: S3Uri
    gates: VerifyGates
    target: Target = Target()
