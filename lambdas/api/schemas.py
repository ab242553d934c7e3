"""What goes in and out, as pydantic models: the validation and the OpenAPI document are made of these."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

MAXIMUM_INSTANCES = 10_000
LARGEST_OUTCOME = 1e12
MODEL_PATTERN = r"^[a-z][a-z0-9-]{0,18}[a-z0-9]$"
INFERENCE_PATTERN = r"^[0-9a-f]{32}$"

Value: TypeAlias = StrictBool | StrictInt | StrictFloat | StrictStr | None
"""A value of a column; null where it is missing."""
ModelName: TypeAlias = Annotated[str, Field(pattern=MODEL_PATTERN, examples=["churn"])]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=())


class PredictionRequest(_Body):
    """Rows to predict."""

    instances: Annotated[
        list[dict[str, Value]],
        Field(
            min_length=1,
            max_length=MAXIMUM_INSTANCES,
            description="Rows: a value for each column of the model; GET /models lists them.",
        ),
    ]
    assignment_id: Annotated[
        str | None,
        Field(
            pattern=r"^[!-~]{1,128}$",
            description="Who or what is predicted for: during an A/B test, the same id gets the same version.",
        ),
    ] = None


class PredictionResponse(_Body):
    """One prediction for each row, in their order."""

    model: str
    version: Annotated[int | None, Field(description="Of the model; null while two versions take turns.")]
    variant: str
    inference_id: Annotated[
        str | None, Field(description="For the feedback; null when it could not be kept, then there can be none.")
    ]
    predictions: Annotated[
        list[float] | list[dict[str, float]],
        Field(
            description="A number; for two classes the probability of the second one, for several a probability each."
        ),
    ]


class FeedbackRequest(_Body):
    """What became of a prediction."""

    inference_id: Annotated[str, Field(pattern=INFERENCE_PATTERN)]
    outcome: Annotated[
        StrictBool
        | Annotated[StrictInt, Field(ge=-LARGEST_OUTCOME, le=LARGEST_OUTCOME)]
        | Annotated[StrictFloat, Field(ge=-LARGEST_OUTCOME, le=LARGEST_OUTCOME)],
        Field(description="How good it was: yes or no, or a number whose mean means something."),
    ]


class FeedbackResponse(_Body):
    """The feedback as it was kept."""

    model: str
    variant: str
    inference_id: str
    outcome: float


class Feature(_Body):
    """A column of a model."""

    name: str
    type: str
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] = ()
    missing: Annotated[bool, Field(description="Whether the value may be left out, or null.")] = False


class ModelDescription(_Body):
    """A model, and what it takes."""

    name: str
    description: str
    version: int | None
    status: Annotated[str, Field(description="serving, or why not")]
    serving: str
    task: str
    classes: Annotated[tuple[str, ...], Field(description="What the label may be; empty where it is a number.")]
    features: tuple[Feature, ...]


class ModelList(_Body):
    """The models of this environment."""

    models: tuple[ModelDescription, ...]


class Fault(_Body):
    """One of several faults."""

    pointer: Annotated[str, Field(description="JSON Pointer to the value in the request's body.")]
    detail: str


class Problem(BaseModel):
    """An error, as RFC 9457 describes it."""

    type: str
    title: str
    status: int
    detail: str
    instance: Annotated[str, Field(description="The id of the request, as in the header x-request-id.")]
    errors: Annotated[list[Fault] | None, Field(description="Every fault that was found, at most 100.")] = None
