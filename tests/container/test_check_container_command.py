"""What `mlops check-container` says to a person, and to whom it refuses to say anything."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mlops.container.cli import check_container
from tests.container.tiny_container import DOCKERFILE, SERVE, SHORT, TRAIN, tiny


def checked(path: Path, capsys: pytest.CaptureFixture[str], **options: str) -> tuple[int, str, str]:
    status = check_container(path, limits=SHORT, **options)
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.mark.usefixtures("_sandbox")
def test_a_good_container_ends_with_0_and_says_the_rung(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, said, _ = checked(tiny(tmp_path / "tiny"), capsys, only="train", rung="bubblewrap")
    assert status == 0
    assert said.startswith("Rung: bubblewrap\nWithout effect on this rung:\n  line 3: FROM python")
    assert said.endswith("\n11 passed\n")


@pytest.mark.usefixtures("_sandbox")
def test_a_broken_rule_ends_with_1_and_names_rule_finding_and_fix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    container = tiny(tmp_path / "tiny", (TRAIN, "FAILURE.write_text(reason)", "print(reason)"))
    status, said, _ = checked(container, capsys, only="train", rung="bubblewrap")
    assert status == 1
    assert "\ntrain, missing-data: an empty channel ends with a status other than 0 and the reason in" in said
    assert "\n  found: status 1, but /opt/ml/output/failure says nothing\n" in said
    assert "\n  fix:   write which channel has no file to /opt/ml/output/failure and exit with 1\n" in said
    assert said.endswith("\n9 passed, 2 failed\n")


@pytest.mark.usefixtures("_sandbox")
def test_only_serve_trains_for_the_model_and_says_nothing_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    container = tiny(
        tmp_path / "tiny", (DOCKERFILE, "USER 1000:1000", "USER 0"), (SERVE, "Refused(415)", "Refused(500)")
    )
    status, said, _ = checked(container, capsys, only="serve", rung="bubblewrap")
    assert status == 1
    assert said.endswith("\n18 passed, 1 failed\n")
    assert "train " not in said


def test_without_isolation_what_needs_it_is_not_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, said, _ = checked(tiny(tmp_path / "tiny"), capsys, only="train", rung="prefix")
    assert status == 0
    assert said.endswith("\n8 passed, 3 not checked\n")


def no_folder(container: Path) -> None:
    shutil.rmtree(container)


def no_dockerfile(container: Path) -> None:
    (container / DOCKERFILE).unlink()


def broken_dockerfile(container: Path) -> None:
    (container / DOCKERFILE).write_text("FROM a\nRUNN b\n")


def missing_source(container: Path) -> None:
    shutil.rmtree(container / "program")


def no_sample(container: Path) -> None:
    shutil.rmtree(container / "sample")


def no_request(container: Path) -> None:
    (container / "sample" / "request.csv").unlink()


def one_row(container: Path) -> None:
    (container / "sample" / "request.csv").write_text("1,2,3\n")


def no_train(container: Path) -> None:
    (container / "sample" / "train.csv").unlink()


def bad_hyperparameters(container: Path) -> None:
    (container / "sample" / "hyperparameters.json").write_text("[1]")


def binary_dockerfile(container: Path) -> None:
    (container / DOCKERFILE).write_bytes(b"\xff\xfe\x00")


WRONG = {
    no_folder: "does not exist; a folder with a Dockerfile is expected",
    no_dockerfile: "has no Dockerfile; write one, or name the folder that has it",
    broken_dockerfile: "line 2: 'RUNN' is no instruction of a Dockerfile",
    missing_source: "program/ is not in the build context",
    no_sample: "has no folder sample/ to try it with; it holds the channels (train.csv or a folder train/",
    no_request: "has no request.csv (or request.json, request.png, ...)",
    one_row: "has 1 rows; at least 2 are needed",
    no_train: "has no channel train (train.csv or a folder train/)",
    bad_hyperparameters: 'must hold a JSON object such as {"depth": "5"}',
    binary_dockerfile: "cannot be read",
}


@pytest.mark.parametrize("spoil", WRONG, ids=lambda spoil: spoil.__name__)
def test_wrong_input_ends_with_2_and_says_what_is_expected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: object
) -> None:
    container = tiny(tmp_path / "tiny")
    spoil(container)  # type: ignore[operator]
    status, out, said = checked(container, capsys, rung="prefix")
    assert status == 2
    assert WRONG[spoil] in said  # type: ignore[index]
    assert len(said.splitlines()) == 1
    assert out == ""


def test_the_command_knows_its_words(tmp_path: Path) -> None:
    def mlops(*words: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "mlops", *words], capture_output=True, text=True, check=False, timeout=60
        )
        return done.returncode, done.stdout + done.stderr

    assert mlops("check-container", str(tmp_path / "nothing"))[0] == 2
    assert mlops("check-container", str(tmp_path), "--only", "build")[0] == 2
    assert mlops("build-image", str(tmp_path))[0] == 2
    status, said = mlops("check-container", "--help")
    assert status == 0
    assert "--only" in said
