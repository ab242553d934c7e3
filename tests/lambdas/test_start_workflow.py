from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from lambdas.shared.errors import EventError, StorageError
from lambdas.start_workflow import handler

if TYPE_CHECKING:
    from tests.lambdas.conftest import Aws, Context, Json

DATA, CODE = "diabetes/data.csv", "diabetes/source.zip"
SCHEDULED = {
    "version": "0",
    "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "111122223333",
    "time": "2026-11-12T06:00:00Z",
    "region": "eu-west-1",
    "resources": ["arn:aws:events:eu-west-1:111122223333:rule/mlops-diabetes-schedule"],
    "detail": {},
}


class Model:
    """The data bucket and the state machine of a model, both of moto."""

    def __init__(self, moto: Aws, event_of: Callable[..., Json]) -> None:
        self._s3, self._event_of = moto.create_client("s3"), event_of
        self._s3.create_bucket(Bucket="mlops-data", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        self._s3.put_bucket_versioning(Bucket="mlops-data", VersioningConfiguration={"Status": "Enabled"})
        self.stepfunctions = moto.create_client("stepfunctions")
        definition = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
        made = self.stepfunctions.create_state_machine(
            name="mlops-diabetes-release",
            definition=json.dumps(definition),
            roleArn="arn:aws:iam::111122223333:role/release",
        )
        self.arn = made["stateMachineArn"]

    def upload(self, key: str, body: str = "x") -> Json:
        """Upload an object and return the event that S3 sends."""
        event = self._event_of("start_pipeline")
        version = self._s3.put_object(Bucket="mlops-data", Key=key, Body=body)["VersionId"]
        event["detail"]["object"] |= {"key": key, "version-id": version}
        return event

    def runs(self) -> list[Json]:
        """Return the inputs of all executions by their names."""
        listed = self.stepfunctions.list_executions(stateMachineArn=self.arn)["executions"]
        found = [self.stepfunctions.describe_execution(executionArn=each["executionArn"]) for each in listed]
        return [{"name": each["name"], **json.loads(each["input"])} for each in found]

    def stop_all(self) -> None:
        for each in self.stepfunctions.list_executions(stateMachineArn=self.arn)["executions"]:
            self.stepfunctions.stop_execution(executionArn=each["executionArn"])


@pytest.fixture
def model(moto: Aws, event_of: Callable[..., Json], monkeypatch: pytest.MonkeyPatch) -> Model:
    made = Model(moto, event_of)
    monkeypatch.setenv("STATE_MACHINE_ARN", made.arn)
    monkeypatch.setenv("DATA_BUCKET", "mlops-data")
    monkeypatch.setenv("DATA_KEY", DATA)
    monkeypatch.setenv("CODE_KEY", CODE)
    return made


def version(event: Json) -> str:
    found: str = event["detail"]["object"]["version-id"]
    return found


def test_new_data_starts_a_run_with_the_versions_of_data_and_code(model: Model, context: Context) -> None:
    code, data = model.upload(CODE), model.upload(DATA)
    answer = handler.handle(data, context)
    run = answer["run"]
    assert re.fullmatch(r"[0-9a-f]{32}", run)
    execution = model.arn.replace(":stateMachine:", ":execution:") + f":{run}"
    assert answer == {"started": True, "execution": execution, "run": run}
    assert model.runs() == [
        {
            "name": run,
            "run": run,
            "trigger": "data",
            "data": {"bucket": "mlops-data", "key": DATA, "version": version(data)},
            "code": {"version": version(code)},
        }
    ]


def test_without_code_to_build_the_data_alone_starts_a_run(
    model: Model, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODE_KEY", "")
    assert handler.handle(model.upload(DATA), context)["started"] is True
    assert model.runs()[0]["code"] == {"version": "none"}


def test_an_event_that_comes_twice_starts_one_run(model: Model, context: Context) -> None:
    model.upload(CODE)
    event = model.upload(DATA)
    first = handler.handle(event, context)
    model.stop_all()
    assert handler.handle(event, context) == {
        "started": False,
        "reason": f"the run {first['run']} was started before",
    }
    assert len(model.runs()) == 1


def test_other_data_starts_another_run(model: Model, context: Context) -> None:
    model.upload(CODE)
    for body in ("old", "new"):
        assert handler.handle(model.upload(DATA, body), context)["started"] is True
    assert len({run["name"] for run in model.runs()}) == 2


def test_the_late_event_of_older_data_starts_nothing(model: Model, context: Context) -> None:
    model.upload(CODE)
    old, new = model.upload(DATA, "old"), model.upload(DATA, "new")
    assert handler.handle(old, context) == {"started": False, "superseded_by": version(new)}
    assert model.runs() == []


@pytest.mark.parametrize(
    ("there", "missing"), [([], [DATA, CODE]), ([DATA], [CODE]), ([CODE], [DATA]), ([DATA, CODE + ".old"], [CODE])]
)
@pytest.mark.parametrize("event", [{}, SCHEDULED], ids=["by hand", "scheduled"])
def test_what_is_not_there_yet_is_waited_for(
    model: Model, context: Context, event: Json, there: list[str], missing: list[str]
) -> None:
    for key in there:
        model.upload(key)
    waiting = [f"s3://mlops-data/{key}" for key in missing]
    assert handler.handle(event, context) == {"started": False, "waiting_for": waiting}
    assert model.runs() == []


def test_a_schedule_starts_one_run_for_each_time_with_the_newest_versions(model: Model, context: Context) -> None:
    model.upload(CODE)
    model.upload(DATA, "old")
    data = model.upload(DATA, "new")
    again = SCHEDULED | {"id": "another delivery"}
    later = SCHEDULED | {"time": "2026-11-19T06:00:00Z"}
    started = []
    for event in (SCHEDULED, again, later):
        started.append(handler.handle(event, context)["started"])
        model.stop_all()
    assert started == [True, False, True]
    assert {run["trigger"] for run in model.runs()} == {"schedule"}
    assert {run["data"]["version"] for run in model.runs()} == {version(data)}


def test_by_hand_every_start_is_a_run_of_its_own(model: Model, context: Context) -> None:
    model.upload(CODE)
    model.upload(DATA)
    runs = [handler.handle({}, context)["run"] for _ in range(2)]
    assert len(set(runs)) == 2
    assert [run["trigger"] for run in model.runs()] == ["manual", "manual"]


@pytest.mark.parametrize("key", [CODE, "other/data.csv", "diabetes/data.csv.old"])
def test_an_object_that_is_not_the_data_is_refused(model: Model, context: Context, key: str) -> None:
    with pytest.raises(EventError, match=f"s3://mlops-data/{key} is not the data of this model"):
        handler.handle(model.upload(key), context)


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        "text",
        5,
        {"a": 1},
        {"detail-type": None},
        {"detail-type": "Object Deleted"},
        {"detail-type": "Object Created"},
        {"detail-type": "Object Created", "detail": {"bucket": {"name": "b"}, "object": {"key": "k"}}},
        {"detail-type": "Scheduled Event"},
        SCHEDULED | {"time": None},
        SCHEDULED | {"resources": []},
    ],
)
def test_anything_else_is_refused_with_the_field_that_is_wrong(model: Model, context: Context, event: Any) -> None:
    with pytest.raises(EventError, match=r"field '(detail-type|detail|time|resources)"):
        handler.handle(event, context)
    assert model.runs() == []


def test_data_without_a_version_is_an_error(model: Model, moto: Aws, context: Context) -> None:
    model.upload(CODE)
    s3 = moto.create_client("s3")
    s3.put_bucket_versioning(Bucket="mlops-data", VersioningConfiguration={"Status": "Suspended"})
    s3.put_object(Bucket="mlops-data", Key=DATA, Body="x")
    with pytest.raises(StorageError, match="switch versioning on"):
        handler.handle({}, context)


def test_a_workflow_that_is_not_there_is_an_error(
    model: Model, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.upload(CODE)
    model.upload(DATA)
    monkeypatch.setenv("STATE_MACHINE_ARN", model.arn + "-gone")
    with pytest.raises(ClientError, match="StateMachineDoesNotExist"):
        handler.handle({}, context)
