"""The event of the verification."""

from __future__ import annotations

from lambdas.shared.events import Event, S3Uri, Text
from lambdas.shared.gates import VerifyGates


class Expected(Event):
    """What the deployment asked for."""

    model_data_url: S3Uri
    image_uri: Text
    endpoint_config_name: Text


class VerifyEvent(Event):
    """An endpoint to try out, and what it has to be."""

    run: Text
    environment: Text
    endpoint_name: Text
    expected: Expected
    test_uri: S3Uri
    predictions_uri: S3Uri
    record_uri: S3Uri
    gates: VerifyGates
