"""The event of the verification."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lambdas.shared.access import Access
from lambdas.shared.events import Event, S3Uri, Text
from lambdas.shared.gates import VerifyGates
from lambdas.shared.metrics import Task


class Expected(Event):
    """What the deployment asked for."""

    model_data_url: S3Uri
    image_uri: Text
    endpoint_config_name: Text


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
