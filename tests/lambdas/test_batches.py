"""The functions of a model that answers files: what a batch takes, when it is visible, and the verification of one."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.find_champion import handler as find_champion
from lambdas.run_batch import handler as run_batch
from lambdas.run_batch.running import other_batch
from lambdas.shared.current import current_version
from lambdas.shared.errors import EndpointNotServing, EventError
from lambdas.verify_batch import handler as verify_batch
from tests.lambdas.conftest import BUCKET
from tests.lambdas.endpoint_program import MODEL, PREDICTIONS, TEST

if TYPE_CHECKING:
    from tests.lambdas.conftest import Aws, Bucket, Context, Json

MACHINE = "arn:aws:states:eu-west-1:111122223333:stateMachine:mlops-churn-dev-batches"
CURRENT = {
    "endpoint": "mlops-churn-dev",
    "targetModel": "churn/runs/run-1/model/job-1/output/model.tar.gz",
    "modelDataUrl": "s3://mlops-artifacts/churn/runs/run-1/model/job-1/output/model.tar.gz",
    "imageUri": "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.0-5",
    "modelPackageArn": "arn:aws:sagemaker:eu-west-1:111122223333:model-package/mlops-churn/1",
    "modelName": "mlops-churn-dev-v1-ab",
    "release": "abcd",
}
INPUT, OUTPUT = "churn/questions/dev", "churn/answers/dev"


def name_version(aws: Aws, **changes: Any) -> None:
    value = json.dumps(CURRENT | changes)
    aws.create_client("ssm").put_parameter(Name="/mlops/churn/dev/current", Value=value, Type="String", Overwrite=True)


@pytest.fixture
def version(moto: Aws) -> None:
    name_version(moto)


class Batches:
    """The state machine of the batches, whose transform job is the test."""

    def __init__(self, aws: Aws, bucket: Bucket, event_of: Callable[..., Json], context: Context) -> None:
        self.bucket, self._event_of, self._context = bucket, event_of, context
        self._states = aws.stub("stepfunctions")

    def ask(self, phase: str, batch: str = "b1", **changes: Any) -> Json:
        if phase == "select":
            self._states.add_response("list_executions", {"executions": []})
        event = self._event_of("run_batch", phase=phase, batch=batch, **changes)
        answer: Json = run_batch.handle(event, self._context)
        return answer

    def transform(self, batch: str, answer: Callable[[str], str] = lambda _: "0.5") -> None:
        """Answer every line of the files that the batch has chosen, as a transform job does."""
        listed = self.bucket.s3.get_object(Bucket=BUCKET, Key=f"{OUTPUT}/requests/{batch}.manifest")
        first, *places = json.loads(listed["Body"].read())
        assert first == {"prefix": f"s3://{BUCKET}/{INPUT}/"}
        for place in places:
            body = self.bucket.s3.get_object(Bucket=BUCKET, Key=f"{INPUT}/{place}")["Body"].read().decode()
            self.bucket.put(
                f"{OUTPUT}/answers/{batch}/{place}.out", "".join(answer(line) + "\n" for line in body.splitlines())
            )

    def run(self, batch: str, answer: Callable[[str], str] = lambda _: "0.5") -> Json:
        selected = self.ask("select", batch)
        if not selected["found"]:
            return selected
        self.transform(batch, answer)
        return self.ask("publish", batch)


@pytest.fixture
def batches(aws: Aws, version: None, bucket: Bucket, event_of: Callable[..., Json], context: Context) -> Batches:
    del version
    return Batches(aws, bucket, event_of, context)


def test_a_batch_takes_every_file_once(batches: Batches) -> None:
    for name, body in (("a.csv", "1,2\n3,4\n"), ("sub/b.csv", "5,6\n"), ("empty.csv", "")):
        batches.bucket.put(f"{INPUT}/{name}", body)
    first = batches.run("b1")
    assert (first["passed"], "a.csv has 2 rows and 2 answers" in first["summary"]) == (True, True)
    manifest = batches.bucket.read(f"{OUTPUT}/manifests/b1.json")
    assert manifest["answers"] == {
        f"{INPUT}/a.csv": f"{OUTPUT}/answers/b1/a.csv.out",
        f"{INPUT}/sub/b.csv": f"{OUTPUT}/answers/b1/sub/b.csv.out",
    }
    assert manifest["plan"]["modelPackageArn"] == CURRENT["modelPackageArn"]
    assert batches.run("b2") == {"found": False, "reason": f"nothing new is in s3://{BUCKET}/{INPUT}/"}
    batches.bucket.put(f"{INPUT}/a.csv", "7,8\n")
    assert batches.run("b3")["passed"] is True
    assert [file["key"] for file in batches.bucket.read(f"{OUTPUT}/manifests/b3.json")["plan"]["files"]] == [
        f"{INPUT}/a.csv"
    ]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda _: "1.5", "2 cannot be an answer of the model (line 1: '1.5')"),
        (lambda _: "0.5,0.5", "cannot be an answer"),
        (lambda line: "0.5\n0.5" if line == "1,2" else "0.5", "has 2 rows and 3 answers"),
    ],
)
def test_a_batch_with_a_wrong_answer_is_never_visible(
    batches: Batches, answer: Callable[[str], str], said: str
) -> None:
    batches.bucket.put(f"{INPUT}/a.csv", "1,2\n3,4\n")
    result = batches.run("b1", answer)
    assert result["passed"] is False
    assert said in result["summary"]
    assert f"{OUTPUT}/manifests/b1.json" not in set(batches.bucket.keys())
    assert batches.run("b2")["passed"] is True


def test_a_file_that_changes_while_it_is_answered_is_answered_again(batches: Batches) -> None:
    batches.bucket.put(f"{INPUT}/a.csv", "1,2\n")
    batches.ask("select")
    batches.transform("b1")
    batches.bucket.put(f"{INPUT}/a.csv", "3,4\n")
    result = batches.ask("publish")
    assert result["passed"] is False
    assert "changed while it was answered" in result["summary"]
    assert batches.run("b2")["passed"] is True


def test_the_answers_of_several_classes_are_as_many_numbers(batches: Batches) -> None:
    batches.bucket.put(f"{INPUT}/a.csv", "1,2\n")
    three: Json = {"task": "multiclass", "width": 3}
    batches.ask("select", **three)
    batches.transform("b1", lambda _: "0.2,0.3,0.5")
    assert batches.ask("publish", **three)["passed"] is True


@pytest.mark.usefixtures("bucket")
def test_without_a_version_there_is_no_batch(event_of: Callable[..., Json], context: Context) -> None:
    answer = run_batch.handle(event_of("run_batch"), context)
    assert answer == {"found": False, "reason": "no version is deployed to dev yet"}


@pytest.mark.parametrize(("others", "waits"), [((), None), (("b0",), "b0"), (("b2",), None)])
def test_of_two_batches_the_first_goes_on(aws: Aws, others: tuple[str, ...], waits: str | None) -> None:
    executions = [
        {
            "executionArn": f"{MACHINE}:{name}",
            "stateMachineArn": MACHINE,
            "name": name,
            "status": "RUNNING",
            "startDate": datetime(2026, 11, 1, int(name[1]), tzinfo=UTC),
        }
        for name in ("b1", *others)
    ]
    expected = {"stateMachineArn": MACHINE, "statusFilter": "RUNNING"}
    aws.stub("stepfunctions").add_response("list_executions", {"executions": executions}, expected)
    assert other_batch(aws.create_client("stepfunctions"), MACHINE, "b1") == waits


def test_a_parameter_that_names_no_version_is_an_error(moto: Aws) -> None:
    ssm = moto.create_client("ssm")
    ssm.put_parameter(Name="/mlops/churn/dev/current", Value="{}", Type="String")
    with pytest.raises(EndpointNotServing, match="names no version of a model"):
        current_version(ssm, "/mlops/churn/dev/current")


@pytest.mark.usefixtures("version")
def test_the_current_version_is_the_champion(event_of: Callable[..., Json], context: Context) -> None:
    event = event_of("find_champion", current="/mlops/churn/dev/current")
    champion = find_champion.handle(event, context)
    assert champion["exists"] is True
    assert champion["modelDataUrl"] == CURRENT["modelDataUrl"]
    assert champion["dataReportUri"] == "s3://mlops-artifacts/churn/runs/run-1/data-report"


@pytest.mark.usefixtures("moto")
def test_before_the_first_version_there_is_no_champion(event_of: Callable[..., Json], context: Context) -> None:
    event = event_of("find_champion", current="/mlops/churn/dev/current")
    assert find_champion.handle(event, context) == {"exists": False}


@pytest.fixture
def verify(
    version: None, bucket: Bucket, event_of: Callable[..., Json], context: Context
) -> Callable[..., tuple[Json, Json | None]]:
    """Verify a version; its answers are those of `answer`."""
    del version
    bucket.put("churn/runs/run-1/prepared/requests/test.csv", TEST)
    bucket.put("churn/runs/run-1/evaluation/predictions.csv", PREDICTIONS)

    def run(answer: Callable[[str], str] = lambda line: str(MODEL[line])) -> tuple[Json, Json | None]:
        sampled = verify_batch.handle(event_of("verify_batch"), context)
        if not sampled["ready"]:
            return sampled, None
        body = bucket.s3.get_object(Bucket=BUCKET, Key="churn/runs/run-1/batch/dev/in/rows.csv")["Body"].read()
        answers = "".join(f"{answer(line)}\n" for line in body.decode().splitlines())
        bucket.put("churn/runs/run-1/batch/dev/out/rows.csv.out", answers)
        return sampled, verify_batch.handle(event_of("verify_batch", phase="answers"), context)

    return run


def test_a_version_that_answers_as_it_was_evaluated_passes(verify: Callable[..., Any], bucket: Bucket) -> None:
    sampled, judged = verify()
    assert sampled == {"ready": True, "modelName": CURRENT["modelName"]}
    assert judged["passed"] is True
    record = bucket.read("churn/runs/run-1/deployments/dev.json")
    assert [check["name"] for check in record["checks"]] == [
        *("model", "response", "content-type", "row-count", "range", "predictions", "metric-auc"),
    ]


def test_a_version_that_answers_otherwise_fails(verify: Callable[..., Any], bucket: Bucket) -> None:
    _, judged = verify(lambda line: str(1 - MODEL[line]))
    assert judged["passed"] is False
    assert "20 of 20 answers differ from the evaluation" in judged["summary"]
    assert bucket.read("churn/runs/run-1/deployments/dev.json")["passed"] is False


def test_checks_that_could_not_be_made_have_failed(verify: Callable[..., Any], bucket: Bucket) -> None:
    _, judged = verify(lambda _: "yes")
    checks = {check["name"]: check for check in bucket.read("churn/runs/run-1/deployments/dev.json")["checks"]}
    assert judged["passed"] is checks["metric-auc"]["passed"] is False
    assert "not checked" in checks["predictions"]["reason"]


def test_another_version_than_the_one_asked_for_is_not_even_tried(
    moto: Aws, verify: Callable[..., Any], bucket: Bucket
) -> None:
    name_version(moto, imageUri="another")
    sampled, judged = verify()
    assert (sampled["ready"], sampled["passed"], judged) == (False, False, None)
    assert "in another, " in sampled["summary"]
    assert bucket.read("churn/runs/run-1/deployments/dev.json")["passed"] is False


@pytest.mark.parametrize("change", [{"phase": "other"}, {"width": 0}, {"batch": "../x"}, {"inputUri": "s3://b"}])
@pytest.mark.usefixtures("moto")
def test_an_event_that_makes_no_sense_is_refused(event_of: Callable[..., Json], context: Context, change: Json) -> None:
    with pytest.raises(EventError):
        run_batch.handle(event_of("run_batch", **change), context)
