from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lambdas.shared import storage as storage_module
from lambdas.shared.clients import client
from lambdas.shared.errors import StorageError
from lambdas.shared.storage import Storage, split_uri

if TYPE_CHECKING:
    from tests.lambdas.conftest import Aws, Bucket


@pytest.fixture
def storage(bucket: Bucket) -> Storage:
    return Storage(bucket.s3)


def test_a_document_comes_back_as_it_was_written(storage: Storage) -> None:
    storage.write_json("s3://mlops-artifacts/a.json", {"name": "Zoë", "value": 0.1})
    assert storage.read_json("s3://mlops-artifacts/a.json") == {"name": "Zoë", "value": 0.1}


def test_nan_is_not_written(storage: Storage) -> None:
    with pytest.raises(ValueError, match="JSON"):
        storage.write_json("s3://mlops-artifacts/a.json", {"value": float("nan")})


@pytest.mark.parametrize("uri", ["s3://mlops-artifacts/no.json", "s3://no-such-bucket/a.json"])
def test_a_missing_document_is_named(storage: Storage, uri: str) -> None:
    with pytest.raises(StorageError, match=f"{uri} does not exist"):
        storage.read_json(uri)


@pytest.mark.parametrize("body", ["", "not json", b"\xff\xfe", "[" * 100_000])
def test_a_document_that_is_not_json_is_named(storage: Storage, bucket: Bucket, body: str | bytes) -> None:
    uri = bucket.put("bad.json", body)
    with pytest.raises(StorageError, match=f"{uri} is not JSON"):
        storage.read_json(uri)


def test_a_huge_document_is_not_read(storage: Storage, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_module, "JSON_LIMIT", 10)
    with pytest.raises(StorageError, match="has 12 bytes; at most 10"):
        storage.read_json(bucket.put("big.json", '"0123456789"'))


def test_a_denied_document_names_permission_and_object(aws: Aws) -> None:
    aws.stub("s3").add_client_error("get_object", "AccessDenied", "no kms:Decrypt", 403)
    with pytest.raises(StorageError, match=r"s3://b-1/k cannot be read: the function's role may not.*kms:Decrypt"):
        Storage(client("s3")).read_json("s3://b-1/k")


def test_a_failed_write_names_the_object(aws: Aws) -> None:
    aws.stub("s3").add_client_error("put_object", "NoSuchBucket", "gone", 404)
    with pytest.raises(StorageError, match=r"s3://b-1/k does not exist"):
        Storage(client("s3")).write_json("s3://b-1/k", {})


def test_lines_are_read_without_their_ends(storage: Storage, bucket: Bucket) -> None:
    assert list(storage.lines(bucket.put("a.csv", "1,2\n3,4\n"), limit=100)) == ["1,2", "3,4"]


def test_lines_that_are_no_text_are_named(storage: Storage, bucket: Bucket) -> None:
    with pytest.raises(StorageError, match=r"a\.csv is not text in UTF-8"):
        list(storage.lines(bucket.put("a.csv", b"ok\n\xff\n"), limit=100))


@pytest.mark.parametrize("uri", ["", "s3://", "s3://bucket", "s3://bucket/", "https://bucket/key"])
def test_an_uri_without_bucket_and_key_is_refused(uri: str) -> None:
    with pytest.raises(StorageError, match="s3://bucket/key"):
        split_uri(uri)


def test_aws_is_waited_for_and_the_endpoint_under_test_is_not() -> None:
    from lambdas.shared.clients import IMPATIENT, PATIENT  # noqa: PLC0415

    assert (PATIENT.retries["mode"], PATIENT.retries["total_max_attempts"]) == ("adaptive", 10)
    assert IMPATIENT.retries["total_max_attempts"] == 1
    assert PATIENT.read_timeout <= 60
    assert IMPATIENT.read_timeout <= 60
