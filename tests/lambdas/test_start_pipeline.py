from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.shared.errors import EventError, StorageError
from lambdas.start_pipeline import handler
from lambdas.start_pipeline.logic import S3Source, start

if TYPE_CHECKING:
    from tests.lambdas.conftest import Aws, Context, Json

SOURCES = [
    {"action": "Data", "bucket": "mlops-data", "key": "churn/data.csv"},
    {"action": "Code", "bucket": "mlops-data", "key": "churn/source.zip"},
]
EXECUTION = "33333333-abcd-1111-abcd-111111abcdef"


class DataBucket:
    """The versioned bucket of the sources; `upload` returns the event that S3 sends."""

    def __init__(self, s3: Any, event_of: Callable[..., Json]) -> None:
        self._s3, self._event_of = s3, event_of
        s3.create_bucket(Bucket="mlops-data", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        s3.put_bucket_versioning(Bucket="mlops-data", VersioningConfiguration={"Status": "Enabled"})

    def upload(self, key: str, body: str = "x") -> Json:
        event = self._event_of("start_pipeline")
        version = self._s3.put_object(Bucket="mlops-data", Key=key, Body=body)["VersionId"]
        event["detail"]["object"] |= {"key": key, "version-id": version}
        return event

    def upload_unversioned(self, key: str) -> None:
        self._s3.put_bucket_versioning(Bucket="mlops-data", VersioningConfiguration={"Status": "Suspended"})
        self._s3.put_object(Bucket="mlops-data", Key=key, Body="x")


@pytest.fixture
def data(moto: Aws, event_of: Callable[..., Json], monkeypatch: pytest.MonkeyPatch) -> DataBucket:
    table = {
        "TableName": "starts",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    moto.create_client("dynamodb").create_table(**table)
    moto.stub("codepipeline")
    monkeypatch.setenv("PIPELINE_NAME", "mlops-churn")
    monkeypatch.setenv("IDEMPOTENCY_TABLE", "starts")
    monkeypatch.setenv("SOURCES", json.dumps(SOURCES))
    handler._store.cache_clear()  # noqa: SLF001 - it holds the client of the test before
    return DataBucket(moto.create_client("s3"), event_of)


def expect_start(aws: Aws, **versions: str) -> None:
    from lambdas.start_pipeline.logic import _token  # noqa: PLC0415

    revisions = [
        {"actionName": action, "revisionType": "S3_OBJECT_VERSION_ID", "revisionValue": version}
        for action, version in sorted(versions.items())
    ]
    expected = {"name": "mlops-churn", "clientRequestToken": _token(versions), "sourceRevisions": revisions}
    aws.stub("codepipeline").add_response("start_pipeline_execution", {"pipelineExecutionId": EXECUTION}, expected)


def version(event: Json) -> str:
    found: str = event["detail"]["object"]["version-id"]
    return found


def test_the_last_source_to_arrive_starts_the_pipeline_with_both_versions(
    aws: Aws, data: DataBucket, context: Context
) -> None:
    first, second = data.upload("churn/data.csv"), data.upload("churn/source.zip")
    expect_start(aws, Data=version(first), Code=version(second))
    assert handler.handle(second, context) == {"started": True, "execution": EXECUTION}


def test_a_source_that_is_not_there_yet_is_waited_for(data: DataBucket, context: Context) -> None:
    answer = handler.handle(data.upload("churn/data.csv"), context)
    assert answer == {"started": False, "waiting_for": ["s3://mlops-data/churn/source.zip"]}


def test_an_object_whose_key_only_begins_like_a_source_is_not_the_source(data: DataBucket, context: Context) -> None:
    data.upload("churn/source.zip.old")
    assert handler.handle(data.upload("churn/data.csv"), context)["started"] is False


def test_a_replayed_event_starts_nothing_and_gets_the_same_answer(aws: Aws, data: DataBucket, context: Context) -> None:
    first, second = data.upload("churn/data.csv"), data.upload("churn/source.zip")
    expect_start(aws, Data=version(first), Code=version(second))
    answers = [handler.handle(second, context) for _ in range(3)]
    assert answers == [{"started": True, "execution": EXECUTION}] * 3


def test_an_event_whose_run_could_not_start_can_be_tried_again(aws: Aws, data: DataBucket, context: Context) -> None:
    first, second = data.upload("churn/data.csv"), data.upload("churn/source.zip")
    aws.stub("codepipeline").add_client_error("start_pipeline_execution", "InternalFailure", "later", 500)
    expect_start(aws, Data=version(first), Code=version(second))
    with pytest.raises(Exception, match="later"):
        handler.handle(second, context)
    assert handler.handle(second, context)["started"] is True


def test_the_late_event_of_an_older_version_starts_nothing(data: DataBucket, context: Context) -> None:
    data.upload("churn/source.zip")
    old, new = data.upload("churn/data.csv", "old"), data.upload("churn/data.csv", "new")
    assert handler.handle(old, context) == {"started": False, "superseded_by": version(new)}


def test_both_events_of_one_pair_of_versions_ask_for_the_same_execution(
    aws: Aws, data: DataBucket, context: Context
) -> None:
    first, second = data.upload("churn/data.csv"), data.upload("churn/source.zip")
    for _ in range(2):
        expect_start(aws, Data=version(first), Code=version(second))
    handler.handle(first, context)
    handler.handle(second, context)


def test_an_object_that_is_no_source_is_an_error(data: DataBucket, context: Context) -> None:
    with pytest.raises(
        EventError, match=r"s3://mlops-data/other\.csv is not a source.*s3://mlops-data/churn/data\.csv"
    ):
        handler.handle(data.upload("other.csv"), context)


def test_an_event_without_version_is_an_error(data: DataBucket, context: Context) -> None:
    event = data.upload("churn/data.csv")
    del event["detail"]["object"]["version-id"]
    with pytest.raises(EventError, match=r"field 'detail\.object\.version-id'"):
        handler.handle(event, context)


def test_a_source_without_version_is_an_error_that_says_what_to_do(data: DataBucket, context: Context) -> None:
    event = data.upload("churn/data.csv")
    data.upload_unversioned("churn/source.zip")
    with pytest.raises(StorageError, match="switch versioning on"):
        handler.handle(event, context)


@pytest.mark.parametrize("sources", ["", "{", "[]", "{}", '[{"action": "Data"}]'])
def test_a_bad_configuration_names_the_variable(
    data: DataBucket, context: Context, monkeypatch: pytest.MonkeyPatch, sources: str
) -> None:
    monkeypatch.setenv("SOURCES", sources)
    with pytest.raises(EventError, match="environment variable SOURCES"):
        handler.handle(data.upload("churn/data.csv"), context)


class Recorded:
    """Versions and a pipeline in memory."""

    def __init__(self, current: dict[str, str]) -> None:
        self.current_versions, self.tokens = current, set[str]()

    def current(self, bucket: str, key: str) -> str | None:
        del bucket
        return self.current_versions.get(key)

    def start(self, *, token: str, versions: object) -> str:
        del versions
        self.tokens.add(token)
        return token


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["churn/data.csv", "churn/source.zip"]), min_size=1, max_size=6), st.data())
def test_events_in_any_order_and_number_start_one_execution(uploads: list[str], draw: st.DataObject) -> None:
    world = Recorded({key: f"v{number}" for number, key in enumerate(uploads)})
    arrived = [{"bucket": "mlops-data", "key": key, "version": f"v{n}"} for n, key in enumerate(uploads)]
    shuffled = draw.draw(st.permutations(arrived * 2))
    sources = [S3Source(**source) for source in SOURCES]
    for identity in shuffled:
        start(identity, sources, versions=world, pipeline=world)
    assert len(world.tokens) == (1 if len(set(uploads)) == 2 else 0)
