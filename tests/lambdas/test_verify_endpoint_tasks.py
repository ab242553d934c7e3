"""The verification of endpoints whose models answer several probabilities, or a number."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from lambdas.shared.errors import EventError
from tests.lambdas.endpoint_program import ROWS

if TYPE_CHECKING:
    from tests.lambdas.conftest import Bucket, Json
    from tests.lambdas.endpoint_program import Serving

Written = tuple[str, str, dict[str, str]]


def make_test_set_of_three_classes() -> Written:
    """Return test.csv, predictions.csv and the line that the model answers to the features of each row."""
    test, predictions, model = [], ["row,label,probability_0,probability_1,probability_2"], {}
    for row in range(1, ROWS + 1):
        label = row % 3
        values = ["0.1", "0.1", "0.1"]
        values[label] = "0.8"
        features = f"{row},{label}"
        test.append(f"{label},{features}")
        predictions.append(f"{row},{label},{','.join(values)}")
        model[features] = ",".join(values)
    return "\n".join(test), "\n".join(predictions), model


def make_test_set_of_numbers() -> Written:
    """Return test.csv, predictions.csv and what the model answers to the features of each row."""
    test, predictions, model = [], ["row,label,prediction"], {}
    for row in range(1, ROWS + 1):
        label, answer, features = row * 5.5, row * 5.5 + row % 5 - 2, f"{row},7"
        test.append(f"{label},{features}")
        predictions.append(f"{row},{label},{answer:.9g}")
        model[features] = repr(answer)
    return "\n".join(test), "\n".join(predictions), model


OF_TASK = {"multiclass": make_test_set_of_three_classes(), "regression": make_test_set_of_numbers()}
BOUNDS = {
    "multiclass": {"accuracy": {"floor": 0.85}, "f1": {"floor": 0.85}, "log_loss": {"ceiling": 0.6}},
    "regression": {"rmse": {"ceiling": 2.0}, "mae": {"ceiling": 2.0}, "r2": {"floor": 0.9}},
}


@pytest.fixture
def verify_task(
    verify: Callable[..., Json], bucket: Bucket, serving: Serving, event_of: Callable[..., Json]
) -> Callable[..., Json]:
    """Verify an endpoint of another task; `write` joins its answers."""

    def run(task: str, write: Callable[[list[str]], str] = "\n".join) -> Json:
        test, predictions, serving.model = OF_TASK[task]
        serving.write = write
        bucket.put("churn/runs/run-1/prepared/test/test.csv", test)
        bucket.put("churn/runs/run-1/evaluation/predictions.csv", predictions)
        gates = event_of("verify_endpoint")["gates"] | {"metrics": BOUNDS[task]}
        return verify(task=task, gates=gates)

    return run


@pytest.mark.usefixtures("good")
@pytest.mark.parametrize("task", OF_TASK)
def test_an_endpoint_of_each_task_that_answers_rightly_passes(verify_task: Callable[..., Json], task: str) -> None:
    answer = verify_task(task)
    assert answer["passed"] is True, answer
    assert all(name in answer["summary"] for name in BOUNDS[task])


@pytest.mark.usefixtures("good")
@pytest.mark.parametrize(
    ("task", "write", "words"),
    [
        ("multiclass", ",".join, "21 rows sent, 1 answer received"),
        ("multiclass", lambda lines: "\n".join(line[4:] for line in lines), "not 3 probabilities that add up to 1"),
        ("multiclass", lambda lines: "\n".join(["0.8,0.8,0.1", *lines[1:]]), "1 answer is not 3 probabilities"),
        ("multiclass", lambda lines: "\n".join(["1.1,-0.1,0", *lines[1:]]), "'1.1,-0.1,0'"),
        ("multiclass", lambda lines: "\n".join(line[-3:] + line[3:-3] + line[:3] for line in lines), "differ from"),
        ("multiclass", lambda lines: "\n".join(str(number % 3) for number, _ in enumerate(lines)), "not 3 prob"),
        ("regression", lambda lines: "\n".join(["nan", *lines[1:]]), "1 answer is no number"),
        ("regression", lambda lines: "\n".join(["1e40", *lines[1:]]), "'1e40'"),
        ("regression", lambda lines: "\n".join(lines[1:]), "20 rows sent, 19 answers received"),
        ("regression", lambda lines: "\n".join(str(1 - float(line)) for line in lines), "20 of 20 answers differ"),
        ("regression", lambda lines: "\n".join(str(float(line) * 1.001) for line in lines), "differ from the eval"),
    ],
)
def test_a_wrong_answer_of_each_task_fails(
    verify_task: Callable[..., Json], task: str, write: Callable[[list[str]], str], words: str
) -> None:
    result = verify_task(task, write)
    assert result["passed"] is False
    assert words in result["summary"]


@pytest.mark.usefixtures("good")
def test_numbers_may_stand_between_commas(verify_task: Callable[..., Json]) -> None:
    assert verify_task("regression", ",".join)["passed"] is True


@pytest.mark.usefixtures("good")
def test_large_numbers_may_differ_in_their_last_digits(verify_task: Callable[..., Json]) -> None:
    assert verify_task("regression", lambda lines: "\n".join(str(float(line) * 1.00001) for line in lines))["passed"]


@pytest.mark.usefixtures("good")
def test_predictions_of_another_task_are_refused(verify: Callable[..., Json]) -> None:
    with pytest.raises(EventError, match="must begin with the header 'row,label,prediction'"):
        verify(task="regression")
