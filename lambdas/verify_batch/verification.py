"""The verification of a model that answers in batches: labelled rows through a transform job of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambdas.shared.answers import ANSWER_CHECKS, NOT_CHECKED, check_answers
from lambdas.shared.clients import client
from lambdas.shared.current import current_version
from lambdas.shared.decisions import Check, all_passed, summarize
from lambdas.shared.endpoint_calls import CONTENT_TYPE, Reply
from lambdas.shared.labelled_rows import PREDICTIONS_LIMIT, TEST_SET_LIMIT, payload, read_predictions, read_rows
from lambdas.shared.storage import split_uri

if TYPE_CHECKING:
    from lambdas.shared.labelled_rows import Predictions, Row
    from lambdas.shared.storage import Storage
    from lambdas.verify_batch.events import VerifyBatchEvent

ANSWERS_LIMIT = 64 * 1024 * 1024
_OK = 200
_ROWS = "rows.csv"


def sample(asked: VerifyBatchEvent, storage: Storage, s3: Any) -> dict[str, Any]:
    """Write the rows, if the version that was asked for is the current one."""
    current = current_version(client("ssm"), asked.current)
    served = (current.model_data_url, current.image_uri) if current else ("none", "none")
    wanted = (asked.expected.model_data_url, asked.expected.image_uri)
    if current is None or served != wanted:
        reason = f"the current version is {served[0]} in {served[1]}, {wanted[0]} in {wanted[1]} was asked for"
        return {"ready": False, **_recorded(asked, storage, [Check(name="model", passed=False, reason=reason)])}
    rows, _ = _rows(asked, storage)
    bucket, key = split_uri(f"{asked.sample_uri}/in/{_ROWS}")
    s3.put_object(Bucket=bucket, Key=key, Body=payload(rows) + b"\n", ContentType=CONTENT_TYPE)
    return {"ready": True, "modelName": current.model_name}


def judge(asked: VerifyBatchEvent, storage: Storage) -> dict[str, Any]:
    """Compare the answers of the transform job with those of the evaluation."""
    rows, predictions = _rows(asked, storage)
    lines = storage.lines(f"{asked.sample_uri}/out/{_ROWS}.out", limit=ANSWERS_LIMIT)
    answers = _Stored("\n".join(lines).encode())
    checks = [Check(name="model", passed=True, reason=f"the version of run {asked.run} is the current one")]
    checks += check_answers(answers, rows, predictions, asked.gates)
    return _recorded(asked, storage, checks)


def _rows(asked: VerifyBatchEvent, storage: Storage) -> tuple[list[Row], Predictions]:
    predictions = read_predictions(storage.lines(asked.predictions_uri, limit=PREDICTIONS_LIMIT), asked.task)
    lines = storage.lines(asked.test_uri, limit=TEST_SET_LIMIT)
    return read_rows(lines, predictions, asked.gates.verify.rows), predictions


class _Stored:
    """The answers of a transform job, in place of those of an endpoint."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def call(self, body: bytes) -> Reply:
        """Return what was answered to the rows in `body`."""
        del body
        return Reply(status=_OK, content_type=CONTENT_TYPE, body=self._body, milliseconds=0.0)


def _recorded(asked: VerifyBatchEvent, storage: Storage, checks: list[Check]) -> dict[str, Any]:
    """Write the record of all checks; one that could not be made has failed."""
    made = {check.name for check in checks}
    required = (*ANSWER_CHECKS, *(f"metric-{metric}" for metric in asked.gates.metrics))
    checks += [Check(name=name, passed=False, reason=NOT_CHECKED) for name in required if name not in made]
    told = [check for check in checks if check.reason != NOT_CHECKED]
    result = {"passed": all_passed(checks), "summary": summarize(f"The batches of {asked.environment}", told)}
    record = {
        "version": 1,
        **asked.model_dump(mode="json", by_alias=True, include={"run", "environment", "expected"}),
        **result,
        "checks": [check.document() for check in checks],
    }
    storage.write_json(asked.record_uri, record)
    return {**result, "recordUri": asked.record_uri}
