from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.intake import handler
from lambdas.intake.candidates import CandidateObjects
from lambdas.intake.manifest import Manifests
from lambdas.intake.store import Store, Upload
from lambdas.shared.errors import CandidateRefused, EventError, RegistryError, StorageError
from tests.lambdas.handed_over import DATA, ENVIRONMENT, MANIFEST, calls_of

if TYPE_CHECKING:
    from tests.lambdas.conftest import Json
    from tests.lambdas.handed_over import World

COPIES = [f"abalone/candidates/1/{file}" for file in ("data.csv", "evaluation.json", "model.tar.gz")]


def during(monkeypatch: pytest.MonkeyPatch, where: Any, method: str, happens: Callable[[], Any]) -> None:
    """Let something happen once, just before `method` of `where`."""
    original, waiting = getattr(where, method), [happens]

    def intercepted(*arguments: Any, **named: Any) -> Any:
        if waiting:
            waiting.pop()()
        return original(*arguments, **named)

    monkeypatch.setattr(where, method, intercepted)


def test_a_complete_candidate_is_taken_with_all_that_belongs_to_it(world: World) -> None:
    arn = world.hand_over()
    assert world.arrive(arn) == {"taken": True, "candidate": arn, "manifest": f"s3://{DATA}/{MANIFEST}"}
    manifest = world.manifest()
    assert {part: world.read(manifest.pop(part)) for part in ("data", "model")} == {
        part: world.contents[part] for part in ("data", "model")
    }
    assert manifest == {
        "version": 1,
        "candidate": arn,
        "metrics": {"rmse": 2.13, "r2": 0.55},
        "trainedBy": "arn:aws:sts::1:zoe",
        "codeVersion": "none",
        "trainingJobName": "none",
        "trainingJobArn": "none",
    }
    assert sorted(key for key, _ in world.versions()) == [MANIFEST, *COPIES]
    assert world.unfinished() == []


def test_the_job_that_trained_the_model_is_kept(world: World) -> None:
    def change(request: Json) -> None:
        request["CustomerMetadataProperties"] |= {"trainingJobName": "job-1", "trainingJobArn": "arn:job-1"}

    world.arrive(world.hand_over(change))
    assert (world.manifest()["trainingJobName"], world.manifest()["trainingJobArn"]) == ("job-1", "arn:job-1")


def test_nothing_becomes_an_object_before_all_is_copied_and_the_manifest_comes_last(world: World) -> None:
    arn, operations = world.hand_over(), list[str]()
    stop = calls_of("s3", operations)
    world.arrive(arn)
    stop()
    written = [each for each in operations if not each.startswith(("List", "Head", "Get"))]
    assert written == [
        *["CreateMultipartUpload", "UploadPart"] * 3,
        *["CompleteMultipartUpload"] * 3,
        "PutObject",
    ]


def test_the_same_event_twice_writes_nothing_the_second_time(world: World) -> None:
    arn = world.hand_over()
    world.arrive(arn)
    before, manifest = world.versions(), world.manifest()
    assert world.arrive(arn) == {"taken": False, "reason": f"{arn} was taken before"}
    assert (world.versions(), world.manifest()) == (before, manifest)


def test_a_newer_candidate_replaces_the_one_that_was_taken(world: World) -> None:
    first, second = world.hand_over(), world.hand_over(model=b"better")
    world.arrive(first)
    assert world.arrive(second)["taken"] is True
    assert world.manifest()["candidate"] == second
    assert world.read(world.manifest()["model"]) == b"better"


def test_an_older_candidate_does_not_replace_the_one_that_was_taken(world: World) -> None:
    first, second = world.hand_over(), world.hand_over()
    world.arrive(second)
    before = world.versions()
    assert world.arrive(first) == {"taken": False, "reason": f"{second} was taken before"}
    assert world.versions() == before


def test_the_tenth_candidate_is_newer_than_the_ninth(world: World) -> None:
    arns = [world.hand_over() for _ in range(10)]
    world.arrive(arns[8])
    assert world.arrive(arns[9])["taken"] is True


def test_the_candidates_of_another_group_do_not_count(world: World) -> None:
    world.arrive(world.hand_over())
    manifest = world.manifest()
    manifest["candidate"] = manifest["candidate"].replace(":123456789012:", ":999988887777:").replace("/1", "/7")
    world.s3.put_object(Bucket=DATA, Key=MANIFEST, Body=json.dumps(manifest))
    assert world.arrive(world.hand_over())["taken"] is True


@pytest.mark.parametrize("moment", [(CandidateObjects, "chunks"), (Store, "upload"), (Manifests, "write")])
def test_the_same_event_twice_at_once_makes_one_copy_and_one_manifest(
    world: World, monkeypatch: pytest.MonkeyPatch, moment: tuple[type, str]
) -> None:
    arn, answers = world.hand_over(), []
    during(monkeypatch, *moment, lambda: answers.append(world.arrive(arn)))
    answers.append(world.arrive(arn))
    assert [answer["taken"] for answer in answers] == [True, False]
    assert sorted(key for key, _ in world.versions()) == [MANIFEST, *COPIES]
    assert world.unfinished() == []
    assert world.read(world.manifest()["model"]) == world.contents["model"]


@pytest.mark.parametrize("moment", [(CandidateObjects, "chunks"), (Manifests, "write")])
@pytest.mark.parametrize("newest_inside", [True, False])
@pytest.mark.parametrize("taken_before", [True, False])
def test_of_two_candidates_at_once_the_newer_one_stays(
    world: World, monkeypatch: pytest.MonkeyPatch, moment: tuple[type, str], *, newest_inside: bool, taken_before: bool
) -> None:
    if taken_before:
        world.arrive(world.hand_over())
    first, second = world.hand_over(), world.hand_over()
    outer, inner = (first, second) if newest_inside else (second, first)
    during(monkeypatch, *moment, lambda: world.arrive(inner))
    assert world.arrive(outer)["taken"] is not newest_inside
    assert world.manifest()["candidate"] == second
    assert world.unfinished() == []


def test_a_manifest_that_others_keep_changing_is_an_error_after_some_tries(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Manifests, "write", lambda *_, **__: False)
    with pytest.raises(StorageError, match=r"candidate\.json was changed by others 5 times"):
        world.arrive(world.hand_over())


@pytest.mark.parametrize("finished", [1, 2, 3])
def test_what_a_broken_attempt_has_finished_is_used_by_the_next_one(
    world: World, monkeypatch: pytest.MonkeyPatch, finished: int
) -> None:
    original, remaining = Upload.finish, [None] * finished

    def breaks(self: Upload) -> None:
        original(self)
        remaining.pop()
        if not remaining:
            msg = "the function was stopped"
            raise TimeoutError(msg)

    arn = world.hand_over()
    monkeypatch.setattr(Upload, "finish", breaks)
    with pytest.raises(TimeoutError):
        world.arrive(arn)
    monkeypatch.setattr(Upload, "finish", original)
    assert (len(before := world.versions()), world.unfinished()) == (finished, [])
    operations: list[str] = []
    stop = calls_of("s3", operations)
    assert world.arrive(arn)["taken"] is True
    stop()
    assert operations.count("CreateMultipartUpload") == 3 - finished
    assert set(before) < set(world.versions())
    assert sorted(key for key, _ in world.versions()) == [MANIFEST, *COPIES]


def test_a_version_that_was_taken_is_never_taken_with_other_content(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn, write = world.hand_over(), Manifests.write
    monkeypatch.setattr(Manifests, "write", lambda *_, **__: False)
    with pytest.raises(StorageError):
        world.arrive(arn)
    monkeypatch.setattr(Manifests, "write", write)
    before, other = world.versions(), world.request("abalone/id-2", model=b"another model")
    described = world.sagemaker.describe_model_package(ModelPackageName=arn) | other
    described["ModelApprovalStatus"] = "Approved"
    monkeypatch.setattr("lambdas.intake.handler._Packages.describe", lambda *_: described)
    with pytest.raises(CandidateRefused, match=r"model\.tar\.gz of this version was taken before with other content"):
        world.arrive(arn)
    assert world.versions() == before


def test_other_content_that_comes_at_the_same_time_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    arn, key = world.hand_over(), "abalone/candidates/1/model.tar.gz"
    put = lambda: world.s3.put_object(Bucket=DATA, Key=key, Body=b"other", Metadata={"sha256": "0" * 64})  # noqa: E731
    during(monkeypatch, CandidateObjects, "chunks", put)
    with pytest.raises(CandidateRefused, match=r"model\.tar\.gz of this version was taken at the same time with other"):
        world.arrive(arn)
    assert [key for key, _ in world.versions()] == [key]
    assert world.unfinished() == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"not json", "the manifest s3://mlops-data/abalone/candidate.json"),
        (b"{}", "field 'candidate'"),
        (b'{"candidate": "arn:aws:x:model-package/group/first"}', "field 'candidate'"),
        (b"[" * 100_000, "the manifest"),
    ],
)
def test_a_manifest_that_cannot_be_read_stops_the_intake(world: World, body: bytes, words: str) -> None:
    world.s3.put_object(Bucket=DATA, Key=MANIFEST, Body=body)
    with pytest.raises(EventError, match=words):
        world.arrive(world.hand_over())
    assert [key for key, _ in world.versions()] == [MANIFEST]


def test_a_package_that_is_gone_is_an_error_with_its_name(world: World) -> None:
    arn = world.hand_over().replace("/1", "/99")
    with pytest.raises(RegistryError, match=f"the candidate {arn} cannot be described"):
        world.arrive(arn)
    world.assert_untouched()


@pytest.mark.parametrize("name", sorted(ENVIRONMENT))
def test_a_setting_that_is_missing_is_named(world: World, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    arn = world.hand_over()
    monkeypatch.delenv(name)
    with pytest.raises(EventError, match=f"the environment: field '{name.lower()}'"):
        world.arrive(arn)


def test_events_of_other_kinds_are_refused(world: World) -> None:
    event = world.event_of("intake")
    for name, value in (("source", "my.app"), ("detail-type", "SageMaker Training Job State Change")):
        other = copy.deepcopy(event) | {name: value}
        with pytest.raises(EventError, match=f"field '{name}'"):
            handler.handle(other, world.context)
