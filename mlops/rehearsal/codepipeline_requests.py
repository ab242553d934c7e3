"""Requests to CodePipeline as moto hands them over: their parameters, who sent them, and what is refused."""

from __future__ import annotations

from typing import Any

from mlops.rehearsal.credentials import OPERATOR


def parameter(request: Any, name: str) -> Any:
    """Return a parameter of the request, None where it is left out."""
    return request._get_param(name)  # noqa: SLF001 - moto's own accessor


def refusal(*, code: str, message: str) -> Exception:
    """Return the error that the caller sees."""
    from moto.core.exceptions import JsonRESTError  # noqa: PLC0415 - moto is imported late

    error: Exception = JsonRESTError(code, message)
    error.code = 400  # type: ignore[attr-defined]
    return error


def caller(request: Any) -> str:
    """Return the ARN of whoever sent the request."""
    from moto.sts.models import sts_backends  # noqa: PLC0415 - moto is imported late

    if request.access_key == OPERATOR.access_key_id:
        return f"arn:aws:iam::{request.current_account}:user/operator"
    backend = sts_backends[request.current_account]["aws"]
    return str(backend.get_caller_identity(request.access_key, request.region)[1])


def pipeline_of(request: Any, name: str) -> dict[str, Any]:
    """Return the structure of the pipeline that the parameter `name` names."""
    pipeline: dict[str, Any] = request.codepipeline_backend.get_pipeline(parameter(request, name))[0]
    return pipeline


def page(request: Any, name: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the part of a list that was asked for, and the token of the next one."""
    begin = int(parameter(request, "nextToken") or 0)
    end = begin + int(parameter(request, "maxResults") or 100)
    return {name: found[begin:end], **({"nextToken": str(end)} if end < len(found) else {})}
