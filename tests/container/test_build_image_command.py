"""`mlops build-image` against the emulated AWS: what it pushes, what it prints, and when it builds nothing."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from mlops.container import store
from mlops.container.cli import build_image
from mlops.container.context import Context
from mlops.container.engines import Rung
from mlops.container.registry import Repository
from mlops.rehearsal import credentials
from mlops.rehearsal.server import EmulatedAws
from tests.container.tiny_container import SHORT, TRAIN, tiny

pytestmark = pytest.mark.usefixtures("_sandbox")


@pytest.fixture(scope="module")
def emulated() -> Iterator[EmulatedAws]:
    with EmulatedAws() as running:
        yield running


@pytest.fixture
def repository(emulated: EmulatedAws, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"mlops-{uuid.uuid4().hex[:8]}"
    ecr: Any = credentials.client("ecr")
    ecr.create_repository(repositoryName=name, imageTagMutability="IMMUTABLE")
    given = ecr._request_signer._credentials  # noqa: SLF001 - those of the emulated account
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulated.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", given.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", given.secret_key)
    return name


def build(container: Path, repository: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    status = build_image(container, repository=repository, rung=Rung.BUBBLEWRAP, limits=SHORT)
    said = capsys.readouterr()
    return status, said.out, said.err


def test_it_pushes_what_it_checked_and_prints_its_digest(
    tmp_path: Path, repository: str, capsys: pytest.CaptureFixture[str]
) -> None:
    container = tiny(tmp_path / "tiny")
    status, out, said = build(container, repository, capsys)
    assert status == 0, said
    name, _, digest = out.removesuffix("\n").partition("@")
    assert name == f"111122223333.dkr.ecr.eu-west-1.amazonaws.com/{repository}"
    stored = store.find(repository, digest)
    assert stored is not None
    manifest = (stored.folder / "manifest.json").read_bytes()
    assert digest == f"sha256:{hashlib.sha256(manifest).hexdigest()}"
    pushed: Any = boto3.client("ecr").describe_images(repositoryName=repository)["imageDetails"]
    assert [(one["imageDigest"], one["imageTags"]) for one in pushed] == [(digest, [Context.at(container).digest])]
    assert "34 passed" in said


def test_the_same_context_is_not_built_again(
    tmp_path: Path, repository: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, first, _ = build(tiny(tmp_path / "tiny"), repository, capsys)
    status, again, said = build(tmp_path / "tiny", repository, capsys)
    assert (status, again) == (0, first)
    assert "has this build context already" in said
    assert len(said.splitlines()) == 1


def test_what_passed_its_checks_is_not_checked_again_for_another_repository(
    tmp_path: Path, repository: str, capsys: pytest.CaptureFixture[str]
) -> None:
    build(tiny(tmp_path / "tiny"), repository, capsys)
    other = f"{repository}-2"
    credentials.client("ecr").create_repository(repositoryName=other)
    status, out, said = build(tmp_path / "tiny", other, capsys)
    assert status == 0
    assert f"/{other}@sha256:" in out
    assert "the contract checks passed on this machine before" in said


def test_an_image_that_breaks_the_contract_is_not_pushed(
    tmp_path: Path, repository: str, capsys: pytest.CaptureFixture[str]
) -> None:
    container = tiny(tmp_path / "tiny", (TRAIN, "for step in", "sys.exit(3)\nfor step in"))
    status, out, said = build(container, repository, capsys)
    assert (status, out) == (1, "")
    assert "train, exit-zero: `train` exits with 0 on the sample" in said
    assert said.endswith("the image is not pushed: it breaks the contract\n")
    assert boto3.client("ecr").describe_images(repositoryName=repository)["imageDetails"] == []


def test_a_repository_that_is_not_there_is_wrong_input(
    tmp_path: Path, repository: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, said = build(tiny(tmp_path / "tiny"), f"{repository}-none", capsys)
    assert (status, out) == (2, "")
    assert said == (
        f"there is no ECR repository {repository}-none in this account and region; `cdk deploy` of the model's stack "
        "makes it\n"
    )


def test_no_image_without_an_engine_goes_to_a_real_registry(
    tmp_path: Path, repository: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Repository, "emulated", False)
    status, out, said = build(tiny(tmp_path / "tiny"), repository, capsys)
    assert (status, out) == (1, "")
    assert "the rung bubblewrap makes no image that SageMaker could pull; install Docker or buildah" in said
