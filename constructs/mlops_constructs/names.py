"""Names that are idempotency keys: derived from content, never from the clock, within SageMaker's limits."""

from __future__ import annotations

import hashlib
import json
from typing import Any

SAGEMAKER_NAME_LIMIT = 63
"""Longest name of a job, model, endpoint or configuration; botocore has `[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}`."""

EXECUTION_DIGEST_LENGTH = 32  # States.Hash(..., 'MD5')
_ATTEMPT_LENGTH = 2


def digest(value: Any, *, length: int = 8) -> str:
    """Return the first `length` hexadecimal digits of the SHA-256 of `value` as canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def name(*parts: str, limit: int = SAGEMAKER_NAME_LIMIT) -> str:
    """Join `parts` with hyphens; what is too long is cut before a suffix that keeps the name unique."""
    full = "-".join(parts)
    if len(full) <= limit:
        return full
    suffix = digest(full)
    return f"{full[: limit - len(suffix) - 1].rstrip('-')}-{suffix}"


def job_name_prefix(*parts: str) -> str:
    """Return the part of a job name that stands before the digest of the execution and the attempt."""
    return name(*parts, limit=SAGEMAKER_NAME_LIMIT - EXECUTION_DIGEST_LENGTH - 1 - _ATTEMPT_LENGTH)
