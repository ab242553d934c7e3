"""Reading events and documents: typed, strict, and every problem named by its field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from lambdas.shared.errors import EventError
from lambdas.shared.text import clip

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Text = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
S3Uri = Annotated[str, StringConstraints(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+$", max_length=1100)]

_SHOWN_PROBLEMS = 5
_SHOWN_VALUE = 60


class Document(BaseModel):
    """JSON with the names as they are; unknown names are allowed, wrong types are not."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, allow_inf_nan=False)


class Event(Document):
    """A document whose names are in camelCase, as state machines and pipelines write them."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)


M = TypeVar("M", bound=BaseModel)


def read(model: type[M], document: object, *, what: str = "event") -> M:
    """Return `document` as `model`.

    Raises:
        EventError: every wrong field by name; values are shown only when they are single and short.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False)
        message = "; ".join(_describe(problem) for problem in problems[:_SHOWN_PROBLEMS])
        more = f"; and {len(problems) - _SHOWN_PROBLEMS} more" if len(problems) > _SHOWN_PROBLEMS else ""
        # Without its cause: that holds the whole document, which must not reach a log.
        raise EventError(clip(f"{what}: {message}", length=2000) + more) from None


def _describe(problem: ErrorDetails) -> str:
    field = ".".join(clip(str(part), length=_SHOWN_VALUE) for part in problem["loc"]) or "(all)"
    text = problem["msg"][:1].lower() + problem["msg"][1:]
    return f"field '{field}': {text}{_got(problem)}"


def _got(problem: ErrorDetails) -> str:
    value: Any = problem["input"]
    if problem["type"] == "missing":
        return ""
    if isinstance(value, dict | list):
        return f", got {'an object' if isinstance(value, dict) else 'a list'}"
    return f", got {clip(repr(value), length=_SHOWN_VALUE)}"
