"""One look at an endpoint that is updated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambdas.bake_traffic.events import Baseline
from lambdas.bake_traffic.logic import ask, is_over, tally
from lambdas.shared.clients import IMPATIENT, client
from lambdas.shared.endpoint_calls import EndpointCaller
from lambdas.shared.endpoints import Endpoints, EndpointState
from lambdas.shared.events import read
from lambdas.shared.labelled_rows import PREDICTIONS_LIMIT, TEST_SET_LIMIT, read_predictions, read_rows
from lambdas.shared.storage import Storage

if TYPE_CHECKING:
    from aws_lambda_powertools.logging import Logger

    from lambdas.bake_traffic.events import BakeEvent
    from lambdas.bake_traffic.logic import Tally
    from lambdas.shared.labelled_rows import Row

NAMESPACE = "MLOps"


def remember(asked: BakeEvent, log: Logger) -> dict[str, Any]:
    """Keep what the version in service answers to the rows, so that its answers are not taken for wrong ones."""
    found = Endpoints(client("sagemaker", access=asked.access)).find(asked.endpoint_name)
    baseline = Baseline(configuration="", modified="", answers=[])
    if found is not None and found.state is EndpointState.SERVING:
        caller = _caller(asked, variant=asked.variant)
        # An old version that cannot answer these rows, because its features were others, has no right answers.
        answers = [ask(caller, row, asked.task) or [] for row in _rows(asked)]
        baseline = Baseline(configuration=found.config_name, modified=found.last_modified, answers=answers)
    Storage(client("s3")).write_json(asked.baseline_uri, baseline.model_dump(mode="json"))
    log.info("baseline remembered", endpoint=asked.endpoint_name, rows=len(baseline.answers))
    return {"over": True, "progress": {"rounds": 0, "updating": False}}


def bake(asked: BakeEvent, log: Logger) -> dict[str, Any]:
    """Send the rows once, publish what came back, and say whether the update is over."""
    before = read(Baseline, Storage(client("s3")).read_json(asked.baseline_uri), what=asked.baseline_uri)
    found = Endpoints(client("sagemaker", access=asked.access)).find(asked.endpoint_name)
    over = is_over(found, before, asked.progress)
    updating = asked.progress.updating or (found is not None and found.state is EndpointState.CHANGING)
    progress = {"rounds": asked.progress.rounds + 1, "updating": updating}
    if over or found is None:
        return {"over": True, "progress": progress}
    rows, caller = _rows(asked), _caller(asked)
    result = tally([ask(caller, row, asked.task) for row in rows], rows, before, asked.tolerance)
    _publish(asked, result)
    log.info("endpoint baked", endpoint=asked.endpoint_name, sent=result.sent, failed=result.failed, wrong=result.wrong)
    return {"over": False, "progress": progress}


def _rows(asked: BakeEvent) -> list[Row]:
    storage = Storage(client("s3"))
    predictions = read_predictions(storage.lines(asked.predictions_uri, limit=PREDICTIONS_LIMIT), asked.task)
    return read_rows(storage.lines(asked.test_uri, limit=TEST_SET_LIMIT), predictions, asked.requests)


def _caller(asked: BakeEvent, *, variant: str | None = None) -> EndpointCaller:
    runtime = client("sagemaker-runtime", IMPATIENT, access=asked.access)
    return EndpointCaller(runtime, endpoint_name=asked.endpoint_name, variant=variant)


def _publish(asked: BakeEvent, result: Tally) -> None:
    dimensions = [{"Name": "Model", "Value": asked.model}, {"Name": "Environment", "Value": asked.environment}]
    client("cloudwatch", access=asked.access).put_metric_data(
        Namespace=NAMESPACE,
        MetricData=[
            {"MetricName": name, "Dimensions": dimensions, "Value": value, "Unit": "Count"}
            for name, value in (("SyntheticRequests", result.sent), ("WrongAnswers", result.wrong))
        ],
    )
