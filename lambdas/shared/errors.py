"""The errors that a function raises on purpose; their names reach Step Functions as `errorType`.

FunctionError
├── EventError          the event, or a document it points at, is not what the function takes
├── StorageError        an S3 object cannot be read or written
├── EndpointChanging    the endpoint is between two states; worth asking again later
├── EndpointNotServing  the endpoint is in a state that needs a person
├── ScanNotFinished     an image is still being scanned; worth asking again later
├── RegistryError       the model registry holds something other than what was asked for
├── StageBusy           another execution is in a stage of the pipeline; its end is an event of its own
├── TrialNotObservable  what a trial is judged by cannot be read
├── CandidateRefused    a model that was handed over is incomplete or not what it says; nothing of it was taken
└── JobRefused          a pipeline job ends as a failure, for a reason in the message
"""

from __future__ import annotations


class FunctionError(Exception):
    """An end that the function foresaw; its message says what happened and what to do."""


class EventError(FunctionError):
    """The event, or a document it points at, is not what the function takes."""


class StorageError(FunctionError):
    """An S3 object cannot be read or written."""


class EndpointChanging(FunctionError):  # noqa: N818 - a state, and the name that a Retry in the state machine lists
    """The endpoint is between two states; worth asking again later."""


class EndpointNotServing(FunctionError):  # noqa: N818 - a state, as above
    """The endpoint is in a state that needs a person."""


class ScanNotFinished(FunctionError):  # noqa: N818 - a state, and the name that a Retry in the state machine lists
    """An image is still being scanned; worth asking again later."""


class RegistryError(FunctionError):
    """The model registry holds something other than what was asked for."""


class StageBusy(FunctionError):  # noqa: N818 - a state, as above
    """Another execution is in a stage of the pipeline; its end is an event of its own."""


class TrialNotObservable(FunctionError):  # noqa: N818 - a state, as above
    """What a trial is judged by cannot be read."""


class CandidateRefused(FunctionError):  # noqa: N818 - an outcome rather than a defect
    """A model that was handed over is incomplete or not what it says; nothing of it was taken."""


class JobRefused(FunctionError):  # noqa: N818 - an outcome rather than a defect
    """A pipeline job ends as a failure, for a reason in the message."""
