"""No event ends silently: there is an answer or an exception that says what is wrong."""

from __future__ import annotations

import copy
import importlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.shared.errors import EventError

if TYPE_CHECKING:
    from tests.lambdas.conftest import Aws, Context, Json

EVENTS = Path(__file__).parent / "events"
WORKFLOW = (
    *("start_pipeline", "quality_gate", "find_champion", "register_model", "verify_endpoint", "security_gate"),
    "intake",
    "bake_traffic",
    "roll_back",
    "judge_trial",
    "run_batch",
    "verify_batch",
)
JOBS = ("training_outcome", "plan_rollout", "inspect_change_set", "record_approval", "replicate_model")
NOT_EVENTS: tuple[Any, ...] = (
    None,
    [],
    {},
    "text",
    5,
    True,
    {"a": 1},
    [[]],
    "ü" * 1_000_000,
    {"x" * 10_000: "y" * 1_000_000},
)
WRONG_VALUES: tuple[Any, ...] = (KeyError, None, 5.5j, [], {}, "", [{"a": ["b"]}])
UNUSED = {
    "start_pipeline": {"version", "id", "detail-type", "source", "account", "time", "region", "resources"},
    "intake": {"version", "id", "account", "time", "region", "resources"},
    # Only the kind of the event counts: what is rejected now is asked for.
    "roll_back": {"version", "id", "source", "account", "time", "region", "resources", "detail"},
}
"""Fields that no function reads; they do not have to be right."""


def good(name: str) -> Json:
    event: Json = json.loads((EVENTS / f"{name}.json").read_text())
    return event


def paths(document: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the way to every field of `document`."""
    for name, value in document.items() if isinstance(document, dict) else ():
        yield (*path, name)
        yield from paths(value, (*path, name))


METRICS = {("gates", "metrics", "auc"), ("gates", "metrics", "log_loss")}
UPLOADED = {
    ("detail",),
    ("detail", "bucket"),
    ("detail", "bucket", "name"),
    ("detail", "object"),
    ("detail", "object", "key"),
    ("detail", "object", "version-id"),
}
OPTIONAL: dict[str, Callable[[tuple[str, ...]], bool]] = {
    "start_pipeline": lambda path: path not in UPLOADED,
    # What the judge remembers begins empty; test_judge_shadow.py has the fields of the other kind.
    "judge_trial": lambda path: path[0] == "state",
    "intake": lambda path: path[0] == "detail" and path[1:] not in {(), ("ModelPackageArn",)},
    "quality_gate": lambda path: path[:2] in {("gates", "data"), ("gates", "verify")} or path[:3] in METRICS,
    # Any number of findings is null, and the list may be empty; test_security_gate.py has the rest.
    "security_gate": lambda path: path[:2] in {("scan", "maximum"), ("scan", "allow")} and path != ("scan", "maximum"),
}
"""Fields of single functions that may be missing or empty."""


def optional(name: str, path: tuple[str, ...]) -> bool:
    if path[0] in UNUSED.get(name, set()) or path[-1] in {"floor", "ceiling", "resamples", "seed"}:
        return True
    of_function = OPTIONAL.get(name)
    return of_function(path) if of_function else path[:3] in METRICS


REQUIRED = [(name, path) for name in WORKFLOW for path in paths(good(name)) if not optional(name, path)]
PARAMETERS = [(name, field) for name in JOBS for field in good(name)]
MAY_BE_EMPTY = {("access", "roleArn"), ("access", "region")}


def changed(event: Json, path: tuple[str, ...], value: Any) -> Json:
    document = copy.deepcopy(event)
    place = document
    for name in path[:-1]:
        place = place[name]
    if value is KeyError:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return document


def handle(name: str) -> Callable[[object, object], Any]:
    entry: Callable[[object, object], Any] = importlib.import_module(f"lambdas.{name}.handler").handle
    return entry


@pytest.mark.parametrize("name", [*WORKFLOW, *JOBS])
def test_something_that_is_no_event_is_refused(name: str, context: Context, aws: Aws) -> None:
    aws.stub("codepipeline")
    for event in NOT_EVENTS:
        with pytest.raises(EventError) as error:
            handle(name)(event, context)
        assert len(str(error.value)) < 2100


@pytest.mark.parametrize(("name", "path"), REQUIRED, ids=lambda part: part if isinstance(part, str) else ".".join(part))
def test_a_wrong_field_is_named(name: str, path: tuple[str, ...], context: Context) -> None:
    for value in [value for value in WRONG_VALUES if value != "" or path not in MAY_BE_EMPTY]:
        with pytest.raises(EventError) as error:
            handle(name)(changed(good(name), path, value), context)
        assert f"field '{'.'.join(path)}" in str(error.value)


@pytest.mark.parametrize(("name", "field"), PARAMETERS)
def test_a_wrong_user_parameter_is_answered_with_its_name(
    name: str, field: str, expect_answer: Callable[..., None], context: Context
) -> None:
    values: tuple[Any, ...] = (KeyError, None, 5, [], {}, "", "x" * 100_000)
    for value in [value for value in values if (field, value) != ("removable", [])]:
        event = good("codepipeline_job")
        parameters = json.dumps(changed(good(name), (field,), value))
        event["CodePipeline.job"]["data"]["actionConfiguration"]["configuration"]["UserParameters"] = parameters
        expect_answer(kind="ConfigurationError", words=(f"field '{field}",))
        assert handle(name)(event, context)["answer"] == "Failed"


@pytest.mark.parametrize("name", ["find_champion", "verify_endpoint"])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("roleArn", "mlops-prod-observer"),
        ("roleArn", "arn:aws:iam::111122223333:user/zoe"),
        ("roleArn", "arn:aws:iam::1:role/observer"),
        ("region", "Frankfurt"),
        ("region", "eu-central-1 "),
    ],
)
def test_a_way_that_leads_nowhere_is_refused(name: str, field: str, value: str, context: Context) -> None:
    with pytest.raises(EventError, match=f"field 'access.{field}'"):
        handle(name)(changed(good(name), ("access", field), value), context)
