"""The verification: its checks in order, and the rule that none of them may be missing.

It passes only when every check that it consists of was made and passed. A check that could not be made, because an
earlier one failed, counts as failed; so nothing passes without an answer of the endpoint.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from lambdas.shared import answers
from lambdas.shared.answers import ANSWER_CHECKS, NOT_CHECKED
from lambdas.shared.decisions import Check
from lambdas.shared.endpoint_calls import CallError, values_of
from lambdas.shared.endpoints import EndpointState
from lambdas.shared.errors import EndpointChanging, EndpointNotServing
from lambdas.shared.labelled_rows import payload
from lambdas.shared.text import clip, count

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lambdas.shared.answers import Caller
    from lambdas.shared.endpoints import Endpoint, ServedModel
    from lambdas.shared.labelled_rows import Row
    from lambdas.shared.metrics import Task
    from lambdas.verify_endpoint.events import Expected, Target

SERVING_CHECKS = ("status", "configuration", "model")
LATENCY_CHECK = "latency"
LATENCY_CALLS = 5


class Serving(Protocol):
    """Tells what an endpoint serves."""

    def find(self, name: str) -> Endpoint | None:
        """Return the endpoint `name`."""

    def models(self, endpoint: Endpoint) -> list[ServedModel]:
        """Return the models of its variants."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """The result."""

    passed: bool
    summary: str
    checks: Sequence[Check]


def check_serving(name: str, expected: Expected, serving: Serving, target: Target) -> list[Check]:
    """Return the checks of the configuration, and of the models of `target`, up to the first that fails.

    InService alone is no success: after a failed update SageMaker goes back to the old configuration by itself.

    Raises:
        EndpointChanging: the endpoint is between two states, so there is nothing to judge yet.
    """
    endpoint = serving.find(name)
    status = endpoint.status if endpoint else "missing"
    why = f": {endpoint.failure_reason}" if endpoint and endpoint.failure_reason else ""
    in_service = endpoint is not None and endpoint.state is EndpointState.SERVING
    reason = clip(f"endpoint {name} is {status}{why}", length=300)
    if endpoint is not None and endpoint.state is EndpointState.CHANGING:
        msg = f"{reason}; verify it when it is InService"
        raise EndpointChanging(msg)
    checks = [Check(name="status", passed=in_service, value=status, required="InService", reason=reason)]
    if endpoint is None or not in_service:
        return checks
    checks.append(_configuration(endpoint, expected))
    if checks[-1].passed:
        checks.append(_model(endpoint, expected, serving, target))
    return checks


def _configuration(endpoint: Endpoint, expected: Expected) -> Check:
    served, asked = endpoint.config_name, expected.endpoint_config_name
    reason = f"configuration {served} is in service"
    if served != asked:
        reason += f", {asked} was asked for: SageMaker has rolled the update back, or somebody else has changed it"
    return Check(name="configuration", passed=served == asked, value=served, required=asked, reason=reason)


def _model(endpoint: Endpoint, expected: Expected, serving: Serving, target: Target) -> Check:
    try:
        models = serving.models(endpoint)
    except EndpointNotServing as error:
        return Check(name="model", passed=False, reason=str(error))
    if target.variant is not None:
        variants = ", ".join(model.variant for model in models)
        models = [model for model in models if model.variant == target.variant]
        if not models:
            reason = f"the endpoint has no variant {target.variant}, only {variants}"
            return Check(name="model", passed=False, value=variants, required=target.variant, reason=reason)
    for model in models:
        for what, served, asked in (
            ("model data", _data_of(model, target), expected.model_data_url),
            ("image", model.image_uri, expected.image_uri),
        ):
            if served != asked:
                reason = f"variant {model.variant} serves the {what} {served}, {asked} was asked for"
                return Check(name="model", passed=False, value=served, required=asked, reason=clip(reason, length=600))
    names = ", ".join(model.name for model in models)
    return Check(name="model", passed=bool(models), value=names, reason=f"model {names} is in service")


def _data_of(model: ServedModel, target: Target) -> str:
    """Return where the model data is that answers; a multi-model endpoint names only where all of it begins."""
    return f"{model.model_data_url.rstrip('/')}/{target.model}" if target.model else model.model_data_url


def check_latency(caller: Caller, rows: Sequence[Row], limit: float, task: Task) -> Check:
    """Send single rows one after the other and check the median time; it stops when the median is settled."""
    times: list[float] = []
    for step in range(LATENCY_CALLS):
        row = rows[step % len(rows)]
        try:
            reply = caller.call(payload([row]))
        except CallError as error:
            return Check(name=LATENCY_CHECK, passed=False, reason=f"the endpoint does not answer one row: {error}")
        for check in (answers.check_response(reply), answers.check_row_count(values_of(reply, task), [row])):
            if not check.passed:
                return Check(name=LATENCY_CHECK, passed=False, reason=f"for one row, {check.reason}")
        times.append(reply.milliseconds)
        if sum(each > limit for each in times) > LATENCY_CALLS // 2:
            break
    median = sorted(times)[len(times) // 2] if len(times) == LATENCY_CALLS else min(t for t in times if t > limit)
    reason = (
        f"an answer takes {median:,.0f} ms (median of {count(len(times), 'call')}), at most {limit:,.0f} ms allowed"
    )
    return Check(name=LATENCY_CHECK, passed=median <= limit, value=median, required=limit, reason=reason)


def conclude(name: str, checks: Iterable[Check], metrics: Iterable[str]) -> Verification:
    """Return the result of `checks`; those that were not made are added as failed."""
    made: dict[str, Check] = {}
    for check in checks:
        if check.name not in made or not check.passed:
            made[check.name] = check
    required = (*SERVING_CHECKS, *ANSWER_CHECKS, *(f"metric-{metric}" for metric in metrics), LATENCY_CHECK)
    complete = [made.get(each) or Check(name=each, passed=False, reason=NOT_CHECKED) for each in required]
    complete += [check for check in made.values() if check.name not in required]
    failed = [check for check in complete if not check.passed]
    if not failed:
        told = "; ".join(check.reason for check in complete if check.name not in {"response", "content-type", "range"})
        return Verification(passed=True, summary=clip(f"Endpoint {name} passed: {told}"), checks=complete)
    told = "; ".join(check.reason for check in failed if check.reason != NOT_CHECKED) or NOT_CHECKED
    return Verification(passed=False, summary=clip(f"Endpoint {name} failed the verification: {told}"), checks=complete)
