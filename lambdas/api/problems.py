"""Errors as problem documents (RFC 9457): each tells what is wrong, all of it at once, and what to do."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lambdas.api.schemas import Fault

CONTENT_TYPE = "application/problem+json"
MOST_FAULTS = 100
_TITLES: Mapping[int, tuple[str, str]] = {
    400: ("malformed-request", "The request cannot be read"),
    404: ("not-found", "There is no such thing"),
    405: ("method-not-allowed", "The method is not for this path"),
    409: ("conflict", "That is not possible now"),
    413: ("too-large", "The request or its answer is too large"),
    415: ("unsupported-media-type", "The body is not JSON"),
    422: ("invalid-request", "The request does not fit the model"),
    429: ("quota-exceeded", "The daily quota is used up"),
    500: ("internal-error", "The API failed"),
    502: ("model-error", "The model failed"),
    503: ("not-serving", "The model cannot answer now"),
    504: ("timeout", "The model did not answer in time"),
}


@dataclass
class ProblemError(Exception):
    """The request ends with an error that the caller is told."""

    status: int
    detail: str
    errors: Sequence[Fault] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def document(self, request_id: str) -> dict[str, Any]:
        """Return the problem document."""
        slug, title = _TITLES[self.status]
        shown = [fault.model_dump() for fault in self.errors[:MOST_FAULTS]]
        return {
            "type": f"urn:mlops:problem:{slug}",
            "title": title,
            "status": self.status,
            "detail": self.detail,
            "instance": f"urn:mlops:request:{request_id}",
            **({"errors": shown} if shown else {}),
        }

    def body(self, request_id: str) -> str:
        """Return the problem document as text."""
        return json.dumps(self.document(request_id))
