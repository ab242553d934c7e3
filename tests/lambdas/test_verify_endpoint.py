from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import botocore.session
import pytest
from botocore.config import Config
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.shared.answers import ANSWER_CHECKS
from lambdas.shared.decisions import Check
from lambdas.shared.errors import EndpointChanging, EventError, StorageError
from lambdas.verify_endpoint import trying
from lambdas.verify_endpoint.logic import LATENCY_CHECK, SERVING_CHECKS, conclude
from tests.lambdas.endpoint_program import NAME, PREDICTIONS, deployed

if TYPE_CHECKING:
    from tests.lambdas.conftest import Aws, Bucket, Json
    from tests.lambdas.endpoint_program import Serving

CHANGING = {"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"}
STATUSES = botocore.session.Session().get_service_model("sagemaker").shape_for("EndpointStatus").enum


@pytest.mark.usefixtures("good")
def test_the_endpoint_that_was_asked_for_and_answers_rightly_passes(
    verify: Callable[..., Json], serving: Serving
) -> None:
    answer = verify()
    assert answer["passed"] is True
    assert "20 rows sent, 20 answers received" in answer["summary"]
    assert [len(request.split("\n")) for request in serving.requests] == [20, 1, 1, 1, 1, 1]


@pytest.mark.usefixtures("good")
@pytest.mark.parametrize("separator", [",", "\n", ", ", "\r\n"])
def test_answers_may_stand_on_lines_or_between_commas(
    verify: Callable[..., Json], serving: Serving, separator: str
) -> None:
    serving.answer = lambda values: separator.join(map(str, values))
    assert verify()["passed"] is True


def nothing(_: list[float]) -> str:
    return ""


@pytest.mark.usefixtures("good")
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda values: "\n".join(str(1 - value) for value in values), "20 of 20 answers differ from the evaluation"),
        (lambda values: "\n".join(["0.999"] + [str(v) for v in values[1:]]), "1 of 20 answers differ"),
        (
            lambda values: "\n".join(str(value + 0.0002) for value in values),
            "differ from the evaluation by more than 0.0001",
        ),
        (lambda values: "\n".join(str(value) for value in reversed(values)), "differ from the evaluation"),
        (lambda values: "\n".join(str(value) for value in values[:-1]), "20 rows sent, 19 answers received"),
        (lambda values: "\n".join(str(value) for value in [*values, 0.5]), "20 rows sent, 21 answers received"),
        (nothing, "20 rows sent, 0 answers received"),
        (lambda values: "\n".join(["1.01"] + [str(v) for v in values[1:]]), "no probability within 0 and 1"),
        (lambda values: "\n".join(["-0.01"] + [str(v) for v in values[1:]]), "'-0.01'"),
        (lambda values: "\n".join(["nan"] + [str(v) for v in values[1:]]), "'nan'"),
        (lambda values: "\n".join(["inf"] * len(values)), "20 answers are no probability"),
        (lambda values: "\n".join(["yes"] * len(values)), "'yes'"),
        (lambda values: json.dumps({"predictions": values}), "no probability"),
        (lambda _: "\x00\xff" * 5, "20 rows sent, 1 answer received"),
    ],
)
def test_a_wrong_answer_fails(
    verify: Callable[..., Json], serving: Serving, answer: Callable[[list[float]], str], words: str
) -> None:
    serving.answer = answer
    result = verify()
    assert result["passed"] is False
    assert words in result["summary"]


@pytest.mark.usefixtures("good")
def test_turned_probabilities_miss_the_metrics_too(verify: Callable[..., Json], serving: Serving) -> None:
    serving.answer = lambda values: "\n".join(str(1 - value) for value in values)
    summary = verify()["summary"]
    assert "auc is 0.0000, at least 0.8 required" in summary
    assert "at most 0.6 required" in summary


@pytest.mark.usefixtures("good")
@pytest.mark.parametrize("status", [400, 424, 429, 500, 503])
def test_an_error_of_the_model_fails_after_one_attempt(
    verify: Callable[..., Json], serving: Serving, status: int
) -> None:
    serving.status = status
    result = verify()
    assert result["passed"] is False
    assert f"({status}): the model is broken" in result["summary"]
    assert len(serving.requests) == 1


@pytest.mark.usefixtures("good")
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "text/csvx", "x/" + "y" * 3000])
def test_another_content_type_fails(verify: Callable[..., Json], serving: Serving, content_type: str) -> None:
    serving.content_type = content_type
    result = verify()
    assert result["passed"] is False
    assert "text/csv required" in result["summary"]


@pytest.mark.usefixtures("good")
def test_no_answer_in_time_fails(
    verify: Callable[..., Json], serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trying, "IMPATIENT", Config(retries={"total_max_attempts": 1}, read_timeout=0.1))
    serving.delay = 0.3
    result = verify()
    assert result["passed"] is False
    assert "no answer after 0." in result["summary"]
    assert len(serving.requests) == 1


@pytest.mark.usefixtures("good")
def test_an_answer_that_breaks_off_fails(verify: Callable[..., Json], serving: Serving) -> None:
    serving.broken_off = True
    result = verify()
    assert result["passed"] is False
    assert "does not answer" in result["summary"]


@pytest.mark.usefixtures("good")
def test_nobody_listening_fails(verify: Callable[..., Json], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", "http://127.0.0.1:9")
    result = verify()
    assert result["passed"] is False
    assert "the endpoint does not answer" in result["summary"]


@pytest.mark.usefixtures("good")
def test_a_slow_answer_fails_and_the_median_is_told(
    verify: Callable[..., Json], serving: Serving, event_of: Callable[..., Json]
) -> None:
    serving.delay = 0.03
    gates = event_of("verify_endpoint")["gates"]
    gates["verify"]["maximum_latency_ms"] = 20
    result = verify(gates=gates)
    assert result["passed"] is False
    assert "at most 20 ms allowed" in result["summary"]
    assert len(serving.requests) == 1 + 3


@pytest.mark.usefixtures("good")
@pytest.mark.parametrize("single", [nothing, lambda _: "0.1,0.2"])
def test_a_wrong_answer_to_a_single_row_fails(
    verify: Callable[..., Json], serving: Serving, single: Callable[[list[float]], str]
) -> None:
    serving.single = single
    result = verify()
    assert result["passed"] is False
    assert "for one row, 1 row sent" in result["summary"]


@pytest.mark.parametrize("status", [*sorted(set(STATUSES) - {"InService"} - CHANGING), "Hibernating"])
def test_an_endpoint_that_is_not_in_service_fails_without_being_called(
    aws: Aws, verify: Callable[..., Json], serving: Serving, event_of: Callable[..., Json], status: str
) -> None:
    deployed(aws, event_of("verify_endpoint"), status=status, reason="no capacity")
    result = verify()
    assert result["passed"] is False
    assert f"endpoint {NAME} is {status}: no capacity" in result["summary"]
    assert serving.requests == []


@pytest.mark.parametrize("status", sorted(CHANGING))
def test_an_endpoint_between_two_states_is_asked_again_later(
    aws: Aws, verify: Callable[..., Json], serving: Serving, bucket: Bucket, event_of: Callable[..., Json], status: str
) -> None:
    deployed(aws, event_of("verify_endpoint"), status=status, reason="it takes its time")
    with pytest.raises(EndpointChanging, match=f"endpoint {NAME} is {status}: it takes its time"):
        verify()
    assert serving.requests == []
    assert "churn/runs/run-1/deployments/prod.json" not in bucket.keys()  # noqa: SIM118 - of its objects


def test_an_endpoint_of_another_account_is_described_and_called_with_the_role_there(
    aws: Aws, verify: Callable[..., Json], serving: Serving, event_of: Callable[..., Json]
) -> None:
    access = {"roleArn": "arn:aws:iam::444455556666:role/mlops-prod-observer", "region": "eu-central-1"}
    # Here, with the function's own role, nothing is described: no answer stands ready.
    aws.stub("sagemaker")
    deployed(aws.elsewhere(role_arn=access["roleArn"], region=access["region"]), event_of("verify_endpoint"))
    assert verify(access=access)["passed"] is True
    assert all("/eu-central-1/sagemaker/" in request for request in serving.signed_for)


def test_an_endpoint_that_is_not_there_fails(aws: Aws, verify: Callable[..., Json]) -> None:
    aws.stub("sagemaker").add_client_error("describe_endpoint", "ValidationException", "Could not find endpoint")
    assert f"endpoint {NAME} is missing" in verify()["summary"]


@pytest.mark.parametrize(
    ("served", "words"),
    [
        (
            {"config": "mlops-churn-prod-old"},
            "mlops-churn-prod-new was asked for: SageMaker has rolled the update back",
        ),
        (
            {"model_data": "s3://mlops-artifacts/other.tar.gz"},
            "variant main serves the model data s3://mlops-artifacts/other",
        ),
        ({"image": "other:1"}, "variant main serves the image other:1"),
    ],
)
def test_a_silent_rollback_fails_without_a_call(
    aws: Aws, verify: Callable[..., Json], serving: Serving, event_of: Callable[..., Json], served: Json, words: str
) -> None:
    deployed(aws, event_of("verify_endpoint"), **served)
    result = verify()
    assert result["passed"] is False
    assert words in result["summary"]
    assert serving.requests == []


@pytest.mark.usefixtures("good")
def test_a_metric_that_cannot_be_measured_fails(verify: Callable[..., Json], event_of: Callable[..., Json]) -> None:
    gates = event_of("verify_endpoint")["gates"]
    gates["metrics"]["recall"] = {"floor": 0.1}
    result = verify(gates=gates)
    assert result["passed"] is False
    assert "the metric recall cannot be measured here" in result["summary"]


@pytest.mark.usefixtures("good")
@pytest.mark.parametrize(
    "predictions", ["", "row,label,probability\n", "a,b\n", PREDICTIONS.replace("2,0,", "2,1,", 1)]
)
def test_predictions_that_are_not_of_this_test_set_are_an_error(
    verify: Callable[..., Json], bucket: Bucket, predictions: str, serving: Serving
) -> None:
    bucket.put("churn/runs/run-1/evaluation/predictions.csv", predictions)
    with pytest.raises(EventError, match="predictions"):
        verify()
    assert serving.requests == []


@pytest.mark.usefixtures("good")
def test_a_missing_test_set_is_an_error(verify: Callable[..., Json], bucket: Bucket) -> None:
    bucket.s3.delete_object(Bucket="mlops-artifacts", Key="churn/runs/run-1/prepared/test/test.csv")
    with pytest.raises(StorageError, match=r"test\.csv does not exist"):
        verify()


ALL = (*SERVING_CHECKS, *ANSWER_CHECKS, "metric-auc", LATENCY_CHECK)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([*ALL, "other"]), st.booleans()), max_size=15))
def test_it_passes_only_with_every_check_made_and_none_failed(made: list[tuple[str, bool]]) -> None:
    checks = [Check(name=name, passed=passed, reason="because") for name, passed in made]
    expected = {name for name, _ in made} >= set(ALL) and all(passed for _, passed in made)
    assert conclude(NAME, checks, ["auc"]).passed is expected


def test_all_checks_together_do_pass() -> None:
    assert conclude(NAME, [Check(name=name, passed=True, reason="fine") for name in ALL], ["auc"]).passed
