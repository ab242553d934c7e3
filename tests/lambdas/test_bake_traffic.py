from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.bake_traffic import handler
from lambdas.bake_traffic.logic import PATIENCE
from tests.lambdas.endpoint_program import MODEL, NAME, NOW, PREDICTIONS, TEST, lines

if TYPE_CHECKING:
    from tests.lambdas.conftest import Aws, Bucket, Context, Json
    from tests.lambdas.endpoint_program import Serving

BASELINE = "churn/runs/run-1/deployments/prod-baseline.json"
Bake = Callable[..., "Json"]


def is_now(aws: Aws, *, status: str = "InService", config: str = "old", modified: str = NOW) -> None:
    described: Json = {
        "EndpointName": NAME,
        "EndpointArn": f"arn:aws:sagemaker:eu-west-1:111122223333:endpoint/{NAME}",
        "EndpointConfigName": config,
        "EndpointStatus": status,
        "CreationTime": NOW,
        "LastModifiedTime": modified,
    }
    aws.stub("sagemaker").add_response("describe_endpoint", described, {"EndpointName": NAME})


class Published:
    """What was published in one call."""

    def __init__(self) -> None:
        self.data: list[Any] = []

    def __eq__(self, other: object) -> bool:
        assert isinstance(other, list)
        self.data = other
        return True

    __hash__ = None  # type: ignore[assignment] # it equals everything

    def values(self) -> dict[str, float]:
        dimensions = [{"Name": "Model", "Value": "churn"}, {"Name": "Environment", "Value": "prod"}]
        assert all(each["Dimensions"] == dimensions for each in self.data)
        return {each["MetricName"]: each["Value"] for each in self.data}


@pytest.fixture
def published(aws: Aws) -> Callable[[], Published]:
    def expect() -> Published:
        seen = Published()
        aws.stub("cloudwatch").add_response("put_metric_data", {}, {"Namespace": "MLOps", "MetricData": seen})
        return seen

    return expect


@pytest.fixture
def bake(aws: Aws, serving: Serving, bucket: Bucket, event_of: Callable[..., Json], context: Context) -> Bake:
    del aws, serving
    bucket.put("churn/runs/run-1/prepared/test/test.csv", TEST)
    bucket.put("churn/runs/run-1/evaluation/predictions.csv", PREDICTIONS)

    def run(**changes: Any) -> Json:
        answer: Json = handler.handle(event_of("bake_traffic", **changes), context)
        return answer

    return run


@pytest.fixture
def old_version(aws: Aws, serving: Serving, bake: Bake) -> None:
    """The version before answers half of what the new one does; that is remembered."""
    serving.answer = lambda values: lines([value / 2 for value in values])
    is_now(aws)
    assert bake(phase="baseline")["over"] is True
    # A challenger may answer beside it: its answers are not those of the version in service.
    assert set(serving.targets) == {("live", None)}
    serving.requests.clear()
    serving.targets.clear()


@pytest.mark.usefixtures("old_version")
def test_the_answers_of_either_version_are_right(
    aws: Aws, serving: Serving, bake: Bake, published: Callable[[], Published]
) -> None:
    both = iter(range(100))
    serving.answer = lambda values: lines([value / (1 + next(both) % 2) for value in values])
    is_now(aws, status="Updating")
    seen = published()
    answer = bake()
    assert seen.values() == {"SyntheticRequests": 12, "WrongAnswers": 0}
    assert answer == {"over": False, "progress": {"rounds": 1, "updating": True}}
    assert len(serving.requests) == 12
    assert all("\n" not in request for request in serving.requests)
    assert set(serving.targets) == {(None, None)}


@pytest.mark.usefixtures("old_version")
@pytest.mark.parametrize(
    "answer",
    [
        lambda values: lines([1 - value for value in values]),
        lambda values: lines([value / 2 + 0.001 for value in values]),
        lambda _: "",
        lambda _: "error",
        lambda values: lines([*values, *values]),
    ],
    ids=["turned around", "a little off", "nothing", "no number", "two answers"],
)
def test_an_answer_that_neither_version_gives_is_wrong(
    aws: Aws, serving: Serving, bake: Bake, published: Callable[[], Published], answer: Callable[[list[float]], str]
) -> None:
    serving.answer = answer
    is_now(aws, status="Updating")
    seen = published()
    bake()
    assert seen.values() == {"SyntheticRequests": 12, "WrongAnswers": 12}


@pytest.mark.usefixtures("old_version")
def test_no_answer_is_a_failure_that_sagemaker_counts_itself(
    aws: Aws, serving: Serving, bake: Bake, published: Callable[[], Published]
) -> None:
    serving.status = 500
    is_now(aws, status="Updating")
    seen = published()
    assert bake()["over"] is False
    assert seen.values() == {"SyntheticRequests": 12, "WrongAnswers": 0}


@pytest.mark.usefixtures("old_version")
@pytest.mark.parametrize(
    ("status", "config", "progress"),
    [
        ("InService", "new", {"rounds": 3, "updating": True}),
        ("InService", "new", {"rounds": 1, "updating": False}),
        ("InService", "old", {"rounds": 3, "updating": True}),
        ("InService", "old", {"rounds": PATIENCE, "updating": False}),
        ("Failed", "old", {"rounds": 2, "updating": True}),
    ],
    ids=["updated", "updated between two looks", "rolled back", "nothing to update", "failed"],
)
def test_it_ends_with_the_update(
    aws: Aws, serving: Serving, bake: Bake, status: str, config: str, progress: Json
) -> None:
    is_now(aws, status=status, config=config)
    assert bake(progress=progress)["over"] is True
    assert serving.requests == []


@pytest.mark.usefixtures("old_version")
def test_an_update_that_began_and_ended_between_two_looks_is_over(aws: Aws, serving: Serving, bake: Bake) -> None:
    is_now(aws, modified="2026-11-12T00:10:00Z")
    assert bake(progress={"rounds": 1, "updating": False})["over"] is True
    assert serving.requests == []


@pytest.mark.usefixtures("old_version")
def test_it_waits_for_an_update_that_has_not_begun(aws: Aws, bake: Bake, published: Callable[[], Published]) -> None:
    is_now(aws)
    seen = published()
    assert bake(progress={"rounds": PATIENCE - 1, "updating": False})["over"] is False
    assert seen.values()["WrongAnswers"] == 0


def test_a_first_version_is_not_baked(aws: Aws, serving: Serving, bake: Bake, bucket: Bucket) -> None:
    missing = f'Could not find endpoint "arn:aws:sagemaker:eu-west-1:111122223333:endpoint/{NAME}".'
    aws.stub("sagemaker").add_client_error("describe_endpoint", "ValidationException", missing)
    bake(phase="baseline")
    assert bucket.read(BASELINE) == {"configuration": "", "modified": "", "answers": []}
    is_now(aws, status="InService", config="first")
    assert bake()["over"] is True
    assert serving.requests == []


def test_a_version_before_that_cannot_answer_these_rows_has_no_right_answers(
    aws: Aws, serving: Serving, bake: Bake, bucket: Bucket, published: Callable[[], Published]
) -> None:
    serving.status = 400
    is_now(aws)
    bake(phase="baseline")
    assert bucket.read(BASELINE)["answers"] == [[]] * 12
    serving.status = 200
    is_now(aws, status="Updating")
    seen = published()
    bake()
    assert seen.values()["WrongAnswers"] == 0
    assert len(MODEL) >= 12
