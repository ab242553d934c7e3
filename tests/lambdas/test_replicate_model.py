from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from lambdas.replicate_model import adapter, handler
from tests.lambdas.conftest import BUCKET

if TYPE_CHECKING:
    from tests.lambdas.conftest import Aws, Bucket, Context, Json

REGION = "eu-central-1"
TARGET = "mlops-artifacts-eu-central-1"
KEY = "churn/runs/run-1/model/job-1/output/model.tar.gz"
URL = f"s3://{TARGET}/{KEY}"


@pytest.fixture
def there(moto: Aws, bucket: Bucket) -> Any:
    """S3 in the region of the copy."""
    bucket.put(KEY, b"model")
    s3 = moto.elsewhere(region=REGION).create_client("s3")
    s3.create_bucket(Bucket=TARGET, CreateBucketConfiguration={"LocationConstraint": REGION})
    return s3


@pytest.fixture
def replicate(job_of: Callable[..., Json], context: Context) -> Callable[..., Json]:
    return lambda **changes: handler.handle(job_of("replicate_model", **changes), context)


def copied(s3: Any) -> bytes:
    content: bytes = s3.get_object(Bucket=TARGET, Key=KEY)["Body"].read()
    return content


def unfinished(s3: Any) -> list[str]:
    return [each["Key"] for each in s3.list_multipart_uploads(Bucket=TARGET).get("Uploads", [])]


def test_a_model_is_copied_to_the_same_key_in_the_region_of_the_endpoint(
    there: Any, replicate: Callable[..., Json], expect_answer: Callable[..., None]
) -> None:
    operations: list[str] = []
    there.meta.events.register("before-call.s3", lambda model, **_: operations.append(model.name))
    expect_answer(variables={"ModelDataUrl": URL})
    assert replicate()["answer"] == "Succeeded"
    assert operations == ["CopyObject"]
    assert copied(there) == b"model"


def test_the_preprocessor_of_the_run_goes_with_its_model(
    there: Any, bucket: Bucket, replicate: Callable[..., Json], expect_answer: Callable[..., None]
) -> None:
    key = "churn/runs/run-1/prepared/preprocessor/model.tar.gz"
    bucket.put(key, b"preprocessor")
    expect_answer(variables={"ModelDataUrl": URL})
    assert replicate(preprocessor=True)["answer"] == "Succeeded"
    assert there.get_object(Bucket=TARGET, Key=key)["Body"].read() == b"preprocessor"
    assert copied(there) == b"model"


@pytest.mark.usefixtures("there")
def test_a_run_without_the_preprocessor_that_goes_with_its_model_is_named(
    replicate: Callable[..., Json], expect_answer: Callable[..., None]
) -> None:
    expect_answer(words=("churn/runs/run-1/prepared/preprocessor/model.tar.gz does not exist",))
    assert replicate(preprocessor=True)["answer"] == "Failed"


def test_the_same_job_twice_gives_the_same_answer(
    there: Any, replicate: Callable[..., Json], expect_answer: Callable[..., None]
) -> None:
    for _ in range(2):
        expect_answer(variables={"ModelDataUrl": URL})
        assert replicate()["answer"] == "Succeeded"
    assert copied(there) == b"model"


@pytest.mark.parametrize("size", [301, 600, 601, 1000])
def test_a_large_model_is_copied_in_parts(
    there: Any,
    bucket: Bucket,
    replicate: Callable[..., Json],
    expect_answer: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    size: int,
) -> None:
    monkeypatch.setattr(adapter, "PART", 300)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 300)
    content = bytes(at % 251 for at in range(size))
    bucket.put(KEY, content)
    expect_answer(variables={"ModelDataUrl": URL})
    replicate()
    assert copied(there) == content
    assert unfinished(there) == []


def test_no_part_is_larger_than_s3_copies_at_once() -> None:
    assert adapter.PART <= 5 * 1024**3


@pytest.mark.usefixtures("there")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"modelDataUrl": "s3://mlops-artifacts/gone.tar.gz"}, ("s3://mlops-artifacts/gone.tar.gz does not exist",)),
        ({"bucket": "no-such-bucket"}, (f"s3://no-such-bucket/{KEY} does not exist",)),
    ],
)
def test_what_is_not_there_is_named(
    replicate: Callable[..., Json], expect_answer: Callable[..., None], changes: Json, words: tuple[str, ...]
) -> None:
    expect_answer(words=words)
    assert replicate(**changes)["answer"] == "Failed"


@pytest.mark.parametrize(("part", "operation"), [(300, "copy_object"), (10, "upload_part_copy")])
def test_a_model_that_changes_while_it_is_copied_is_a_failure_without_a_trace(
    there: Any,
    bucket: Bucket,
    replicate: Callable[..., Json],
    expect_answer: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    part: int,
    operation: str,
) -> None:
    bucket.put(KEY, b"model, the first one")
    original = getattr(there, operation)

    def copies(**parameters: Any) -> Any:
        bucket.put(KEY, b"model, the second one")
        # As S3 does; moto does not look at the condition.
        if parameters["CopySourceIfMatch"] != bucket.s3.head_object(Bucket=BUCKET, Key=KEY)["ETag"]:
            raise ClientError({"Error": {"Code": "PreconditionFailed", "Message": "not the same"}}, operation)
        return original(**parameters)

    monkeypatch.setattr(adapter, "PART", part)
    monkeypatch.setattr(there, operation, copies)
    expect_answer(words=(URL, "cannot be written", "not the same"))
    assert replicate()["answer"] == "Failed"
    assert there.list_objects_v2(Bucket=TARGET)["KeyCount"] == 0
    assert unfinished(there) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("modelDataUrl", "https://mlops-artifacts/model.tar.gz"),
        ("bucket", "s3://bucket"),
        ("bucket", "B"),
        ("region", "Frankfurt"),
    ],
)
def test_a_wrong_parameter_is_a_failure(
    replicate: Callable[..., Json], expect_answer: Callable[..., None], field: str, value: str
) -> None:
    expect_answer(kind="ConfigurationError", words=(f"field '{field}'", value))
    assert replicate(**{field: value})["answer"] == "Failed"
