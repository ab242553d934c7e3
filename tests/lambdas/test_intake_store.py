"""Large objects: in constant memory, in parts, and gone without a trace when something goes wrong on the way."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, IncompleteReadError

from lambdas.intake import store
from lambdas.intake.candidates import CandidateObjects
from lambdas.intake.logic import RESERVE_SECONDS
from lambdas.intake.statement import Reference
from lambdas.intake.store import PART, Store, Upload
from lambdas.shared.errors import CandidateRefused, StorageError
from tests.lambdas.handed_over import DATA, endless

if TYPE_CHECKING:
    from tests.lambdas.conftest import Json
    from tests.lambdas.handed_over import World

MIB = 1024 * 1024
GIB = 1024 * MIB


class Discarding:
    """S3 that counts what it gets and keeps nothing."""

    def __init__(self) -> None:
        self.parts: list[int] = []

    def create_multipart_upload(self, **_: Any) -> Json:
        return {"UploadId": "u"}

    def upload_part(self, **parameters: Any) -> Json:
        assert parameters["PartNumber"] == len(self.parts) + 1
        self.parts.append(len(parameters["Body"]))
        return {"ETag": "e", "ChecksumCRC32": "c"}

    def abort_multipart_upload(self, **_: Any) -> Json:
        return {}


def upload_to(s3: Any) -> Upload:
    return Upload(s3, bucket=DATA, key="abalone/candidates/1/model.tar.gz", sha256="0" * 64)


def test_an_object_of_any_size_passes_through_little_memory() -> None:
    s3, total = Discarding(), GIB // 2
    tracemalloc.start()
    with upload_to(s3) as upload:
        upload.write(endless(total, MIB))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(s3.parts) == total
    assert set(s3.parts) == {PART}
    assert peak < 5 * PART


def test_an_object_of_the_size_that_a_function_can_copy_fits_into_the_parts_that_s3_allows() -> None:
    assert 10_000 * PART > 100 * GIB
    assert 5 * MIB <= PART <= 5 * GIB


@pytest.mark.parametrize("piece", [1, 3, 7, 300, 1000, 4096])
def test_pieces_of_any_size_become_parts_of_one_size(monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr(store, "PART", 300)
    s3, content = Discarding(), bytes(range(256)) * 16
    with upload_to(s3) as upload:
        upload.write(content[at : at + piece] for at in range(0, len(content), piece))
    assert s3.parts == [300] * 13 + [196]
    assert upload.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("size", [1, 256, 300, 600, 601, 3000])
def test_an_object_in_many_parts_comes_out_as_it_was(world: World, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(store, "PART", 300)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 300)
    world.contents["model"] = bytes(at % 251 for at in range(size))
    world.arrive(world.hand_over())
    assert world.read(world.manifest()["model"]) == world.contents["model"]
    head = world.s3.head_object(Bucket=DATA, Key="abalone/candidates/1/model.tar.gz")
    assert head["Metadata"] == {"sha256": hashlib.sha256(world.contents["model"]).hexdigest()}


@pytest.mark.parametrize("part", ["model", "data", "metrics"])
def test_an_object_that_breaks_off_leaves_nothing(world: World, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    arn, file = world.hand_over(), {"model": "model.tar.gz", "data": "data.csv", "metrics": "evaluation.json"}[part]
    original, seen = CandidateObjects.chunks, [file] if part == "metrics" else []

    def breaks(self: CandidateObjects, reference: Reference) -> Iterator[bytes]:
        yield from original(self, reference)
        # The report is read twice: once to be looked at, once to be copied.
        if reference.file == file and not (seen and seen.pop()):
            msg = "the connection broke"
            raise StorageError(msg)

    monkeypatch.setattr(CandidateObjects, "chunks", breaks)
    with pytest.raises(StorageError, match="the connection broke"):
        world.arrive(arn)
    world.assert_untouched()


def test_a_body_that_is_shorter_than_announced_is_an_error_of_the_connection() -> None:
    class Body:
        closed = False

        def iter_chunks(self, _: int) -> Iterator[bytes]:
            yield b"half"
            raise IncompleteReadError(actual_bytes=4, expected_bytes=8)

        def close(self) -> None:
            self.closed = True

    class S3:
        body = Body()

        def get_object(self, **_: Any) -> Json:
            return {"Body": self.body}

    s3 = S3()
    reference = Reference(file="model.tar.gz", bucket="b", key="k", version="v", sha256="0" * 64)
    with pytest.raises(StorageError, match=r"s3://b/k \(version v\): the connection to S3 failed"):
        list(CandidateObjects(s3).chunks(reference))
    assert s3.body.closed


def test_an_object_that_vanishes_while_it_is_copied_is_refused_and_leaves_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = CandidateObjects.chunks

    def vanishes(self: CandidateObjects, reference: Reference) -> Iterator[bytes]:
        if reference.file == "data.csv":
            world.s3.delete_object(Bucket=reference.bucket, Key=reference.key, VersionId=reference.version)
        return original(self, reference)

    monkeypatch.setattr(CandidateObjects, "chunks", vanishes)
    with pytest.raises(CandidateRefused, match=r"data\.csv \(version .*\) does not exist"):
        world.arrive(world.hand_over())
    world.assert_untouched()


@dataclass(frozen=True)
class Hasty:
    """A function whose time is over after some questions about it."""

    remaining: list[int]
    function_name: str = "function"
    function_version: str = "$LATEST"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:111122223333:function:function"
    aws_request_id: str = "0a1b2c3d-request"

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining.pop(0) if len(self.remaining) > 1 else self.remaining[0]


@pytest.mark.parametrize("asked", [0, 1, 2])
def test_a_copy_that_would_not_be_done_in_time_is_dropped_in_time(world: World, asked: int) -> None:
    arn = world.hand_over()
    world.context = Hasty([60_000] * asked + [RESERVE_SECONDS * 1000 - 1])  # type: ignore[assignment]
    with pytest.raises(StorageError, match="the time of the function is over after"):
        world.arrive(arn)
    world.assert_untouched()


class Failing(Discarding):
    def __init__(self, operation: str, error: Exception) -> None:
        super().__init__()
        self.aborted = 0

        def fail(**_: Any) -> Any:
            raise error

        setattr(self, operation, fail)

    def complete_multipart_upload(self, **_: Any) -> Json:
        return {}

    def abort_multipart_upload(self, **_: Any) -> Json:
        self.aborted += 1
        return {}


def client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "m"}}, "Operation")


@pytest.mark.parametrize("operation", ["create_multipart_upload", "upload_part", "complete_multipart_upload"])
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (client_error("AccessDenied"), "cannot be written: the function's role may not"),
        (client_error("ConditionalRequestConflict"), "cannot be written"),
        (EndpointConnectionError(endpoint_url="https://s3"), "the connection to S3 failed"),
    ],
)
def test_a_failed_write_names_the_object_and_drops_what_was_begun(operation: str, error: Exception, words: str) -> None:
    s3 = Failing(operation, error)

    def copy() -> None:
        with upload_to(s3) as upload:
            upload.write([b"content"])
            upload.finish()

    with pytest.raises(StorageError, match=f"s3://{DATA}/abalone/candidates/1/model.tar.gz.*{words}"):
        copy()
    assert s3.aborted == (operation != "create_multipart_upload")


def test_what_went_wrong_first_is_told_when_it_cannot_be_dropped_either() -> None:
    s3 = Failing("abort_multipart_upload", client_error("AccessDenied"))

    def copy() -> None:
        with upload_to(s3):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        copy()


def test_a_finished_upload_is_not_dropped_and_one_that_others_finished_is() -> None:
    for error, aborted in ((None, 0), (client_error("PreconditionFailed"), 1)):
        s3 = Failing("complete_multipart_upload", error) if error else Failing("nothing", ZeroDivisionError())
        with upload_to(s3) as upload:
            upload.write([b"content"])
            upload.finish()
        assert s3.aborted == aborted


def test_a_bucket_without_versions_is_an_error(world: World) -> None:
    s3 = world.aws.create_client("s3")
    s3.create_bucket(Bucket="flat", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="flat", Key="abalone/candidates/1/data.csv", Body=b"x")
    with pytest.raises(StorageError, match=r"data\.csv has no version id; switch versioning on"):
        Store(s3, bucket="flat", prefix="abalone/candidates/1").find("data.csv")
